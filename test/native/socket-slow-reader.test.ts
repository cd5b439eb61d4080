import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  BATCH_CLOSED,
  BATCH_DRAINED,
  CONNECTION_MAX_OUTSTANDING,
  CONNECTION_MAX_QUEUED_EVENTS,
  CONNECTION_QUEUED_BYTES,
  CONNECTION_QUEUED_EVENTS,
  type ConnectionId,
  OUTPUT_COALESCE,
  OUTPUT_EVENT,
} from '../../native/ring-set.ts'
import { encode } from './guest-ring.ts'
import { RingHarness } from './ring-harness.ts'
import { READ, SocketHost } from './socket-host.ts'

const EVENT = 15

let host: SocketHost
let harness: RingHarness

beforeEach(() => {
  host = new SocketHost()
  harness = host.harness
})
afterEach(() => host.close())

describe('a slow reader', () => {
  test('gets everything in the end, and DRAINED is told', async () => {
    const { peer, id } = await host.connect()
    peer.hold()
    host.fill(id)
    expect(host.word(id, CONNECTION_QUEUED_BYTES)).toBeGreaterThan(0)
    peer.release()
    await harness.until(() => peer.received.length === 200)
    expect(peer.received.map((reply) => reply.reqId)).toEqual(
      Array.from({ length: 200 }, (_, i) => i),
    )
    expect(
      peer.received.every((reply) => reply.payload.every((byte) => byte === reply.reqId)),
    ).toBe(true)
    await harness.until(() => harness.of(id).at(-1)?.type === BATCH_DRAINED)
    expect(host.word(id, CONNECTION_QUEUED_BYTES)).toBe(0)
  })

  test('is not read from while too much is outstanding', async () => {
    const { peer, id } = await host.connect()
    host.setWord(id, CONNECTION_MAX_OUTSTANDING, 50)
    let taken = 0
    harness.answer = (record) => {
      if (record.type < 0) return
      taken++
      harness.send(id, READ, Buffer.alloc(4000), 0, record.reqId)
    }
    peer.hold()
    peer.send(
      Buffer.concat(Array.from({ length: 1000 }, (_, i) => encode(READ, i, 0, Buffer.alloc(0)))),
    )
    await harness.settle(100)
    expect(taken).toBeLessThan(500)
    expect(host.word(id, CONNECTION_QUEUED_BYTES)).toBeLessThanOrEqual(50 * 4016)
    peer.release()
    await harness.until(() => peer.received.length === 1000)
  })

  test('does not get an event twice, and waiting events expire', async () => {
    const { peer, id } = await host.connect()
    peer.hold()
    host.fill(id)
    const flags = OUTPUT_COALESCE | OUTPUT_EVENT
    harness.send(id, EVENT, Buffer.from('/a\0t\0'), flags)
    harness.send(id, EVENT, Buffer.from('/a\0t\0'), flags)
    harness.send(id, EVENT, Buffer.from('/b\0t\0'), flags)
    harness.rings.flush()
    expect(host.word(id, CONNECTION_QUEUED_EVENTS)).toBe(2)
    expect(harness.rings.expireEvents(id, 0)).toBe(0)
    expect(host.word(id, CONNECTION_QUEUED_EVENTS)).toBe(0)
    peer.release()
    await harness.until(() => peer.received.length === 200)
    await harness.settle()
    expect(peer.received.every((reply) => reply.type === READ)).toBe(true)
  })

  test('who is gone while much waits is closed', async () => {
    const { peer, id } = await host.connect()
    peer.hold()
    host.fill(id)
    peer.close()
    await harness.until(() => harness.of(id).at(-1)?.type === BATCH_CLOSED)
    expect(host.word(id, CONNECTION_QUEUED_BYTES)).toBe(0)
  })

  test('is closed when no block is left, and another is served', async () => {
    const own = new RingHarness({ maxQueuedBytes: 65536 })
    const ownPath = join(host.folder, 'small')
    own.rings.listen(ownPath)
    const slow = await host.peer(ownPath)
    const quick = await host.peer(ownPath)
    await own.until(() => own.noted.length === 2)
    slow.hold()
    const [slowId, quickId] = own.noted.map((record) => record.connection) as [
      ConnectionId,
      ConnectionId,
    ]
    for (let i = 0; i < 200; i++) own.send(slowId, READ, Buffer.alloc(4000))
    own.rings.flush()
    await own.until(() => own.of(slowId).at(-1)?.type === BATCH_CLOSED)
    own.rings.detach(slowId)
    own.send(quickId, READ, Buffer.from('still here'))
    own.rings.flush()
    await own.until(() => quick.received.length === 1)
    own.close()
  })
})

describe('limits', () => {
  test('who leaves more events lying than its limit is closed', async () => {
    const { peer, id } = await host.connect()
    host.setWord(id, CONNECTION_MAX_QUEUED_EVENTS, 100)
    peer.hold()
    host.fill(id)
    for (let i = 0; i < 100; i++) harness.send(id, EVENT, Buffer.from(`/${i}`), OUTPUT_EVENT)
    harness.rings.flush()
    expect(host.word(id, CONNECTION_QUEUED_EVENTS)).toBe(100)
    harness.send(id, EVENT, Buffer.from('one more'), OUTPUT_EVENT)
    harness.rings.flush()
    await harness.until(() => harness.of(id).at(-1)?.type === BATCH_CLOSED)
    expect(host.word(id, CONNECTION_QUEUED_BYTES)).toBe(0)
  })
})
