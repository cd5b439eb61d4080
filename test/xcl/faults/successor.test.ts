import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { EXIT } from '../../../xcl/output/errors.ts'
import type { SimulatedHost, Traces } from '../../support/a-simulated-host.ts'
import { aQuietHost, SETTLED } from './a-quiet-host.ts'

let host: SimulatedHost
let nothing: Traces
beforeAll(async () => {
  ;({ host, nothing } = await aQuietHost({ hasStoreProxy: true }))
}, 60_000)
afterAll(() => host?.stop())

test('what a vanished guest leaves is removed before another one has its uuid', async () => {
  const uuid = randomUUID()
  const image = host.path('a.img')
  writeFileSync(image, '')
  const disk = `disk = ["${image},raw,xvda,w"]`
  const more = [`uuid = "${uuid}"`, disk]
  const { domid } = JSON.parse((await host.create('one', more)).stdout)
  await host.news.said(new RegExp(`^ready ${domid} `))

  const lookup = host.storeProxy.hold('DIRECTORY', `/vm/${uuid}`)
  await host.simulator.command(`die domid=${domid} how=vanish`)
  await lookup.came
  // Asked over a connection of its own, for xcld's waits: nothing but the refusal can answer it.
  const second = host.create('two', more)
  lookup.release()
  const { code, stderr } = await second
  // Refused while the first one's remains are there, or created after: never in between.
  if (code !== 0) expect(stderr).toMatch(new RegExp(`the uuid ${uuid} is taken by domain one`))
  await expect
    .poll(() => host.traces(), SETTLED)
    .toMatchObject({
      records: code === 0 ? [`domains ${uuid}`] : [],
    })

  if (code !== 0) expect(await host.create('two', more)).toMatchObject({ code: 0 })
  expect(await host.create('three', [disk])).toMatchObject({
    code: EXIT.failed,
    stderr: expect.stringContaining(`guest ${uuid} writes to it`),
  })
  expect((await host.traces()).records).toEqual([`domains ${uuid}`])
  expect(await host.xcl(['destroy', 'two'])).toMatchObject({ code: 0, stderr: '' })
  await expect.poll(() => host.traces(), SETTLED).toEqual(nothing)
}, 30_000)
