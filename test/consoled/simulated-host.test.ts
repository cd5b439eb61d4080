/**
 * lixs and consoled on the simulated machine, as processes, with guests that die: in the two ways in
 * which Xen announces it.
 */
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { XenstoreClient } from '../../lixs/client/client.ts'
import { startProgram } from '../support/a-program.ts'
import { SimulatedHost } from '../support/a-simulated-host.ts'

const GUESTS = 6

// Four programs are started from their sources, for each test.
vi.setConfig({ testTimeout: 60_000 })

let host: SimulatedHost | undefined
afterEach(async () => {
  await host?.stop()
  host = undefined
})

async function figure(store: XenstoreClient, name: string): Promise<number> {
  const stats = await store.control('stats')
  return Number(new RegExp(`^${name} ([0-9]+)$`, 'm').exec(stats)?.[1])
}

/** Settles when the domain has no home in the store any more. */
async function homeVanishes(store: XenstoreClient, domid: number): Promise<void> {
  const watch = await store.watch('@releaseDomain')
  for await (const _ of watch) {
    if (!(await store.isIntroduced(domid))) break
  }
  await watch.unwatch()
}

describe.each(['4.17', '4.21'] as const)('on Xen %s', (xen) => {
  test('guests that Xen destroys are cleaned up, and nobody else is touched', async () => {
    host = await SimulatedHost.start({ xen })
    const names = Array.from({ length: GUESTS }, (_, i) => `g${i}`)
    for (const name of names) expect((await host.create(name)).code).toBe(0)
    for (const name of names) await host.news.said(new RegExp(`^ready \\d+ ${name} `))
    const store = await host.store()
    expect(await figure(store, 'domains')).toBe(GUESTS)
    const dead = await host.simulator.die({ count: 3, seed: 1, how: 'vanish' })
    for (const domid of dead) {
      await homeVanishes(store, domid)
      await host.program('consoled').said(new RegExp(`"domid":${domid},"msg":"console closed"`))
    }
    expect(await figure(store, 'domains')).toBe(GUESTS - 3)
    if (xen === '4.21') expect(await figure(store, 'listings')).toBe(0)
    for (const domid of dead) {
      // What a guest owned has gone with it, also where a toolstack has not been yet.
      expect(await store.read(`/local/domain/${domid}/data`)).toBeUndefined()
    }
    const [survivor] = host.news.lines
      .map((line) => /^ready (\d+) /.exec(line)?.[1])
      .filter((domid) => domid !== undefined && !dead.includes(Number(domid)))
    const work = await store.watch(`/local/domain/${survivor}/data/work`)
    await host.simulator.work(20)
    for await (const path of work) if ((await store.read(path)) === '3') break
    await host.simulator.stopWork()
    expect((await host.simulator.stats()).lost).toBe(0)
  })
})

test('where Xen and the store say which domain it was, a death has nobody list the others', async () => {
  host = await SimulatedHost.start({ xen: '4.21' })
  const names = Array.from({ length: GUESTS }, (_, i) => `g${i}`)
  for (const name of names) expect((await host.create(name)).code).toBe(0)
  for (const name of names) await host.news.said(new RegExp(`^ready \\d+ ${name} `))
  const { listings } = await host.simulator.stats()
  const dead = await host.simulator.die({ count: 3, seed: 1, how: 'vanish' })
  const crashed = await host.simulator.die({ count: 1, seed: 2, how: 'crash' })
  for (const domid of [...dead, ...crashed]) {
    await host.program('consoled').said(new RegExp(`"domid":${domid},"msg":"console closed"`))
  }
  // xcld has done its part as well: no record is left of those that are gone.
  while ((await host.traces()).records.length > GUESTS - 4) await host.simulator.stats()
  expect((await host.simulator.stats()).listings).toBe(listings)
})

test('numbers that begin anew are of new guests, which find nothing of others', async () => {
  host = await SimulatedHost.start({ firstDomid: 32750 })
  const store = await host.store()
  const domids: number[] = []
  for (let round = 0; round < 4; round++) {
    const name = `g${round}`
    expect((await host.create(name)).code).toBe(0)
    const ready = await host.news.said(new RegExp(`^ready \\d+ ${name} `))
    const domid = Number(ready.split(' ')[1])
    domids.push(domid)
    await host.program('consoled').said(new RegExp(`"domid":${domid},"name":"${name}",`))
  }
  expect(domids).toEqual([32750, 32751, 1, 2])
  expect(await figure(store, 'domains')).toBe(4)
  for (const name of ['g0', 'g1', 'g2', 'g3']) {
    expect((await host.xcl(['destroy', name])).code).toBe(0)
  }
  expect(await figure(store, 'domains')).toBe(0)
  expect(await store.directory('/local/domain')).toEqual(['0'])
})

test('a machine that is killed takes the daemons with it, each with a sentence', async () => {
  host = await SimulatedHost.start()
  process.kill(host.simulator.pid, 'SIGKILL')
  for (const name of ['lixs', 'consoled'] as const) {
    const { code, stderr } = await host.program(name).ended
    expect({ name, code }).toEqual({ name, code: 1 })
    expect(stderr).toContain('the simulated machine has gone; ending')
  }
})

test('consoled without a machine says where it looked', async () => {
  const path = '/nowhere/simulator.sock'
  const { ended } = startProgram('consoled', ['-N', '--hypervisor', 'sim', '--simulator', path])
  const { code, stderr } = await ended
  expect(code).toBe(1)
  expect(stderr).toContain(`consoled: no simulated machine listens at ${path} (`)
})
