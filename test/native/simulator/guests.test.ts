/** What guests say and do on a machine without any of our daemons. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { NewsLog } from '../../support/news-log.ts'
import { ContractRings, contractSpec } from '../contract/machine.ts'
import { TestMachine } from './a-machine.ts'

const SOON = { timeout: 15_000, interval: 20 }
const MANY = 1000
/** What the machine keeps of free pages, and what it had before, with room to spare. */
const FEW_KIB = 6 * 1024

let machine: TestMachine
let rings: ContractRings
const news = new NewsLog()

beforeAll(async () => {
  machine = await TestMachine.start()
  rings = new ContractRings(machine.xen, [], 2 * MANY)
  await machine.simulator.onNews((words) => news.add(words))
})

afterAll(async () => {
  rings.close()
  await machine.stop()
})

async function guest(cmdline: string) {
  const { builder, domains } = machine.xen
  const spec = contractSpec('pvh')
  const domid = await builder.create(spec)
  const ports = await builder.prepare(domid, spec)
  const image = { kernel: machine.kernel, ramdisk: undefined, cmdline }
  await builder.build(domid, spec, ports, image)
  const ids = rings.attach(domid, ports)
  domains.unpause(domid)
  await news.said(new RegExp(`^ready ${domid} `))
  return { domid, ids }
}

async function end({ domid, ids }: Awaited<ReturnType<typeof guest>>): Promise<void> {
  rings.store.detach(ids.store)
  rings.consoles.detach(ids.console)
  await machine.xen.domains.destroy(domid)
  await news.said(new RegExp(`^gone ${domid} `))
}

/** What the machine's process has of the pages of all domains. */
function sharedKiB(): number {
  const status = readFileSync(`/proc/${machine.simulator.pid}/status`, 'utf8')
  return Number(/^RssShmem:\s+(\d+) kB$/m.exec(status)?.[1])
}

it('makes one line of news of whatever a guest is called', async () => {
  rings.keys.set('name', 'evil\ngone\t77\x1b')
  const made = await guest('nonce=n')
  rings.keys.set('name', 'contract')
  expect(await news.said(new RegExp(`^ready ${made.domid} `))).toContain(' evil?gone?77? n ')
  expect(news.lines.filter((line) => line.startsWith('gone'))).toEqual([])
  await end(made)
})

it('reads whole words of its command line', async () => {
  const made = await guest('xnonce=no nonce=yes nonce=later')
  expect(await news.said(new RegExp(`^ready ${made.domid} `))).toContain(' contract yes ')
  await end(made)
})

it('works as often as it is to, also where each byte of a request takes a turn', async () => {
  const made = await guest('script=split')
  const printed = () => rings.printedOn.get(made.ids.console) ?? ''
  await machine.simulator.work(20)
  await rings.until(() => printed().includes('work 10\r\n'))
  await machine.simulator.stopWork()
  await end(made)
})

it('counts the turns of work that came before the last one was done', async () => {
  const made = await guest('')
  await machine.simulator.work(100)
  const { missed } = await machine.simulator.stats()
  machine.xen.domains.pause(made.domid)
  // A second guest whose turns tell that some have gone by.
  const other = await guest('')
  await rings.until(() => /work 10\r\n/.test(rings.printedOn.get(other.ids.console) ?? ''))
  machine.xen.domains.unpause(made.domid)
  await expect
    .poll(() => machine.simulator.stats().then((now) => now.missed), SOON)
    .toBeGreaterThanOrEqual((missed ?? 0) + 8)
  await machine.simulator.stopWork()
  await end(made)
  await end(other)
})

it('gives the memory of guests that have gone back', async () => {
  const before = sharedKiB()
  const guests = await machine.guests(rings, MANY)
  expect(sharedKiB() - before).toBeGreaterThan(MANY * 7)
  for (const made of guests) {
    rings.store.detach(made.ids.store)
    rings.consoles.detach(made.ids.console)
    await machine.xen.domains.destroy(made.domid)
  }
  await news.said(new RegExp(`^gone ${guests.at(-1)?.domid} `))
  expect(sharedKiB() - before).toBeLessThan(FEW_KIB)
  // What comes back is empty.
  for (const made of await machine.guests(rings, 10)) await end(made)
})
