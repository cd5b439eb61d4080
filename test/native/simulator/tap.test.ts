/** Guests whose kernel is a test, at the other end of a unix socket. */
import type { Socket } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { encodePacket } from '../../../lixs/wire/encoder.ts'
import type { ConnectionId } from '../../../native/ring-set.ts'
import { type TappedGuest, TappedGuests } from '../../support/a-tapped-guest.ts'
import { ContractRings, STORE_PAGE } from '../contract/machine.ts'
import { TestMachine } from './a-machine.ts'

const READ = 2
const RING_BYTES = 1024
/** A request, and an answer of the same length. */
const VALUE = 'v'.repeat(80)
const REQUEST = encodePacket(READ, 1, 0, Buffer.from(`${'k'.repeat(79)}\0`))
const SOON = { timeout: 15_000, interval: 10 }

let machine: TestMachine
let rings: ContractRings
let guests: TappedGuests

beforeEach(async () => {
  machine = await TestMachine.start()
  rings = new ContractRings(machine.xen, [])
  rings.keys.set('k'.repeat(79), VALUE)
  guests = await TappedGuests.on(machine.simulator)
})

afterEach(async () => {
  rings.close()
  guests.close()
  await machine.stop()
})

function attach(guest: TappedGuest): ConnectionId {
  return rings.store.attach(guest.domid, STORE_PAGE, guest.port, 0)
}

/** The next so many bytes that come; nothing else may read the socket. */
async function take(socket: Socket, count: number): Promise<Buffer> {
  let taken = Buffer.alloc(0)
  await new Promise<void>((resolve) => {
    socket.on('data', (bytes) => {
      taken = Buffer.concat([taken, bytes])
      if (taken.length >= count) resolve()
    })
    socket.resume()
  })
  expect(taken.length).toBe(count)
  return taken
}

it('passes requests and replies on, also a byte at a time', async () => {
  const guest = await guests.make()
  attach(guest)
  const socket = await guest.connect()
  socket.setNoDelay(true)
  for (const byte of REQUEST) {
    await new Promise((sent) => socket.write(Uint8Array.of(byte), sent))
  }
  const reply = await take(socket, 16 + VALUE.length)
  expect(reply.subarray(16).toString()).toBe(VALUE)
})

it('speaks for guests of both types as a client of the store', async () => {
  for (const type of ['pv', 'pvh'] as const) {
    const guest = await guests.make({ type })
    attach(guest)
    const client = await guest.client()
    expect(await client.read('domid')).toBe(String(guest.domid))
    client.close()
  }
})

it('holds requests back while the ring is full, and goes on when some were taken', async () => {
  const guest = await guests.make()
  const socket = await guest.connect()
  socket.write(Buffer.concat(Array(50).fill(REQUEST)))
  const produced = async () => (await guest.ring()).req_prod
  await expect.poll(produced, SOON).toBe(RING_BYTES)
  await guest.setRing({ req_cons: 10 })
  await expect.poll(produced, SOON).toBe(RING_BYTES + 10)
})

it('leaves the reply ring as it is while nobody reads the socket', async () => {
  const guest = await guests.make()
  attach(guest)
  const socket = await guest.connect()
  socket.pause()
  const count = 3000
  socket.write(Buffer.concat(Array(count).fill(REQUEST)))
  const unread = async () => {
    const { rsp_prod, rsp_cons } = await guest.ring()
    return rsp_prod - rsp_cons
  }
  await expect.poll(unread, SOON).toBe(RING_BYTES)
  const replies = await take(socket, count * (16 + VALUE.length))
  expect(replies.subarray(-VALUE.length).toString()).toBe(VALUE)
  await expect.poll(unread, SOON).toBe(0)
})

it('serves the next peer when the one before has gone, all of whose bytes are in the ring', async () => {
  const guest = await guests.make()
  attach(guest)
  const first = await guest.connect()
  const second = await guest.connect()
  second.write(REQUEST.subarray(20))
  first.end(REQUEST.subarray(0, 20))
  first.destroySoon()
  const reply = await take(second, 16 + VALUE.length)
  expect(reply.subarray(16).toString()).toBe(VALUE)
})

