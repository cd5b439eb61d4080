/** Debian's daemons do on a simulated machine what they do on a Xen host. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { XenstoreClient } from '../../lixs/client/client.ts'
import { contractSpec, makeDomain } from '../native/contract/machine.ts'
import { StockMachine } from './a-stock-machine.ts'
import { STOCK_DAEMONS } from './stock-daemon.ts'

const SOON = { timeout: 20_000, interval: 10 }
const MANY = 200

describe.each(STOCK_DAEMONS)('%s', (name) => {
  let machine: StockMachine
  let store: XenstoreClient

  beforeEach(async () => {
    machine = await StockMachine.start(name)
    store = await machine.store()
  })

  afterEach(async () => {
    await machine.stop()
  })

  it('serves its socket', async () => {
    await store.write('/data/a', 'one')
    await store.write('/data/b', '')
    expect(await store.read('/data/a')).toBe('one')
    expect(await store.read('/data/c')).toBeUndefined()
    expect((await store.directory('/data'))?.sort()).toEqual(['a', 'b'])
    expect(await store.getPerms('/data/a')).toEqual(['n0'])
    await store.rm('/data')
    expect(await store.directory('/data')).toBeUndefined()
  })

  it('serves the rings of guests of both types', async () => {
    for (const type of ['pv', 'pvh'] as const) {
      const guest = await machine.guest(store, { type })
      const kernel = await machine.kernel(guest)
      await kernel.write('data/hello', 'from the guest')
      expect(await store.read(`/local/domain/${guest.domid}/data/hello`)).toBe('from the guest')
      await expect(kernel.write('/tool/x', '')).rejects.toThrow('EACCES')
    }
  })

  it('takes a request of a guest that comes a byte at a time', async () => {
    const guest = await machine.guest(store)
    const socket = await guest.connect()
    const replies: Buffer[] = []
    socket.on('data', (bytes) => replies.push(bytes))
    // XS_READ of "domid", req_id 7.
    const request = Buffer.from('02000000070000000000000006000000646f6d696400', 'hex')
    await store.write(`/local/domain/${guest.domid}/domid`, String(guest.domid))
    await store.setPerms(`/local/domain/${guest.domid}/domid`, ['n0', `r${guest.domid}`])
    for (const byte of request) await new Promise((sent) => socket.write(Buffer.of(byte), sent))
    const domid = String(guest.domid)
    await expect
      .poll(() => Buffer.concat(replies).toString('latin1'), SOON)
      .toBe(`\x02\0\0\0\x07\0\0\0\0\0\0\0${String.fromCharCode(domid.length)}\0\0\0${domid}`)
  })

  it('tells watchers at a socket and at a ring what others have changed', async () => {
    const guest = await machine.guest(store)
    const kernel = await machine.kernel(guest)
    const home = `/local/domain/${guest.domid}`
    const heard: string[] = []
    await store.watch(`${home}/data`, (path) => heard.push(`socket ${path}`))
    await kernel.watch('data', (path) => heard.push(`ring ${path}`))
    await expect.poll(() => heard.length, SOON).toBe(2)
    heard.length = 0
    await kernel.write('data/a', '1')
    await store.write(`${home}/data/b`, '1')
    await expect
      .poll(() => heard.toSorted(), SOON)
      .toEqual([`ring data/a`, `ring data/b`, `socket ${home}/data/a`, `socket ${home}/data/b`])
  })

  it('commits transactions of sockets and rings, one of two that meet', async () => {
    const guest = await machine.guest(store)
    const kernel = await machine.kernel(guest)
    const path = `/local/domain/${guest.domid}/count`
    await kernel.write('count', '0')
    const increment = (client: XenstoreClient) =>
      client.transaction(async (tx) => {
        const count = Number(await tx.read(path))
        await tx.write(path, String(count + 1))
      })
    const clients = [store, kernel, await machine.store()]
    const rounds = Array.from({ length: 5 }, () => clients.map(increment))
    await Promise.all(rounds.flat())
    expect(await store.read(path)).toBe('15')
  })

  it('maps the ring of a domain that is introduced, and gives it back when it is released', async () => {
    const held = async () => {
      const { pagesHeld = 0, portsHeld = 0 } = await machine.simulator.stats()
      return [pagesHeld, portsHeld] as const
    }
    // A daemon that answers has its own domain's ring.
    await store.directory('/')
    const [pages, ports] = await held()
    const guest = await machine.guest(store)
    expect(await store.isIntroduced(guest.domid)).toBe(true)
    expect(await held()).toEqual([pages + 1, ports + 1])
    await store.release(guest.domid)
    expect(await store.isIntroduced(guest.domid)).toBe(false)
    // oxenstored closes the channel only when the domain dies.
    expect(await held()).toEqual([pages, name === 'oxenstored' ? ports + 1 : ports])
    await expect(store.introduce(4711, 1, 1)).rejects.toThrow()
  })

  it('hears of every death from Xen, and lets go of domains that were destroyed', async () => {
    const watch = await store.watch('@releaseDomain')
    const events = watch[Symbol.asyncIterator]()
    await events.next()
    for (const how of ['crash', 'poweroff', 'destroy'] as const) {
      const guest = await machine.guest(store)
      const told = events.next()
      if (how !== 'destroy') await guest.shutDown(how)
      else await guest.destroy()
      expect((await told).value).toBe('@releaseDomain')
      if (how !== 'destroy') await guest.destroy()
      await guest.gone()
      // The second death of those that had shut down before.
      if (how !== 'destroy') await events.next()
    }
    expect(await machine.simulator.stats()).toMatchObject({ domains: 1 })
  })

  it('knows nothing of the last domain of a number', async () => {
    const first = await machine.guest(store, { domid: 77 })
    const kernel = await machine.kernel(first)
    await kernel.write('data/mine', 'first')
    await kernel.watch('data')
    await first.destroy()
    await first.gone()
    await store.rm('/local/domain/77')
    const second = await machine.guest(store, { domid: 77 })
    const reborn = await machine.kernel(second)
    expect(await reborn.read('data/mine')).toBeUndefined()
    await reborn.write('data/mine', 'second')
    expect(await store.read('/local/domain/77/data/mine')).toBe('second')
  })

  it('connects the network card of a guest to the back end in the kernel of dom0', async () => {
    const { guests, simulator } = machine
    const spec = contractSpec('pvh')
    const { domid, ports, image } = await makeDomain(guests.xen, spec, guests.kernel)
    const front = `/local/domain/${domid}/device/vif/0`
    const back = `/local/domain/0/backend/vif/${domid}/0`
    await store.mkdir(`/local/domain/${domid}`)
    await store.setPerms(`/local/domain/${domid}`, [`n${domid}`])
    await store.transaction(async (tx) => {
      await tx.write(`${front}/backend`, back)
      await tx.write(`${front}/backend-id`, '0')
      await tx.write(`${front}/state`, '1')
      await tx.write(`${back}/frontend`, front)
      await tx.write(`${back}/frontend-id`, String(domid))
      await tx.write(`${back}/online`, '1')
      await tx.write(`${back}/hotplug-status`, 'connected')
      await tx.write(`${back}/state`, '1')
      for (const path of [
        `/local/domain/${domid}/device`,
        `/local/domain/${domid}/device/vif`,
        front,
      ]) {
        await tx.setPerms(path, [`n${domid}`])
      }
      for (const key of ['backend', 'backend-id', 'state'])
        await tx.setPerms(`${front}/${key}`, [`n${domid}`])
      await tx.setPerms(back, ['n0', `r${domid}`])
      await tx.setPerms(`${back}/state`, ['n0', `r${domid}`])
    })
    await store.introduce(domid, image.storeGfn, ports.storePort)
    guests.xen.domains.unpause(domid)
    await expect.poll(() => store.read(`${back}/state`), SOON).toBe('4')
    await expect
      .poll(() => simulator.stats(), SOON)
      .toMatchObject({ vifConnected: 1, broken: 0, lost: 0 })
  })

  it(`serves ${MANY} guests, and lets all of them go`, async () => {
    const guests = []
    for (let i = 0; i < MANY; i++) guests.push(await machine.guest(store))
    const kernels = await Promise.all(guests.map((guest) => machine.kernel(guest)))
    await Promise.all(kernels.map((kernel, i) => kernel.write('data/number', String(i))))
    for (const [i, guest] of guests.entries()) {
      expect(await store.read(`/local/domain/${guest.domid}/data/number`)).toBe(String(i))
    }
    await machine.simulator.die({ count: MANY, seed: 1, how: 'vanish' })
    await Promise.all(guests.map((guest) => guest.gone()))
    expect(await machine.simulator.stats()).toMatchObject({ domains: 1 })
  })

  it('goes on with the others when a guest breaks its ring', async () => {
    const [broken, other] = [await machine.guest(store), await machine.guest(store)]
    await broken.setRing({ req_prod: 5000 })
    const kernel = await machine.kernel(other)
    await kernel.write('data/a', '1')
    expect(await store.read(`/local/domain/${other.domid}/data/a`)).toBe('1')
  })

  it('can be started again: guests go on when they are introduced to the next one', async () => {
    const guest = await machine.guest(store)
    const kernel = await machine.kernel(guest)
    await kernel.write('data/a', '1')
    await machine.daemon.restart()
    const after = await machine.store()
    expect(await after.read(`/local/domain/${guest.domid}/data/a`)).toBeUndefined()
    await after.mkdir(`/local/domain/${guest.domid}`)
    await after.setPerms(`/local/domain/${guest.domid}`, [`n${guest.domid}`])
    await after.introduce(guest.domid, guest.gfn, guest.port)
    await kernel.write('data/a', '2')
    expect(await after.read(`/local/domain/${guest.domid}/data/a`)).toBe('2')
  })
})
