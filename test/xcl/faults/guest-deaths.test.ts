import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SimulatedHost, Traces } from '../../support/a-simulated-host.ts'
import { aQuietHost, SETTLED } from './a-quiet-host.ts'

/** Faults of the machine are called so when a guest dies by them. */
const DEATH = 'guest_dies_'
const GUESTS = 30
const DYING = 20

describe.each(['4.17', '4.21'] as const)('on Xen %s', (xen) => {
  let host: SimulatedHost
  let nothing: Traces
  beforeAll(async () => {
    ;({ host, nothing } = await aQuietHost({ xen }))
  }, 60_000)
  afterAll(() => host?.stop())

  test('a guest that dies at any step of its boot leaves nothing', async () => {
    const faults = await host.simulator.command('faults')
    const steps = faults.filter((name) => name.startsWith(DEATH))
    expect(steps.length).toBeGreaterThanOrEqual(7)
    const more = ['vif = [""]', `disk = ["${host.kernel},raw,xvda,r"]`]
    for (const name of steps) {
      const { crashed } = await host.simulator.stats()
      await host.simulator.fault({ name, errno: 'EINVAL', times: 1 })
      expect(await host.create(name.slice(DEATH.length), more)).toMatchObject({ code: 0 })
      await expect.poll(() => host.traces(), SETTLED).toEqual(nothing)
      expect(await host.simulator.stats()).toMatchObject({ crashed: (crashed ?? 0) + 1 })
    }
  }, 60_000)

  test.each([
    'crash',
    'poweroff',
    'vanish',
  ] as const)('many guests that end at once by a %s leave nothing, and the others alone', async (how) => {
    const names = Array.from({ length: GUESTS }, (_, i) => `${how}${i}`)
    const created = await Promise.all(names.map((name) => host.create(name)))
    const domids = created.map(({ stdout }): number => JSON.parse(stdout).domid)
    await Promise.all(domids.map((domid) => host.news.said(new RegExp(`^ready ${domid} `))))

    const dead = await host.simulator.die({ count: DYING, seed: 7, how })

    const survivors = names.filter((_, i) => !dead.includes(domids[i] ?? 0))
    const listed = async (): Promise<string[]> => {
      const { stdout } = await host.xcl(['list', '--format', 'name'])
      return stdout.trim().split('\n').slice(1).sort()
    }
    expect(survivors).toHaveLength(GUESTS - DYING)
    await expect.poll(listed, SETTLED).toEqual([...survivors].sort())
    const traces = async () => {
      const { records, pagesHeld } = await host.traces()
      return { records: records.length, pagesHeld }
    }
    // Two rings of each, and dom0's own.
    const expected = { records: survivors.length, pagesHeld: 1 + 2 * survivors.length }
    await expect.poll(traces, SETTLED).toEqual(expected)

    expect(await host.xcl(['destroy', ...survivors])).toMatchObject({ code: 0, stderr: '' })
    await expect.poll(() => host.traces(), SETTLED).toEqual(nothing)
  }, 40_000)
})
