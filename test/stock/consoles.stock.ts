/** Debian's console daemon does on a simulated machine what it does on a Xen host. */
import {
  closeSync,
  constants,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { XenstoreClient } from '../../lixs/client/client.ts'
import type { Domid } from '../../native/hypervisor.ts'
import { contractSpec, makeDomain } from '../native/contract/machine.ts'
import { StockMachine } from './a-stock-machine.ts'
import { startStockConsoled } from './stock-consoled.ts'
import type { StockProcess } from './stock-process.ts'

const SOON = { timeout: 20_000, interval: 20 }
const MANY = 100

describe('xenconsoled', () => {
  let machine: StockMachine
  let store: XenstoreClient
  let consoled: StockProcess

  beforeEach(async () => {
    machine = await StockMachine.start('xenstored')
    store = await machine.store()
    consoled = await startStockConsoled({
      simulatorSocket: machine.simulator.socketPath,
      storeSocket: machine.daemon.socketPath,
      runDir: machine.runDir,
      logDir: join(machine.runDir, 'consoles'),
      args: ['--log=all'],
    })
  })

  afterEach(async () => {
    await consoled.stop()
    await machine.stop()
  })

  /** A guest that boots and says READY, as a toolstack makes it. */
  async function guest(name: string, type: 'pv' | 'pvh' = 'pvh'): Promise<Domid> {
    const { guests } = machine
    const { domid, ports, image } = await makeDomain(guests.xen, contractSpec(type), guests.kernel)
    const home = `/local/domain/${domid}`
    await store.mkdir(home)
    await store.setPerms(home, [`n${domid}`])
    const keys = {
      name,
      domid: String(domid),
      // Before the ring: a daemon that finds the domain early writes it as soon as that is there.
      'console/tty': '',
      'console/ring-ref': String(image.consoleGfn),
      'console/port': String(ports.consolePort),
      'console/type': 'xenconsoled',
      'console/limit': '1048576',
    }
    for (const [key, value] of Object.entries(keys)) await store.write(`${home}/${key}`, value)
    await store.introduce(domid, image.storeGfn, ports.storePort)
    guests.xen.domains.unpause(domid)
    return domid
  }

  const logOf = (name: string): string => {
    const path = join(machine.runDir, 'consoles', name)
    return existsSync(path) ? readFileSync(path, 'latin1') : ''
  }

  async function tty(domid: Domid): Promise<number> {
    const key = `/local/domain/${domid}/console/tty`
    await expect.poll(() => store.read(key), SOON).toMatch(/^\/dev\/pts\/\d+$/)
    const path = (await store.read(key)) ?? ''
    return openSync(path, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK)
  }

  it.each(['pv', 'pvh'] as const)('logs what a %s guest prints', async (type) => {
    const domid = await guest('one', type)
    await expect
      .poll(() => logOf('guest-one.log'), SOON)
      .toMatch(new RegExp(`^READY ${type} domid=${domid} name=one nonce=\\S+ write=OK\\r\\n$`))
  })

  it('passes on at a pseudo terminal what is printed and what is typed', async () => {
    const domid = await guest('typed')
    const fd = await tty(domid)
    let shown = ''
    const read = () => {
      shown += readAvailable(fd)
      return shown
    }
    await expect.poll(read, SOON).toMatch(/READY .*\r\n/)
    writeSync(fd, 'ping\r')
    await expect.poll(read, SOON).toMatch(/\r\npong\r\n$/)
    expect(logOf('guest-typed.log')).toMatch(/\r\npong\r\n$/)
    closeSync(fd)
  })

  it(`has ${MANY} consoles, and lets go of those whose domains end`, async () => {
    const { portsHeld: before = 0, pagesHeld: pagesBefore = 0 } = await machine.simulator.stats()
    const domids: Domid[] = []
    for (let i = 0; i < MANY; i++) domids.push(await guest(`many${i}`))
    for (let i = 0; i < MANY; i++) {
      await expect.poll(() => logOf(`guest-many${i}.log`), SOON).toContain(`name=many${i} `)
    }
    for (const domid of domids) await machine.guests.xen.domains.destroy(domid)
    await expect
      .poll(() => machine.simulator.stats(), SOON)
      .toMatchObject({ portsHeld: before, pagesHeld: pagesBefore, domains: 1 })
  })

  it('loses nothing of a guest that prints faster than it may', async () => {
    const { xen, kernel } = machine.guests
    const spec = contractSpec('pvh')
    const domid = await xen.builder.create(spec)
    const ports = await xen.builder.prepare(domid, spec)
    const built = { kernel, ramdisk: undefined, cmdline: 'script=print' }
    const { storeGfn, consoleGfn } = await xen.builder.build(domid, spec, ports, built)
    const home = `/local/domain/${domid}`
    await store.write(`${home}/name`, 'prints')
    await store.write(`${home}/console/ring-ref`, String(consoleGfn))
    await store.write(`${home}/console/port`, String(ports.consolePort))
    await store.introduce(domid, storeGfn, ports.storePort)
    xen.domains.unpause(domid)
    await expect.poll(() => machine.simulator.printed(), SOON).toHaveLength(1)
    await machine.simulator.print(2000)
    await expect
      .poll(() => machine.simulator.printing(), SOON)
      .toEqual({ lines: 2000, bytes: 128_000, unread: 0, left: 0 })
    await expect.poll(() => logOf('guest-prints.log').length, SOON).toBe(128_000)
    expect(logOf('guest-prints.log')).toContain(`guest ${domid} line 2000 `)
  })

  it("copies Xen's own console", async () => {
    await expect.poll(() => logOf('hypervisor.log'), SOON).toContain('Xen version 4.17')
  })

  it('can be started again: guests print and listen on', async () => {
    const domid = await guest('again')
    await expect.poll(() => logOf('guest-again.log'), SOON).toContain('READY')
    await consoled.restart()
    // The key still names the terminal that has gone.
    const key = `/local/domain/${domid}/console/tty`
    await expect.poll(async () => existsSync((await store.read(key)) ?? ''), SOON).toBe(true)
    const fd = await tty(domid)
    writeSync(fd, 'ping\r')
    await expect.poll(() => logOf('guest-again.log'), SOON).toMatch(/\r\npong\r\n$/)
    closeSync(fd)
  })
})

/** What a terminal has now; empty: nothing. */
function readAvailable(fd: number): string {
  const into = Buffer.alloc(4096)
  try {
    return into.toString('latin1', 0, readSync(fd, into))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return ''
    throw error
  }
}
