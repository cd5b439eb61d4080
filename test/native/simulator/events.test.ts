import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { DOMAIN_DYING, DOMAIN_GONE, VIRQ_DOM_EXC } from '../../../native/hypervisor.ts'
import { ContractRings } from '../contract/machine.ts'
import { stateBits, TestMachine } from './a-machine.ts'
import { startHolder } from './holder.ts'

const MANY = 1000
const SOON = { timeout: 15_000, interval: 20 }

let machine: TestMachine
let rings: ContractRings

async function start(xen: '4.17' | '4.21' = '4.17', maxConnections = 64): Promise<void> {
  machine = await TestMachine.start({ xen })
  rings = new ContractRings(machine.xen, [VIRQ_DOM_EXC], maxConnections)
}

afterEach(async () => {
  rings.close()
  await machine.stop()
})

it('a thousand guests are heard, all at once', async () => {
  await start('4.17', MANY)
  const guests = await machine.guests(rings, MANY)
  for (const { domid, ids } of guests) {
    expect(rings.printedOn.get(ids.console)).toContain(`READY pvh domid=${domid} name=contract`)
  }
  rings.printedOn.clear()
  rings.typeOnAll(
    guests.map(({ ids }) => ids.console),
    'ping\n',
  )
  await rings.until(() => guests.every(({ ids }) => rings.printedOn.get(ids.console) !== undefined))
  expect(new Set(rings.printedOn.values())).toEqual(new Set(['pong\r\n']))
  // An answer counts when the guest has taken it, which is a moment after it was given.
  await expect.poll(() => machine.simulator.stats(), SOON).toMatchObject({ inFlight: 0 })
  const stats = await machine.simulator.stats()
  expect(stats).toMatchObject({ ready: MANY, crashed: 0, broken: 0 })
  // The daemon's own count: each request has come to it, and its answer back.
  expect(stats).toMatchObject({ requests: rings.requests, replies: rings.requests })
  expect(stats).toMatchObject({ lost: 0, abandoned: 0 })
})

it('one handle hears all guests: another guest takes no descriptor', async () => {
  await start()
  await machine.guests(rings, 1)
  const held = readdirSync('/proc/self/fd').length
  const guests = await machine.guests(rings, 20)
  expect(readdirSync('/proc/self/fd')).toHaveLength(held)
  rings.printedOn.clear()
  rings.typeOnAll(
    guests.map(({ ids }) => ids.console),
    'ping\n',
  )
  await rings.until(() => guests.every(({ ids }) => rings.printedOn.get(ids.console) !== undefined))
})

it('a guest that does not rest loses nothing, whoever is busy', async () => {
  await start()
  const [busy, other] = await machine.guests(rings, 2)
  if (busy === undefined || other === undefined) throw new Error('no guests')
  const before = rings.requests
  rings.printed = ''
  rings.type(busy.ids.console, 'spin-write 5000\n')
  rings.type(other.ids.console, 'ping\n')
  await rings.until(() => rings.printed.includes('pong') && rings.printed.includes('DONE'))
  expect(rings.requests - before).toBe(5000)
  expect(rings.written.get('data/spin')).toBe('5000')
})

it('what is announced while nobody looks is announced once', async () => {
  await start()
  const guests = await machine.guests(rings, 10)
  rings.virqs.length = 0
  for (const { domid } of guests) await machine.xen.domains.destroy(domid)
  await rings.until(() => rings.virqs.length > 0)
  expect(rings.virqs).toEqual([VIRQ_DOM_EXC])
})

describe.each([{ xen: '4.17' as const }, { xen: '4.21' as const }])('Xen $xen', ({ xen }) => {
  it('announces those that die at once, dying and then gone', async () => {
    await start(xen, 100)
    const guests = await machine.guests(rings, 50)
    machine.xen.domains.changed()
    const dead = await machine.simulator.die({ count: 20, seed: 7, how: 'vanish' })
    expect(new Set(dead).size).toBe(20)
    await rings.until(() => rings.virqs.includes(VIRQ_DOM_EXC))
    const dying = new Map(dead.map((domid) => [domid, DOMAIN_DYING]))
    const isDead = ([domid]: [number, number]) => dying.has(domid)
    expect(new Map([...stateBits(machine.xen.domains.states(1))].filter(isDead))).toEqual(dying)
    const changed = machine.xen.domains.changed()
    if (xen === '4.17') expect(changed).toBeUndefined()
    else expect(stateBits(changed)).toEqual(dying)

    rings.virqs.length = 0
    for (const { domid, ids } of guests) {
      if (!dying.has(domid)) continue
      rings.store.detach(ids.store)
      rings.consoles.detach(ids.console)
    }
    await rings.until(() => rings.virqs.includes(VIRQ_DOM_EXC))
    expect([...stateBits(machine.xen.domains.states(1))].filter(isDead)).toEqual([])
    const gone = new Map(dead.map((domid) => [domid, DOMAIN_GONE]))
    if (xen === '4.21') expect(stateBits(machine.xen.domains.changed())).toEqual(gone)
    expect(await machine.simulator.stats()).toMatchObject({ guests: 30, domains: 31 })
  })
})

it('after the VIRQ is bound every domain counts as changed', async () => {
  await start('4.21')
  const [guest] = await machine.guests(rings, 1)
  machine.xen.domains.changed()
  expect(machine.xen.domains.changed()).toHaveLength(0)
  rings.close()
  rings = new ContractRings(machine.xen, [VIRQ_DOM_EXC])
  expect(stateBits(machine.xen.domains.changed())).toEqual(
    new Map([
      [0, 0],
      [guest?.domid, 0],
    ]),
  )
})

it('what a process held is free once it was killed', async () => {
  await start()
  const [guest] = await machine.guests(rings, 1)
  if (guest === undefined) throw new Error('no guest')
  rings.close()
  const { domid, ports } = guest
  const words = [machine.simulator.socketPath, domid, ports.storePort, ports.consolePort]
  const holder = startHolder(['hold', ...words.map(String)])
  await once(holder.stdout, 'data')
  expect(() => new ContractRings(machine.xen, [VIRQ_DOM_EXC])).toThrow('EEXIST')
  holder.kill('SIGKILL')
  await once(holder, 'exit')
  // The machine hears of its end before it hears of anything that is asked from here on.
  rings = new ContractRings(machine.xen, [VIRQ_DOM_EXC])
  const { console } = rings.attach(domid, ports)
  rings.type(console, 'ping\n')
  await rings.until(() => rings.printed.includes('pong'))
})
