import assert from 'node:assert/strict'
import { type EvtchnPort, type ShutdownReason, VIRQ_DOM_EXC } from '../../../native/hypervisor.ts'
import { CONNECTION_KIND, CONNECTION_WORDS } from '../../../native/ring-set.ts'
import type { Claim, ContractMachine } from './machine.ts'
import {
  ContractRings,
  contractSpec,
  NOBODY,
  readyGuest,
  refuses,
  STORE_PAGE,
  untilDomain,
} from './machine.ts'

/** What a program's handles hold, and what becomes of it when they are closed; how deaths are told. */
export function handleClaims(machine: ContractMachine): Claim[] {
  const { xen, rings } = machine

  const hasEnded = async (type: 'pv' | 'pvh', command: string, reason: ShutdownReason) => {
    const guest = await readyGuest(machine, type)
    rings.type(guest.ids.console, `${command}\n`)
    await untilDomain(machine, guest.domid, (info) => info?.isShutdown === true)
    assert.equal(xen.domains.info(guest.domid)?.shutdownReason, reason)
    rings.store.detach(guest.ids.store)
    rings.consoles.detach(guest.ids.console)
    await xen.domains.destroy(guest.domid)
    await untilDomain(machine, guest.domid, (info) => info === undefined)
  }

  return [
    {
      name: 'a reboot and a crash are told apart',
      async body() {
        await hasEnded('pvh', 'reboot', 'reboot')
        await hasEnded('pv', 'crash', 'crash')
      },
    },
    {
      name: 'a VIRQ has one holder at a time',
      async body() {
        const error = await refuses('EEXIST', () => new ContractRings(xen, [VIRQ_DOM_EXC]))
        assert.equal(error.op, 'evtchn_bind_virq')
      },
    },
    {
      name: 'a set that is closed gives back its ports and pages',
      async body() {
        const guest = await readyGuest(machine, 'pvh')
        rings.store.detach(guest.ids.store)
        rings.consoles.detach(guest.ids.console)
        const others = new ContractRings(xen, [])
        others.attach(guest.domid, guest.ports)
        await refuses('EINVAL', () => rings.attach(guest.domid, guest.ports))
        others.close()
        const ids = rings.attach(guest.domid, guest.ports)
        rings.printed = ''
        rings.type(ids.console, 'ping\n')
        await rings.until(() => rings.printed.includes('pong'))
        rings.store.detach(ids.store)
        rings.consoles.detach(ids.console)
        const last = new ContractRings(xen, [])
        last.attach(guest.domid, guest.ports)
        await xen.domains.destroy(guest.domid)
        assert.equal(xen.domains.info(guest.domid)?.isDying, true)
        last.close()
        await untilDomain(machine, guest.domid, (info) => info === undefined)
      },
    },
    {
      name: 'a ring whose guest has closed its port is known, and what it wrote is still there',
      async body() {
        const guest = await readyGuest(machine, 'pvh')
        const { store, consoles } = rings
        const areBound = () => [store.isBound(guest.ids.store), consoles.isBound(guest.ids.console)]
        assert.deepEqual(areBound(), [true, true])
        consoles.reattach(guest.ids.console, guest.ports.consolePort)
        assert.deepEqual(areBound(), [true, true])
        rings.printed = ''
        rings.type(guest.ids.console, 'ping\n')
        await rings.until(() => rings.printed.includes('pong'))
        // A domain that is destroyed closes its ports; its pages stay as long as they are mapped.
        await xen.domains.destroy(guest.domid)
        assert.deepEqual(areBound(), [false, false])
        consoles.reattach(guest.ids.console, guest.ports.consolePort)
        assert.deepEqual(areBound(), [false, false])
        store.detach(guest.ids.store)
        consoles.detach(guest.ids.console)
        assert.deepEqual(areBound(), [false, false])
        await untilDomain(machine, guest.domid, (info) => info === undefined)
      },
    },
    {
      name: 'deaths that come while nobody looks are told afterwards',
      async body() {
        const guests = [await readyGuest(machine, 'pvh'), await readyGuest(machine, 'pvh')]
        rings.virqs.length = 0
        for (const { ids } of guests) rings.type(ids.console, 'poweroff\n')
        const ended = () => guests.every(({ domid }) => xen.domains.info(domid)?.isShutdown)
        // No turn of the loop comes between the deaths and this process's looking.
        while (!ended());
        await rings.until(() => rings.virqs.includes(VIRQ_DOM_EXC))
        for (const { domid, ids } of guests) {
          rings.store.detach(ids.store)
          rings.consoles.detach(ids.console)
          await xen.domains.destroy(domid)
          await untilDomain(machine, domid, (info) => info === undefined)
        }
      },
    },
    {
      name: 'domids ascend, and one that was given back is not the next',
      async body() {
        const spec = contractSpec('pvh')
        const first = await xen.builder.create(spec)
        const second = await xen.builder.create(spec)
        await xen.domains.destroy(second)
        const third = await xen.builder.create(spec)
        assert.ok(first < second && second < third, `${first}, ${second}, ${third}`)
        const listed = xen.domains.list(1).map((info) => info.domid)
        assert.deepEqual(
          listed,
          listed.toSorted((a, b) => a - b),
        )
        await xen.domains.destroy(first)
        await xen.domains.destroy(third)
      },
    },
    {
      name: 'nothing attaches of a domain that is not there, and nothing is kept',
      async body() {
        const kinds = () =>
          rings.store.connections.filter((_, i) => i % CONNECTION_WORDS === CONNECTION_KIND)
        const before = [...kinds()]
        const error = await refuses('EINVAL', () =>
          rings.store.attach(NOBODY, STORE_PAGE, 1 as EvtchnPort, 0),
        )
        assert.equal(error.domid, NOBODY)
        assert.deepEqual([...kinds()], before)
      },
    },
  ]
}
