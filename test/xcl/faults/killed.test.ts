import { afterAll, beforeAll, expect, test } from 'vitest'
import { CREATE_STEPS } from '../../../xcl/domain/create.ts'
import type { SimulatedHost, Traces } from '../../support/a-simulated-host.ts'
import { aQuietHost, diskOf, SETTLED } from './a-quiet-host.ts'
import { KILLS } from './kills.ts'

let host: SimulatedHost
let nothing: Traces
let firstDisk: string | undefined
beforeAll(async () => {
  ;({ host, nothing, firstDisk } = await aQuietHost({ hasStoreProxy: true }))
}, 60_000)
afterAll(() => host?.stop())

test('xcld is killed at each step of a creation', () => {
  expect(Object.keys(KILLS)).toEqual(CREATE_STEPS.map(({ name }) => name))
})

test.each(Object.entries(KILLS))(
  'an xcld that is killed at the step "%s" leaves nothing that the next one does not remove',
  async (_, { config, create, isKept = false }) => {
    const more = config?.(host) ?? []
    await create(host, more)
    await host.startProgram('xcld')
    if (isKept) {
      expect((await host.xcl(['list', '--format', 'name', 'demo'])).stdout).toBe('demo\n')
      await host.xcl(['destroy', 'demo'])
    }
    await expect.poll(() => host.traces(), SETTLED).toEqual(nothing)

    const { stdout } = await host.create('demo', more)
    const { domid } = JSON.parse(stdout)
    await host.news.said(new RegExp(`^ready ${domid} `))
    // What the one before had opened was closed.
    if (config !== undefined) expect(await diskOf(host, domid)).toBe(firstDisk)
    expect(await host.xcl(['destroy', 'demo'])).toMatchObject({ code: 0, stderr: '' })
    await expect.poll(() => host.traces(), SETTLED).toEqual(nothing)
  },
  30_000,
)
