import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Domid, Gref } from '../../native/hypervisor.ts'
import {
  BATCH_BROKEN,
  BATCH_RECONNECT,
  CONNECTION_QUEUED_REPLIES,
  CONNECTION_WORDS,
  type ConnectionId,
} from '../../native/ring-set.ts'
import { encode, GuestRing } from './guest-ring.ts'
import { RingHarness } from './ring-harness.ts'

const READ = 2
/** Words of the page. */
const INDICES = [2048 / 4, 2052 / 4, 2056 / 4, 2060 / 4]
const FEATURES = 2064 / 4
const CONNECTION = 2068 / 4
const ERROR = 2072 / 4
const PORT = 2076 / 4
const RECONNECTION = 1

let harness: RingHarness
beforeEach(() => {
  harness = new RingHarness()
})
afterEach(() => harness.close())

function attached(features: number): {
  ring: GuestRing
  id: ConnectionId
  words: Int32Array
} {
  const end = harness.loopback.guest(1 as Domid, 1 as Gref)
  const page = { kind: 'gref', gref: 1 as Gref } as const
  const id = harness.rings.attach(end.domid, page, end.port, features)
  end.takeNotifications()
  return { ring: new GuestRing(end), id, words: new Int32Array(end.page) }
}

test('the page says which features are offered', () => {
  expect(attached(15).words[FEATURES]).toBe(15)
})

test('a guest that asks for a new beginning is not served until it has it', async () => {
  const { ring, id, words } = attached(RECONNECTION)
  ring.put(encode(READ, 1, 0, Buffer.from('x')))
  words[CONNECTION] = 1
  ring.end.kick()
  await harness.settle()
  expect(harness.of(id).map(({ type }) => type)).toEqual([BATCH_RECONNECT])
  harness.send(id, READ, Buffer.from('said to the guest of before'))
  harness.rings.flush()
  ring.end.kick()
  await harness.settle()
  expect([words[CONNECTION], ring.waiting, ring.unconsumed]).toEqual([1, 0, 17])
  ring.end.takeNotifications()
  harness.rings.reconnect(id)
  expect([words[CONNECTION], words[FEATURES], ring.end.takeNotifications()]).toEqual([0, 1, 1])
  expect(INDICES.map((index) => words[index])).toEqual([0, 0, 0, 0])
  ring.send(encode(READ, 2, 0, Buffer.from('y')))
  await harness.until(() => harness.of(id).length === 2)
  expect(harness.of(id)[1]?.reqId).toBe(2)
})

test('what is on its way in either direction is gone with a new beginning', async () => {
  const { ring, id, words } = attached(RECONNECTION)
  harness.send(id, READ, Buffer.alloc(3000))
  harness.rings.flush()
  ring.send(encode(READ, 1, 0, Buffer.alloc(50)).subarray(0, 30))
  await harness.settle()
  words[CONNECTION] = 1
  ring.end.kick()
  await harness.settle()
  harness.rings.reconnect(id)
  const queued = harness.rings.connections[id * CONNECTION_WORDS + CONNECTION_QUEUED_REPLIES]
  expect([queued, ring.waiting]).toEqual([0, 0])
  ring.send(encode(READ, 2, 0, Buffer.alloc(0)))
  await harness.until(() => harness.of(id).some(({ reqId }) => reqId === 2))
  harness.send(id, READ, Buffer.from('new'))
  harness.rings.flush()
  expect(ring.receive().map(({ payload }) => Buffer.from(payload).toString())).toEqual(['new'])
})

test('a guest that broke its ring may begin anew', async () => {
  const { ring, id, words } = attached(RECONNECTION)
  ring.setProducer(5000)
  ring.end.kick()
  await harness.settle()
  expect(words[ERROR]).toBe(2)
  words[CONNECTION] = 1
  ring.end.kick()
  await harness.settle()
  expect(harness.of(id).map(({ type }) => type)).toEqual([BATCH_BROKEN, BATCH_RECONNECT])
  harness.rings.reconnect(id)
  expect([words[ERROR], words[CONNECTION]]).toEqual([0, 0])
  ring.send(encode(READ, 2, 0, Buffer.alloc(0)))
  await harness.until(() => harness.of(id).at(-1)?.reqId === 2)
})

test('a guest that kicks while it waits is told of once', async () => {
  const { ring, id, words } = attached(RECONNECTION)
  words[CONNECTION] = 1
  for (let i = 0; i < 3; i++) {
    ring.end.kick()
    await harness.settle()
  }
  expect(harness.of(id)).toHaveLength(1)
})

test('without the feature the word is the guest’s own', async () => {
  const { ring, id, words } = attached(14)
  words[CONNECTION] = 1
  ring.send(encode(READ, 1, 0, Buffer.alloc(0)))
  await harness.until(() => harness.of(id).length === 1)
  expect([harness.of(id)[0]?.type, words[CONNECTION]]).toEqual([READ, 1])
})

test('a guest may ask for it while its kick is on the way: it is not lost', async () => {
  const { ring, id, words } = attached(RECONNECTION)
  ring.send(encode(READ, 1, 0, Buffer.alloc(0)))
  harness.answer = ({ type }) => {
    if (type !== READ) return
    words[CONNECTION] = 1
    ring.end.kick()
  }
  await harness.until(() => harness.of(id).some(({ type }) => type === BATCH_RECONNECT))
})

test('a port that the page names counts, unless it is none', async () => {
  const [named, given] = [1, 2].map(() => harness.loopback.guest(1 as Domid, 1 as Gref))
  if (named === undefined || given === undefined) throw new Error('no guest')
  const words = new Int32Array(named.page)
  words[PORT] = named.port
  const page = { kind: 'gref', gref: 1 as Gref } as const
  const id = harness.rings.attach(1 as Domid, page, given.port, 0)
  const ring = new GuestRing(named)
  ring.send(encode(READ, 1, 0, Buffer.alloc(0)))
  await harness.until(() => harness.of(id).length === 1)
  words[PORT] = -1
  harness.rings.reattach(id, given.port)
  new GuestRing(given).send(encode(READ, 2, 0, Buffer.alloc(0)))
  await harness.until(() => harness.of(id).length === 2)
})
