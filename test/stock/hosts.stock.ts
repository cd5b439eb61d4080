/** Our consoles and our toolstack on a host whose store is one of Debian's daemons. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SimulatedHost, type Traces } from '../support/a-simulated-host.ts'
import { STOCK_DAEMONS, startStockDaemon } from './stock-daemon.ts'

const MANY = 50
const SOON = { timeout: 20_000, interval: 20 }

describe.each(STOCK_DAEMONS)('a host with %s', (name) => {
  let host: SimulatedHost

  beforeAll(async () => {
    host = await SimulatedHost.start({ startStore: (place) => startStockDaemon(name, place) })
    // What the first guest of a host leaves for all others: directories above its own.
    const domid = await create('first')
    await host.xcl(['destroy', 'first'])
    await host.news.said(new RegExp(`^gone ${domid} `))
  })

  afterAll(async () => {
    await host?.stop()
  })

  async function create(guest: string, more: readonly string[] = []): Promise<number> {
    const { code, stdout, stderr } = await host.create(guest, more)
    if (code !== 0) throw new Error(stderr)
    const { domid } = JSON.parse(stdout)
    await host.news.said(new RegExp(`^ready ${domid} `))
    return domid
  }

  const consoleLog = (guest: string) =>
    readFileSync(host.path('logs', `guest-${guest}.log`), 'latin1')

  /** Whatever must be gone again; oxenstored keeps the channel of a domain that was released. */
  async function traces(): Promise<Partial<Traces>> {
    const { portsHeld, ...others } = await host.traces()
    return name === 'oxenstored' ? others : { ...others, portsHeld }
  }

  it('connects the devices of a guest and takes them away with it', async () => {
    const before = await traces()
    const domid = await create('devices', ['vif = [""]', `disk = ["${host.kernel},raw,xvda,r"]`])
    await host.news.said(new RegExp(`^connected ${domid} vif 0 \\d+$`))
    expect(await host.simulator.stats()).toMatchObject({ vifConnected: 1, vbdConnected: 1 })
    expect(await host.xcl(['destroy', 'devices'])).toMatchObject({ code: 0 })
    await host.news.said(new RegExp(`^gone ${domid} `))
    await expect.poll(traces, SOON).toEqual(before)
  })

  it(`runs ${MANY} guests: they work, are seen on their consoles, and end when they are asked to`, async () => {
    const before = await traces()
    const names = Array.from({ length: MANY }, (_, i) => `guest${i}`)
    const domids = await Promise.all(names.map((guest) => create(guest, ['vif = [""]'])))
    expect(new Set(domids).size).toBe(MANY)
    await host.simulator.work(5)
    for (const guest of names) {
      await expect
        .poll(() => consoleLog(guest), SOON)
        .toMatch(/READY .*write=OK\s[\s\S]*work 2\r?\n/)
    }
    await host.simulator.stopWork()
    const [asked = '', ...others] = names
    expect(await host.xcl(['shutdown', '--wait', asked])).toMatchObject({ code: 0 })
    await Promise.all(others.map((guest) => host.xcl(['destroy', guest])))
    for (const domid of domids) await host.news.said(new RegExp(`^gone ${domid} `))
    await expect.poll(traces, SOON).toEqual(before)
    expect(await host.simulator.stats()).toMatchObject({ lost: 0, broken: 0, crashed: 0 })
  })

  it('takes away what is left of guests that died without being asked', async () => {
    const before = await traces()
    const domids = [await create('crashing'), await create('vanishing')]
    await host.simulator.die({ count: 1, seed: 1, how: 'crash' })
    await host.simulator.die({ count: 1, seed: 1, how: 'vanish' })
    for (const domid of domids) await host.news.said(new RegExp(`^gone ${domid} `))
    await expect.poll(traces, SOON).toEqual(before)
  })
})
