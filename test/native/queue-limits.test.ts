/** What waits for one connection is bounded, found again at once, and nobody else's trouble. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  CONNECTION_MAX_OUTSTANDING,
  CONNECTION_MAX_QUEUED_BYTES,
  CONNECTION_MAX_QUEUED_EVENTS,
  CONNECTION_QUEUED_BYTES,
  CONNECTION_QUEUED_EVENTS,
  CONNECTION_QUEUED_REPLIES,
  CONNECTION_WORDS,
  CONNECTION_YIELDS,
  type ConnectionId,
  OUTPUT_CAUSE_SHIFT,
  OUTPUT_COALESCE,
  OUTPUT_EVENT,
} from '../../native/ring-set.ts'
import { encode } from './guest-ring.ts'
import { RingHarness } from './ring-harness.ts'

const READ = 2
const EVENT = 15

let harness: RingHarness

beforeEach(() => {
  harness = new RingHarness()
})

afterEach(() => harness.close())

function word(id: ConnectionId, index: number): number {
  return harness.rings.connections[id * CONNECTION_WORDS + index] as number
}

function setWord(id: ConnectionId, index: number, value: number): void {
  harness.rings.connections[id * CONNECTION_WORDS + index] = value
}

const event = (id: ConnectionId, text: string, own = harness) =>
  own.send(id, EVENT, Buffer.from(text), OUTPUT_EVENT | OUTPUT_COALESCE)

test('events beyond the limit of events are dropped, replies are not', () => {
  const { id } = harness.guest(1)
  setWord(id, CONNECTION_MAX_QUEUED_EVENTS, 10)
  harness.send(id, READ, Buffer.alloc(2000))
  for (let i = 0; i < 50; i++) event(id, `/a${i}\0t\0`)
  harness.send(id, READ, Buffer.from('reply'))
  harness.rings.flush()
  expect(word(id, CONNECTION_QUEUED_EVENTS)).toBe(10)
  expect(word(id, CONNECTION_QUEUED_REPLIES)).toBe(2)
  expect(harness.of(id)).toEqual([])
})

test('events beyond the limit of bytes are dropped, and nothing is read at the limit', async () => {
  const { ring, id } = harness.guest(1)
  setWord(id, CONNECTION_MAX_QUEUED_BYTES, 8000)
  for (let i = 0; i < 9; i++) event(id, `${i}${'e'.repeat(999)}`)
  harness.rings.flush()
  expect(word(id, CONNECTION_QUEUED_BYTES)).toBeLessThanOrEqual(8000)
  expect(word(id, CONNECTION_QUEUED_EVENTS)).toBe(7)
  harness.send(id, READ, Buffer.alloc(2000))
  harness.rings.flush()
  ring.send(encode(READ, 1, 0, Buffer.alloc(0)))
  await harness.settle()
  expect(harness.of(id)).toEqual([])
  await harness.until(() => {
    ring.receive()
    return harness.of(id).some((record) => record.type === READ)
  })
})

test('each waiting event swallows its double, and only on its own connection', () => {
  const first = harness.guest(1)
  const second = harness.guest(2)
  for (const { id } of [first, second]) harness.send(id, READ, Buffer.alloc(2000))
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 500; i++) event(first.id, `/a${i}\0t\0`)
  }
  event(second.id, '/a7\0t\0')
  harness.rings.flush()
  expect(word(first.id, CONNECTION_QUEUED_EVENTS)).toBe(500)
  expect(word(second.id, CONNECTION_QUEUED_EVENTS)).toBe(1)
})

test('an event that went out, expired or was reset does not swallow the next one', async () => {
  const { ring, id } = harness.guest(1)
  const wait = () => {
    harness.send(id, READ, Buffer.alloc(2000))
    event(id, '/a\0t\0')
    event(id, '/b\0t\0')
    harness.rings.flush()
    return word(id, CONNECTION_QUEUED_EVENTS)
  }
  expect(wait()).toBe(2)
  await harness.until(() => {
    ring.receive()
    return word(id, CONNECTION_QUEUED_EVENTS) === 0
  })
  expect(wait()).toBe(2)
  expect(harness.rings.expireEvents(id, 0)).toBe(0)
  expect(wait()).toBe(2)
  harness.rings.reset(id)
  expect(wait()).toBe(2)
})

test('expiry is one connection’s: nobody else loses an event', () => {
  const unprivileged = harness.guest(1)
  const privileged = harness.guest(2)
  for (const { id } of [unprivileged, privileged]) {
    harness.send(id, READ, Buffer.alloc(2000))
    event(id, '/a\0t\0')
  }
  harness.rings.flush()
  expect(harness.rings.expireEvents(unprivileged.id, 0)).toBe(0)
  expect(word(unprivileged.id, CONNECTION_QUEUED_EVENTS)).toBe(0)
  expect(word(privileged.id, CONNECTION_QUEUED_EVENTS)).toBe(1)
  expect(harness.rings.expireEvents(99 as ConnectionId, 0)).toBe(0)
})

test('when the room for queues gets scarce, who yields loses events and is not read; others are', async () => {
  const own = new RingHarness({ maxQueuedBytes: 2 ** 16 })
  const hoarder = own.guest(1)
  const guest = own.guest(2)
  const kernel = own.guest(3)
  own.rings.connections[guest.id * CONNECTION_WORDS + CONNECTION_YIELDS] = 1
  own.rings.connections[hoarder.id * CONNECTION_WORDS + CONNECTION_YIELDS] = 1
  for (const { id } of [guest, kernel]) own.send(id, READ, Buffer.alloc(1100))
  for (let i = 0; i < 1000; i++) event(hoarder.id, `/${i}${'x'.repeat(150)}\0t\0`, own)
  own.rings.flush()
  event(guest.id, '/a\0t\0', own)
  event(kernel.id, '/a\0t\0', own)
  own.rings.flush()
  const events = (id: ConnectionId) =>
    own.rings.connections[id * CONNECTION_WORDS + CONNECTION_QUEUED_EVENTS]
  expect(events(guest.id)).toBe(0)
  expect(events(kernel.id)).toBe(1)
  await own.settle()
  for (const { ring } of [guest, kernel]) ring.send(encode(READ, 1, 0, Buffer.alloc(0)))
  await own.until(() => own.of(kernel.id).length === 1)
  await own.settle()
  expect(own.of(guest.id)).toEqual([])
  expect(own.of(hoarder.id)).toEqual([])
  own.rings.expireEvents(hoarder.id, 0)
  await own.until(() => own.of(guest.id).length === 1)
  expect(own.of(guest.id)[0]?.type).toBe(READ)
  own.close()
})

describe('a request of which events wait for others is outstanding', () => {
  /** A writer whose every request makes two events for a watcher that does not read. */
  function writerAndWatcher(limit = 3) {
    const writer = harness.guest(1)
    const watcher = harness.guest(2)
    setWord(writer.id, CONNECTION_MAX_OUTSTANDING, limit)
    harness.send(watcher.id, READ, Buffer.alloc(2000))
    harness.rings.flush()
    const flags = OUTPUT_EVENT | (writer.id << OUTPUT_CAUSE_SHIFT)
    harness.answer = ({ connection, reqId }) => {
      if (connection !== writer.id) return
      for (const name of ['a', 'b']) {
        harness.send(watcher.id, EVENT, Buffer.from(`/${name}${reqId}\0t\0`), flags)
      }
      harness.send(writer.id, READ, Buffer.from('OK\0'), 0, reqId)
    }
    for (let i = 0; i < 10; i++) writer.ring.send(encode(READ, i, 0, Buffer.alloc(0)))
    return { writer, watcher }
  }

  test('until they have taken them', async () => {
    const { writer, watcher } = writerAndWatcher()
    await harness.settle(20)
    expect(harness.of(writer.id).length).toBe(3)
    expect(writer.ring.receive().length).toBe(3)
    await harness.settle(20)
    expect(harness.of(writer.id).length).toBe(3)
    await harness.until(() => {
      watcher.ring.receive()
      return harness.of(writer.id).length === 10
    })
  })

  test.each([1, 31, 33, 60, 200])('each of them counts, if %i of them may wait', async (limit) => {
    const { writer } = writerAndWatcher(limit)
    let sent = 10
    for (let i = 0; i < 3 * limit + 20; i++) {
      writer.ring.receive()
      writer.ring.send(encode(READ, sent, 0, Buffer.alloc(0)))
      sent++
      await harness.settle()
      // Whoever is not read from has no room for more.
      if (sent - harness.of(writer.id).length > 30) break
    }
    expect(harness.of(writer.id).length).toBe(limit)
  })

  test('until they have expired', async () => {
    const { writer, watcher } = writerAndWatcher()
    await harness.until(() => harness.of(writer.id).length === 3)
    await harness.settle()
    harness.rings.expireEvents(watcher.id, -1)
    await harness.until(() => harness.of(writer.id).length === 6)
    await harness.settle(20)
    expect(harness.of(writer.id).length).toBe(6)
  })

  test('until they have gone', async () => {
    const { writer, watcher } = writerAndWatcher()
    await harness.until(() => harness.of(writer.id).length === 3)
    await harness.settle()
    harness.rings.detach(watcher.id)
    await harness.until(() => harness.of(writer.id).length === 10)
  })

  test('and not charged to whoever has its number afterwards', async () => {
    const { writer, watcher } = writerAndWatcher()
    await harness.until(() => harness.of(writer.id).length === 3)
    await harness.settle()
    harness.rings.detach(writer.id)
    const next = harness.guest(3)
    expect(next.id).toBe(writer.id)
    setWord(next.id, CONNECTION_MAX_OUTSTANDING, 3)
    harness.answer = () => undefined
    harness.rings.detach(watcher.id)
    for (let i = 0; i < 3; i++) next.ring.send(encode(READ, i, 0, Buffer.alloc(0)))
    await harness.until(() => harness.of(next.id).filter(({ reqId }) => reqId < 3).length === 6)
  })
})
