import { afterEach, beforeEach, expect, test } from 'vitest'
import type { XenstoreClient } from '../../lixs/client/client.ts'
import { encodePacket } from '../../lixs/wire/encoder.ts'
import {
  XS_READ,
  XS_TRANSACTION_END,
  XS_TRANSACTION_START,
  XS_WATCH,
  XS_WRITE,
} from '../../lixs/wire/ops.ts'
import { aDaemon, RingGuest, type RunningDaemon, turn } from '../support/a-daemon.ts'

const FEATURES = 2064 / 4
const CONNECTION = 2068 / 4

let daemon: RunningDaemon
let store: XenstoreClient

beforeEach(async () => {
  daemon = aDaemon()
  store = await daemon.connect()
})
afterEach(() => daemon.stop())

/** A guest with a folder of its own, introduced. */
async function introduced(domid: number): Promise<RingGuest> {
  const guest = daemon.guest(domid)
  await store.write(`/local/domain/${domid}/data`, '')
  await store.setPerms(`/local/domain/${domid}/data`, [`n${domid}`])
  await store.introduce(domid, 0, guest.end.port)
  return guest
}

/** The guest's kernel begins anew: it asks, waits for the answer, and knows nothing of before. */
async function reconnected(guest: RingGuest): Promise<RingGuest> {
  Atomics.store(guest.words, CONNECTION, 1)
  guest.end.kick()
  while (Atomics.load(guest.words, CONNECTION) !== 0) await turn()
  return new RingGuest(guest.end)
}

test('a guest that is introduced finds in its page what it is offered', async () => {
  const guest = await introduced(7)
  expect([guest.words[FEATURES], guest.words[CONNECTION]]).toEqual([15, 0])
})

test('a guest that begins anew has no watch, no transaction and no request of before', async () => {
  const before = await introduced(7)
  expect(await before.ask(XS_WATCH, 'data|t|')).toBe('OK|')
  expect(await before.ask(XS_WATCH, 'data|u|')).toBe('data|t|')
  const tx = Number((await before.ask(XS_TRANSACTION_START, '|')).replace(/\D/g, ''))
  const guest = await reconnected(before)
  await store.write('/local/domain/7/data/x', '1')
  expect(await guest.ask(XS_TRANSACTION_END, 'T|', tx || 1)).toBe('ENOENT|')
  expect(await guest.ask(XS_WATCH, 'data|t|')).toBe('OK|')
  expect(Buffer.from((await guest.next()).payload).toString()).toBe('data\0t\0')
  expect(await guest.ask(XS_READ, 'data/x|')).toBe('1')
})

test('with half a request and half a reply in the ring the guest begins with empty ones', async () => {
  const before = await introduced(7)
  await store.write('/local/domain/7/data/long', 'x'.repeat(3000))
  await store.setPerms('/local/domain/7/data/long', ['n7'])
  // Replies that nobody takes fill the ring and wait behind it.
  for (let i = 0; i < 3; i++) await before.send(XS_READ, 'data/long|')
  const half = encodePacket(XS_WRITE, 1, 0, Buffer.from('data/half\0value'))
  await before.put(half.subarray(0, 20))
  const guest = await reconnected(before)
  expect(await guest.ask(XS_WRITE, 'data/whole|1')).toBe('OK|')
  expect(await guest.ask(XS_READ, 'data/half|')).toBe('ENOENT|')
})

test('a guest that broke its ring is served again after a new beginning', async () => {
  const broken = await introduced(7)
  broken.claim(5000)
  while (broken.ringError === 0) await turn()
  const guest = await reconnected(broken)
  expect(guest.ringError).toBe(0)
  expect(await guest.ask(XS_WRITE, 'data/x|1')).toBe('OK|')
})

test('a guest that broke its ring is served again after another INTRODUCE', async () => {
  const broken = await introduced(7)
  broken.claim(5000)
  while (broken.ringError === 0) await turn()
  await store.introduce(7, 0, broken.end.port)
  const guest = new RingGuest(broken.end)
  expect(guest.ringError).toBe(0)
  expect(await guest.ask(XS_WRITE, 'data/x|1')).toBe('OK|')
})

test('a guest that begins anew again and again costs the others nothing of theirs', async () => {
  let guest = await introduced(7)
  await store.write('/a', '0')
  for (let i = 0; i < 50; i++) {
    await guest.send(XS_WATCH, `data|${i}|`)
    guest = await reconnected(guest)
    expect(await store.read('/a')).toBe('0')
  }
  expect(await guest.ask(XS_WRITE, 'data/x|1')).toBe('OK|')
})
