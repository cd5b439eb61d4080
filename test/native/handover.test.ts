/** Rings and sockets from one set to the next: what a successor in the same process takes up. */
import { closeSync, openSync } from 'node:fs'
import { afterEach, expect, test } from 'vitest'
import { PAGE_GREF } from '../../native/handover.ts'
import { StateMemory } from '../../native/os/state-memory.ts'
import {
  CONNECTION_LOCAL_PORT,
  CONNECTION_WORDS,
  type ConnectionId,
  OUTPUT_COALESCE,
  OUTPUT_EVENT,
  type RingSet,
} from '../../native/ring-set.ts'
import { type BatchRecord, recordsOf } from './batch-records.ts'
import { encode, type GuestRing } from './guest-ring.ts'
import { RingHarness } from './ring-harness.ts'

const TYPE = 2
const XS_WATCH_EVENT = 15
const EVENT = Buffer.from('/watched\0token\0')
const PAYLOAD = Buffer.from('/a/path\0and a value')

let ends: (() => void)[] = []
afterEach(endAll)

function endAll(): void {
  for (const end of ends.reverse()) end()
  ends = []
}

function aHarness(): RingHarness {
  const harness = new RingHarness()
  ends.push(() => harness.close())
  return harness
}

interface Successor {
  readonly rings: RingSet
  readonly id: ConnectionId
  readonly taken: BatchRecord[]
}

/** Another set on the same machine goes on with a guest's ring; the one before is closed. */
function handOver(
  harness: RingHarness,
  from: RingSet,
  id: ConnectionId,
  ring: GuestRing,
): Successor {
  const { handover } = from
  if (handover === undefined) throw new Error('nothing to be handed over')
  const input = handover.inputOf(id)
  const output = handover.unsentOf(id)
  const cut = handover.cutOf(id)
  const localPort = from.connections[id * CONNECTION_WORDS + CONNECTION_LOCAL_PORT] as number
  from.close()
  const memory = StateMemory.anonymous(2 ** 30)
  const options = { memory, maxConnections: 64, maxQueuedBytes: 2 ** 22, virqs: [] }
  const rings = harness.loopback.rings('xenstore', options)
  ends.push(() => {
    rings.close()
    memory.close()
  })
  const next = rings.handover
  if (next === undefined) throw new Error('nothing can be taken over')
  const { domid, port: remotePort } = ring.end
  const page = { domid, pageKind: PAGE_GREF, page: 1, features: 0, isBroken: false }
  const adopted = next.adoptRing({ ...page, localPort, remotePort })
  if (input.length > 0) next.putBack(adopted, input)
  if (output.length > 0) next.restoreOutput(adopted, output, cut)
  const taken: BatchRecord[] = []
  rings.onBatch((batch) => {
    taken.push(...[...recordsOf(batch)].filter(({ type }) => type >= 0))
  })
  return { rings, id: adopted, taken }
}

test('a request that is cut anywhere arrives whole, and once', async () => {
  const request = encode(TYPE, 9, 0, PAYLOAD)
  for (let cut = 0; cut <= request.length; cut++) {
    const harness = aHarness()
    const { ring, id } = harness.guest(7)
    ring.setIndices(0xfffffff0)
    ring.send(request.subarray(0, cut))
    await harness.settle()
    const arrived = harness.of(id).filter(({ type }) => type >= 0).length
    const next = handOver(harness, harness.rings, id, ring)
    ring.send(request.subarray(cut))
    ring.send(encode(TYPE, 10, 0, PAYLOAD))
    await harness.until(() => arrived + next.taken.length >= 2)
    await harness.settle()
    expect(next.taken.map(({ reqId }) => reqId)).toEqual(arrived === 1 ? [10] : [9, 10])
    expect(next.taken.every(({ payload }) => Buffer.from(payload).equals(PAYLOAD))).toBe(true)
    endAll()
  }
})