it('gives replies to a peer that has nothing more to say', async () => {
  const guest = await guests.make()
  attach(guest)
  const socket = await guest.connect()
  socket.end(REQUEST)
  expect((await take(socket, 16 + VALUE.length)).subarray(16).toString()).toBe(VALUE)
})

it('takes no requests while a reconnection is asked for', async () => {
  const guest = await guests.make()
  expect(await guest.setRing({ connection: 1 })).toMatchObject({ connection: 1, req_prod: 0 })
  const client = await guest.client()
  const asked = client.read('domid')
  const other = await guests.make()
  const otherClient = await other.client()
  attach(other)
  // By then the first guest's kernel had its turn.
  expect(await otherClient.read('domid')).toBe(String(other.domid))
  expect(await guest.ring()).toMatchObject({ connection: 1, req_prod: 0 })
  attach(guest)
  expect(await asked).toBe(String(guest.domid))
  expect(await guest.ring()).toMatchObject({ connection: 0 })
  client.close()
  otherClient.close()
})

it('sets words of the ring to whatever the test wants', async () => {
  const guest = await guests.make()
  attach(guest)
  const words = { req_cons: 0xffff_fff0, req_prod: 0xffff_fff0, rsp_cons: 7, rsp_prod: 7 }
  expect(await guest.setRing(words)).toMatchObject(words)
  const client = await guest.client()
  expect(await client.read('k'.repeat(79))).toBe(VALUE)
  expect((await guest.ring()).req_cons).toBe(REQUEST.length - 16)
  client.close()
})

it('announces words that are set: impossible indices are seen at once', async () => {
  const guest = await guests.make()
  attach(guest)
  await guest.setRing({ req_prod: 5000 })
  await expect.poll(async () => (await guest.ring()).error, SOON).not.toBe(0)
})

it('hangs up when the guest ends, in whatever way', async () => {
  for (const end of ['crash', 'poweroff', 'destroy'] as const) {
    const guest = await guests.make()
    attach(guest)
    const client = await guest.client()
    expect(await client.read('domid')).toBe(String(guest.domid))
    await (end === 'destroy' ? guest.destroy() : guest.shutDown(end))
    expect(await client.closed).toBeDefined()
  }
})

it('reuses a domid as soon as nobody has a page of its last domain', async () => {
  const guest = await guests.make({ domid: 77 })
  expect(guest.domid).toBe(77)
  const connection = attach(guest)
  await guest.destroy()
  await expect(guests.make({ domid: 77 })).rejects.toThrow('domain 77 is still there')
  rings.store.detach(connection)
  await guest.gone()
  const next = await guests.make({ domid: 77 })
  attach(next)
  const client = await next.client()
  expect(await client.read('domid')).toBe('77')
  client.close()
  expect((await guests.make()).domid).toBe(78)
})

it('refuses what is no tap, no word and no domid with a sentence', async () => {
  const { simulator } = machine
  const guest = await guests.make()
  const refused = async (line: string) =>
    simulator.command(line).then(
      () => 'done',
      (error: Error) => error.message,
    )
  expect(await refused('tap')).toBe('tap: say `tap DOMID PATH`')
  expect(await refused('tap 999 /tmp/x')).toBe('tap: there is no guest 999')
  expect(await refused(`tap ${guest.domid} ${machine.simulator.socketPath}/x`)).toMatch(
    /^cannot listen at/,
  )
  expect(await refused('ring')).toMatch(/^ring: say/)
  expect(await refused(`ring ${guest.domid} req_prod=-1`)).toMatch(/sets no word/)
  expect(await refused(`ring ${guest.domid} prod=1`)).toMatch(/sets no word/)
  expect(await refused(`ring ${guest.domid} req_prod`)).toMatch(/sets no word/)
  expect(await refused('domid next=32752')).toMatch(/^domid: say/)
  await guest.shutDown('crash')
  expect(await refused(`tap ${guest.domid} /nowhere/x`)).toBe('tap: the guest has ended')
})
