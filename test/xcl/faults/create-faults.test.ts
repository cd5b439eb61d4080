import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest'
import { CREATE_STEPS } from '../../../xcl/domain/create.ts'
import type { SimulatedHost, Traces } from '../../support/a-simulated-host.ts'
import { aQuietHost, SETTLED } from './a-quiet-host.ts'
import { CREATE_FAULTS } from './create-faults.ts'

let host: SimulatedHost
let nothing: Traces
beforeAll(async () => {
  ;({ host, nothing } = await aQuietHost({ hasStoreProxy: true }))
}, 60_000)
afterAll(() => host?.stop())

test('each step of a creation has its faults', () => {
  expect(Object.keys(CREATE_FAULTS)).toEqual(CREATE_STEPS.map(({ name }) => name))
  for (const faults of Object.values(CREATE_FAULTS)) expect(faults).not.toEqual([])
})

describe.each(
  Object.entries(CREATE_FAULTS),
)('a creation that fails at the step "%s"', (_, faults) => {
  test.each(faults)('because $what leaves nothing', async (fault) => {
    const { exitCode, says, config, argv = [], arrange, meanwhile, isUndoneLater } = fault
    const takeBack = await arrange?.(host)
    onTestFailed(async () => {
      await takeBack?.()
      await host.xcl(['destroy', 'demo'])
    })
    const before = await host.traces()

    const more = config?.(host) ?? []
    const [outcome] = await Promise.all([host.create('demo', more, { argv }), meanwhile?.(host)])

    expect(outcome.stderr).toMatch(/^xcl: [^\n]+\n( {2}hint: [^\n]+\n)?$/)
    expect(outcome.stderr).toMatch(says)
    expect(outcome.code).toBe(exitCode)
    const { error } = JSON.parse(outcome.stdout)
    expect(outcome.stderr).toContain(`xcl: ${error.message}\n`)
    if (isUndoneLater) await takeBack?.()
    await expect.poll(() => host.traces(), SETTLED).toEqual(before)

    await takeBack?.()
    // Nor does it keep its name, nor the disk, which is this one's alone.
    const disk = `disk = ["${host.kernel},raw,xvda,w"]`
    expect(await host.create('demo', [disk])).toMatchObject({ code: 0, stderr: '' })
    expect(await host.xcl(['destroy', 'demo'])).toMatchObject({ code: 0, stderr: '' })
    await expect.poll(() => host.traces(), SETTLED).toEqual(nothing)
  })
})