test('replies and events that are halfway out go on where they stopped, as often as it happens', async () => {
  const harness = aHarness()
  const { ring, id } = harness.guest(7)
  const values = Array.from({ length: 6 }, (_, i) => Buffer.alloc(700 + i, 0x61 + i))
  for (const [i, value] of values.entries()) harness.send(id, TYPE, value, 0, i)
  harness.rings.flush()
  const messages = ring.receive()
  let rings = harness.rings
  let present = id
  for (let i = 0; i < 20; i++) {
    const next = handOver(harness, rings, present, ring)
    rings = next.rings
    present = next.id
    await harness.settle()
    messages.push(...ring.receive(150))
  }
  while (messages.length < values.length) {
    messages.push(...ring.receive())
    await harness.settle(1)
  }
  expect(messages.map(({ reqId }) => reqId)).toEqual([0, 1, 2, 3, 4, 5])
  expect(messages.map(({ payload }) => Buffer.from(payload))).toEqual(values)
  await harness.settle()
  expect(ring.receive()).toEqual([])
})

test('an event that waits already is not said again after the handover', async () => {
  const harness = aHarness()
  const { ring, id } = harness.guest(7)
  harness.send(id, TYPE, Buffer.alloc(2000), 0, 1)
  harness.send(id, XS_WATCH_EVENT, EVENT, OUTPUT_EVENT | OUTPUT_COALESCE)
  harness.rings.flush()
  const next = handOver(harness, harness.rings, id, ring)
  const { output } = next.rings
  const at = output.begin(next.id, XS_WATCH_EVENT, 0, 0, OUTPUT_EVENT | OUTPUT_COALESCE)
  output.bytes.set(EVENT, at)
  output.end(EVENT.length)
  next.rings.flush()
  const messages = ring.receive()
  for (let i = 0; i < 10; i++) {
    await harness.settle()
    messages.push(...ring.receive())
  }
  expect(messages.map(({ type }) => type)).toEqual([TYPE, XS_WATCH_EVENT])
})

test('requests that were put back are taken again first, in their order', async () => {
  const harness = aHarness()
  const { ring, id } = harness.guest(7)
  ring.send(encode(TYPE, 3, 0, PAYLOAD))
  ring.send(encode(TYPE, 4, 0, PAYLOAD).subarray(0, 20))
  const before = Buffer.concat([encode(TYPE, 1, 0, PAYLOAD), encode(TYPE, 2, 0, PAYLOAD)])
  harness.rings.handover?.putBack(id, before)
  await harness.until(() => harness.of(id).length >= 3)
  ring.send(encode(TYPE, 4, 0, PAYLOAD).subarray(20))
  await harness.until(() => harness.of(id).length >= 4)
  expect(harness.of(id).map(({ reqId }) => reqId)).toEqual([1, 2, 3, 4])
})

test('a ring that was broken stays unserved, and nothing in its page is changed', async () => {
  const harness = aHarness()
  const { ring, id } = harness.guest(7)
  harness.rings.close()
  const before = Buffer.from(new Uint8Array(ring.end.page))
  ring.send(encode(TYPE, 1, 0, PAYLOAD))
  const after = Buffer.from(new Uint8Array(ring.end.page))
  expect(after.equals(before)).toBe(false)
  const memory = StateMemory.anonymous(2 ** 30)
  const options = { memory, maxConnections: 64, maxQueuedBytes: 2 ** 22, virqs: [] }
  const rings = harness.loopback.rings('xenstore', options)
  ends.push(() => {
    rings.close()
    memory.close()
  })
  const { domid, port: remotePort } = ring.end
  const page = { domid, pageKind: PAGE_GREF, page: 1, features: 0, isBroken: true }
  rings.handover?.adoptRing({ ...page, localPort: 0, remotePort })
  let batches = 0
  rings.onBatch(() => {
    batches++
  })
  ring.end.kick()
  await harness.settle()
  expect(batches).toBe(0)
  expect(Buffer.from(new Uint8Array(ring.end.page)).equals(after)).toBe(true)
  expect(id).toBeGreaterThan(0)
})

test('what is no socket is not taken over as one', () => {
  const harness = aHarness()
  const fd = openSync('/dev/null', 'r')
  ends.push(() => closeSync(fd))
  const { handover } = harness.rings
  expect(() => handover?.adoptSocket(fd, false)).toThrow(
    expect.objectContaining({ code: 'ENOTSOCK' }),
  )
  expect(() => handover?.adoptListener(fd)).toThrow(expect.objectContaining({ code: 'ENOTSOCK' }))
  expect(() => handover?.adoptSocket(999_999, false)).toThrow(
    expect.objectContaining({ code: 'EBADF' }),
  )
})
