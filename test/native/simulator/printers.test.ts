/** Guests that print numbered lines when they are asked to, and say what they have printed. */

import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { ConnectionId } from '../../../native/ring-set.ts'
import { ContractRings, contractSpec } from '../contract/machine.ts'
import { TestMachine } from './a-machine.ts'

let machine: TestMachine
let rings: ContractRings

beforeEach(async () => {
  machine = await TestMachine.start()
  rings = new ContractRings(machine.xen, [])
})

afterEach(async () => {
  rings.close()
  await machine.stop()
})

/** Runs, and nobody reads its console yet. */
async function printer() {
  const { builder, domains } = machine.xen
  const spec = contractSpec('pvh')
  const domid = await builder.create(spec)
  const ports = await builder.prepare(domid, spec)
  const image = { kernel: machine.kernel, ramdisk: undefined, cmdline: 'script=print' }
  await builder.build(domid, spec, ports, image)
  domains.unpause(domid)
  await expect
    .poll(() => machine.simulator.printed().then((all) => all.map((one) => one.domid)))
    .toContain(domid)
  return { domid, ports }
}

const saidOn = (console: ConnectionId): string => rings.printedOn.get(console) ?? ''

it('waits with what its ring has no room for, and prints all of it when somebody reads', async () => {
  const { domid, ports } = await printer()
  await machine.simulator.print(100)
  expect(await machine.simulator.printing()).toMatchObject({ bytes: 2048, left: 67 })
  const ids = rings.attach(domid, ports)
  await rings.until(() => saidOn(ids.console).length >= 6400)
  const said = saidOn(ids.console)
  const lines = said.split('\r\n')
  expect(lines[0]).toMatch(new RegExp(`^guest ${domid} line 1 the quick`))
  expect(lines[99]).toMatch(new RegExp(`^guest ${domid} line 100 the quick`))
  expect(lines).toHaveLength(101)
  expect(await machine.simulator.printed()).toEqual([
    { domid, lines: 100, bytes: 6400, crc32: crc32(said) },
  ])
  expect(await machine.simulator.printing()).toEqual({
    lines: 100,
    bytes: 6400,
    unread: 0,
    left: 0,
  })
})

it('counts anew each time, and not before everything has been read', async () => {
  const { domid, ports } = await printer()
  await machine.simulator.print(1)
  await expect(machine.simulator.print(1)).rejects.toThrow(`guest ${domid}`)
  const ids = rings.attach(domid, ports)
  await rings.until(() => saidOn(ids.console).length >= 64)
  rings.printedOn.clear()
  await machine.simulator.print(3, 100)
  await rings.until(() => saidOn(ids.console).length >= 3 * 64)
  expect(await machine.simulator.printed()).toEqual([
    { domid, lines: 3, bytes: 3 * 64, crc32: crc32(saidOn(ids.console)) },
  ])
})

it('stops when it is told to', async () => {
  const { domid, ports } = await printer()
  const ids = rings.attach(domid, ports)
  await machine.simulator.print(1_000_000, 1000)
  await rings.until(() => saidOn(ids.console).length >= 64)
  await machine.simulator.command('print stop')
  expect(await machine.simulator.printing()).toMatchObject({ left: 0 })
})
