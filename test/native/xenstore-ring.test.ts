import { fc, test as property } from '@fast-check/vitest'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Domid, EvtchnPort, Gref } from '../../native/hypervisor.ts'
import {
  BATCH_BROKEN,
  BATCH_DRAINED,
  CONNECTION_DOMID,
  CONNECTION_KIND,
  CONNECTION_MAX_OUTSTANDING,
  CONNECTION_PAUSED,
  CONNECTION_QUEUED_BYTES,
  CONNECTION_QUEUED_EVENTS,
  CONNECTION_QUEUED_REPLIES,
  CONNECTION_WORDS,
  type ConnectionId,
  OUTPUT_COALESCE,
  OUTPUT_EVENT,
} from '../../native/ring-set.ts'
import { encode, GuestRing } from './guest-ring.ts'
import { RingHarness } from './ring-harness.ts'

const READ = 2
const EVENT = 15
/** Word of the page: 1 = the guest waits to be connected (xs_wire.h). */
const CONNECTION_WORD = 2068 / 4

let harness: RingHarness

beforeEach(() => {
  harness = new RingHarness()
})

afterEach(() => {
  harness.close()
  expect(harness.loopback.leftovers()).toEqual({ mappings: 0, bindings: 0 })
})

/** Answers every request with its own payload. */
function echo(): void {
  harness.answer = (record) => {
    if (record.type >= 0)
      harness.send(record.connection, record.type, record.payload, 0, record.reqId)
  }
}

function word(id: ConnectionId, index: number): number {
  return harness.rings.connections[id * CONNECTION_WORDS + index] as number
}

function setWord(id: ConnectionId, index: number, value: number): void {
  harness.rings.connections[id * CONNECTION_WORDS + index] = value
}

describe('attaching', () => {
  test('zeroes the indices, offers the features, says who it is', () => {
    const end = harness.loopback.guest(7 as Domid, 1 as Gref)
    new Uint32Array(end.page).fill(0xdeadbeef)
    const id = harness.rings.attach(7 as Domid, { kind: 'gref', gref: 1 as Gref }, end.port, 6)
    expect([...new Uint32Array(end.page, 2048, 7)]).toEqual([0, 0, 0, 0, 6, 0, 0])
    expect(word(id, CONNECTION_KIND)).toBe(2)
    expect(word(id, CONNECTION_DOMID)).toBe(7)
  })

  test('finds what the guest has written before', async () => {
    const ring = new GuestRing(harness.loopback.self())
    ring.put(encode(READ, 1, 0, Buffer.from('a\0')))
    const id = harness.rings.attachSelf()
    expect(ring.end.takeNotifications()).toBe(1)
    await harness.until(() => harness.of(id).length === 1)
    expect(harness.of(id)[0]).toMatchObject({ type: READ, reqId: 1 })
  })

  test('keeps nothing of a ring that cannot be mapped or bound', () => {
    const end = harness.loopback.guest(7 as Domid, 1 as Gref)
    const page = { kind: 'gref', gref: 1 as Gref } as const
    const attach = (domid: number, port: number) => () =>
      harness.rings.attach(domid as Domid, page, port as EvtchnPort, 0)
    expect(attach(8, end.port)).toThrow(
      expect.objectContaining({ op: 'gnttab_map_grant_ref', code: 'EINVAL', domid: 8 }),
    )
    expect(attach(7, 99)).toThrow(
      expect.objectContaining({
        op: 'evtchn_bind_interdomain',
        code: 'EINVAL',
        domid: 7,
        message: 'dom 7: cannot bind event channel (remote port 99): EINVAL',
      }),
    )
    expect(harness.loopback.leftovers()).toEqual({ mappings: 0, bindings: 0 })
  })

  test('a detached id serves the next connection', () => {
    const first = harness.guest(1)
    harness.rings.detach(first.id)
    expect(word(first.id, CONNECTION_KIND)).toBe(0)
    expect(harness.guest(2).id).toBe(first.id)
  })

  test('an id detached within a batch is not used again within it', async () => {
    const first = harness.guest(1)
    let second: ConnectionId | undefined
    harness.answer = () => {
      if (second !== undefined) return
      harness.rings.detach(first.id)
      second = harness.guest(2).id
    }
    first.ring.send(encode(READ, 1, 0, Buffer.alloc(0)))
    await harness.until(() => second !== undefined)
    expect(second).not.toBe(first.id)
    expect(harness.guest(3).id).toBe(first.id)
  })

  test('another port: indices zeroed, queues and partial input gone', async () => {
    const { ring, id } = harness.guest(1)
    harness.send(id, READ, Buffer.alloc(3000))
    harness.rings.flush()
    ring.send(encode(READ, 1, 0, Buffer.alloc(50)).subarray(0, 30))
    await harness.settle()
    expect(word(id, CONNECTION_QUEUED_REPLIES)).toBe(1)
    const again = harness.loopback.guest(1 as Domid, 1 as Gref)
    harness.rings.reattach(id, again.port)
    expect(word(id, CONNECTION_QUEUED_REPLIES)).toBe(0)
    expect([...new Uint32Array(again.page, 2048, 4)]).toEqual([0, 0, 0, 0])
    const renewed = new GuestRing(again)
    renewed.send(encode(READ, 2, 0, Buffer.from('x')))
    await harness.until(() => harness.of(id).length === 1)
    expect(harness.of(id)[0]?.reqId).toBe(2)
  })

  test('a guest that waits for its connection is told, at the start and with another port', () => {
    const end = harness.loopback.guest(1 as Domid, 1 as Gref)
    const words = new Int32Array(end.page)
    words[CONNECTION_WORD] = 1
    const id = harness.rings.attach(1 as Domid, { kind: 'gref', gref: 1 as Gref }, end.port, 0)
    expect([words[CONNECTION_WORD], end.takeNotifications()]).toEqual([0, 1])
    words[CONNECTION_WORD] = 1
    const again = harness.loopback.guest(1 as Domid, 1 as Gref)
    harness.rings.reattach(id, again.port)
    expect([words[CONNECTION_WORD], again.takeNotifications()]).toEqual([0, 1])
    harness.rings.reattach(id, end.port)
    expect(end.takeNotifications()).toBe(0)
  })

  test('what is no connection cannot be reset', () => {
    const { id } = harness.guest(1)
    harness.rings.detach(id)
    for (const wrong of [id, 0, -1, 2 ** 31]) {
      expect(() => harness.rings.reset(wrong as ConnectionId)).toThrow(
        expect.objectContaining({ code: 'ENOENT' }),
      )
    }
  })

  test('a port that cannot be bound leaves the ring without one', () => {
    const { id } = harness.guest(1)
    harness.rings.reattach(id, 99 as EvtchnPort)
    expect(harness.loopback.leftovers()).toEqual({ mappings: 1, bindings: 0 })
  })
})

describe('reading', () => {
  test('a request arrives as it was sent, and the guest is told of the room', async () => {
    const { ring, id } = harness.guest(1)
    ring.end.takeNotifications()
    ring.send(encode(READ, 0xfffffff0, 0x80000001, Buffer.from('/a/b\0')))
    await harness.until(() => harness.of(id).length === 1)
    const record = harness.of(id)[0]
    expect(record?.type).toBe(READ)
    expect((record?.reqId ?? 0) >>> 0).toBe(0xfffffff0)
    expect((record?.txId ?? 0) >>> 0).toBe(0x80000001)
    expect(record?.payload.toString()).toBe('/a/b\0')
    await harness.settle()
    expect(ring.unconsumed).toBe(0)
    expect(ring.end.takeNotifications()).toBe(1)
  })

  test('a request without payload is served at once', async () => {
    const { ring, id } = harness.guest(1)
    ring.send(encode(READ, 5, 0, Buffer.alloc(0)))
    await harness.until(() => harness.of(id).length === 1)
    expect(harness.of(id)[0]?.payload.length).toBe(0)
  })

  test('a request split at every byte arrives whole', async () => {
    const { ring, id } = harness.guest(1)
    const wire = encode(READ, 9, 0, Buffer.from('/local/domain/1\0'))
    for (let cut = 1; cut < wire.length; cut++) {
      ring.send(wire.subarray(0, cut))
      await harness.settle()
      expect(ring.unconsumed).toBe(0)
      ring.send(wire.subarray(cut))
      await harness.until(() => harness.of(id).length === cut)
    }
    for (const record of harness.of(id)) expect(record.payload.toString()).toBe('/local/domain/1\0')
  })

  test('a request larger than the ring arrives in pieces', async () => {
    const { ring, id } = harness.guest(1)
    const payload = Buffer.alloc(4096, 'xyz')
    const wire = encode(READ, 1, 0, payload)
    let sent = 0
    while (sent < wire.length) {
      sent += ring.put(wire.subarray(sent))
      ring.end.kick()
      await harness.settle()
    }
    await harness.until(() => harness.of(id).length === 1)
    expect(harness.of(id)[0]?.payload.equals(payload)).toBe(true)
  })

  test('indices wrap at 2^32', async () => {
    const ring = new GuestRing(harness.loopback.self())
    ring.setIndices(2 ** 32 - 700)
    const id = harness.rings.attachSelf()
    echo()
    const payload = Buffer.alloc(150, 'w')
    for (let i = 0; i < 20; i++) {
      ring.send(encode(READ, i, 0, payload))
      await harness.until(() => ring.waiting > 0)
      const [reply] = ring.receive()
      expect(reply).toMatchObject({ type: READ, reqId: i })
      expect(Buffer.compare(reply?.payload ?? Buffer.alloc(0), payload)).toBe(0)
    }
    expect(harness.of(id).length).toBe(20)
  })

  test('impossible indices break this ring only', async () => {
    const bad = harness.guest(1)
    const good = harness.guest(2)
    bad.ring.setProducer(1025)
    bad.ring.end.kick()
    good.ring.send(encode(READ, 1, 0, Buffer.alloc(0)))
    await harness.until(() => harness.noted.length === 2)
    expect(harness.of(bad.id)).toMatchObject([{ type: BATCH_BROKEN, reqId: 2 }])
    expect(bad.ring.errorWord).toBe(2)
    bad.ring.setProducer(16)
    bad.ring.end.kick()
    good.ring.send(encode(READ, 2, 0, Buffer.alloc(0)))
    await harness.until(() => harness.of(good.id).length === 2)
    expect(harness.of(bad.id).length).toBe(1)
  })

  test('a message that is too long breaks the ring after what came before it', async () => {
    const { ring, id } = harness.guest(1)
    const long = encode(READ, 2, 0, Buffer.alloc(0))
    long.writeUInt32LE(4097, 12)
    ring.send(Buffer.concat([encode(READ, 1, 0, Buffer.alloc(0)), long]))
    await harness.until(() => harness.of(id).length === 2)
    expect(harness.of(id)).toMatchObject([
      { type: READ, reqId: 1 },
      { type: BATCH_BROKEN, reqId: 3 },
    ])
    expect(ring.errorWord).toBe(3)
  })

  property.prop(
    [
      fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    ],
    { numRuns: 40 },
  )(
    'whatever the cuts and the start, the stream arrives as sent',
    async (payloads, cuts, start) => {
      const own = new RingHarness()
      const ring = new GuestRing(own.loopback.self())
      ring.setIndices(start)
      const id = own.rings.attachSelf()
      const wire = Buffer.concat(payloads.map((payload, i) => encode(READ, i, 0, payload)))
      for (let at = 0, turn = 0; at < wire.length; turn++) {
        const cut = cuts[turn % cuts.length] ?? 1
        at += ring.put(wire.subarray(at, at + cut))
        ring.end.kick()
        await own.settle(1)
      }
      await own.until(() => own.of(id).length === payloads.length)
      expect(own.of(id).map((record) => record.payload)).toEqual(
        payloads.map((p) => Buffer.from(p)),
      )
      own.close()
    },
  )

  property.prop([fc.uint8Array({ minLength: 4096, maxLength: 4096 })], { numRuns: 60 })(
    'a page of any bytes harms nobody else',
    async (soup) => {
      const bad = harness.guest(1)
      const good = harness.guest(2)
      new Uint8Array(bad.ring.end.page).set(soup)
      bad.ring.end.kick()
      good.ring.send(encode(READ, 77, 0, Buffer.alloc(0)))
      await harness.until(() => harness.of(good.id).some((record) => record.reqId === 77))
      harness.rings.detach(bad.id)
      harness.rings.detach(good.id)
      harness.noted.length = 0
    },
  )
})

test('a guest cannot send what only native code says', async () => {
  const { ring, id } = harness.guest(1)
  const forged = encode(READ, 3, 0, Buffer.from('x'))
  forged.writeInt32LE(BATCH_BROKEN, 0)
  ring.send(forged)
  await harness.until(() => harness.of(id).length === 1)
  ring.send(forged.subarray(0, 9))
  await harness.settle()
  ring.send(forged.subarray(9))
  await harness.until(() => harness.of(id).length === 2)
  expect(harness.of(id).every((record) => record.type > 0)).toBe(true)
})

describe('fairness', () => {
  test('one message of each ring per pass, in turn', async () => {
    const guests = [harness.guest(1), harness.guest(2), harness.guest(3)]
    await harness.settle()
    for (const { ring } of guests) {
      for (let i = 0; i < 5; i++) ring.put(encode(READ, i, 0, Buffer.alloc(4)))
    }
    for (const { ring } of guests) ring.end.kick()
    await harness.until(() => harness.noted.length === 15)
    expect(harness.batches).toBe(5)
    const ids = guests.map((guest) => guest.id)
    expect(harness.noted.map((record) => record.connection)).toEqual(Array(5).fill(ids).flat())
  })

  test('one who pipelines alone is notified once, when the last reply is there', async () => {
    const { ring } = harness.guest(1)
    await harness.settle()
    ring.end.takeNotifications()
    harness.answer = ({ connection, reqId }) => {
      if (reqId < 10) expect(ring.waiting).toBe(0)
      harness.send(connection, READ, Buffer.from('x'), 0, reqId)
    }
    for (let i = 0; i < 10; i++) ring.put(encode(READ, i, 0, Buffer.alloc(4)))
    ring.end.kick()
    await harness.until(() => ring.waiting > 0)
    expect(ring.receive().map(({ reqId }) => reqId)).toEqual(
      Array.from({ length: 10 }, (_, i) => i),
    )
    expect(ring.end.takeNotifications()).toBe(1)
    expect(harness.batches).toBe(10)
  })

  test('of two who pipeline the one whose last request was served has its replies at once', async () => {
    const short = harness.guest(1)
    const long = harness.guest(2)
    await harness.settle()
    let served = 0
    harness.answer = ({ connection, reqId }) => {
      if (connection === long.id && served++ === 3) {
        expect(short.ring.waiting).toBe(2 * 17)
        expect(long.ring.waiting).toBe(0)
      }
      harness.send(connection, READ, Buffer.from('x'), 0, reqId)
    }
    for (let i = 0; i < 2; i++) short.ring.put(encode(READ, i, 0, Buffer.alloc(4)))
    for (let i = 0; i < 9; i++) long.ring.put(encode(READ, i, 0, Buffer.alloc(4)))
    for (const { ring } of [short, long]) ring.end.kick()
    await harness.until(() => long.ring.waiting === 9 * 17)
    expect(served).toBe(9)
  })

  test('a ring that is never empty does not keep another from being served', async () => {
    const busy = harness.guest(1)
    const quiet = harness.guest(2)
    const request = encode(READ, 1, 0, Buffer.alloc(0))
    let isDone = false
    harness.answer = (record) => {
      if (record.connection === quiet.id) isDone = true
      else if (!isDone) busy.ring.send(request)
    }
    busy.ring.send(request)
    await harness.settle()
    setImmediate(() => quiet.ring.send(request))
    await harness.until(() => isDone)
    expect(harness.of(quiet.id).length).toBe(1)
  })
})

describe('writing', () => {
  test('replies of one flush are announced once', async () => {
    const { ring, id } = harness.guest(1)
    await harness.settle()
    ring.end.takeNotifications()
    for (let i = 0; i < 4; i++) harness.send(id, READ, Buffer.from(`reply ${i}`), 0, i)
    harness.rings.flush()
    expect(ring.end.takeNotifications()).toBe(1)
    expect(ring.receive().map((reply) => Buffer.from(reply.payload).toString())).toEqual([
      'reply 0',
      'reply 1',
      'reply 2',
      'reply 3',
    ])
  })

  test('a reply larger than the room goes out as the guest makes room, then DRAINED', async () => {
    const { ring, id } = harness.guest(1)
    const payload = Buffer.alloc(4096, 'abcdefg')
    harness.send(id, READ, payload)
    harness.send(id, READ, Buffer.from('after'))
    harness.rings.flush()
    expect(ring.waiting).toBe(1024)
    expect(word(id, CONNECTION_QUEUED_REPLIES)).toBe(2)
    const replies = []
    while (replies.length < 2) {
      replies.push(...ring.receive())
      await harness.settle()
    }
    expect(Buffer.compare(replies[0]?.payload ?? Buffer.alloc(0), payload)).toBe(0)
    expect(Buffer.from(replies[1]?.payload ?? '').toString()).toBe('after')
    await harness.until(() => harness.of(id).length === 1)
    expect(harness.of(id)[0]?.type).toBe(BATCH_DRAINED)
    expect(word(id, CONNECTION_QUEUED_BYTES)).toBe(0)
  })

  test('an impossible consumer index breaks the ring', async () => {
    const { ring, id } = harness.guest(1)
    ring.setConsumer(5)
    harness.send(id, READ, Buffer.from('x'))
    harness.rings.flush()
    await harness.until(() => harness.of(id).length === 1)
    expect(harness.of(id)[0]).toMatchObject({ type: BATCH_BROKEN, reqId: 2 })
  })

  test('an event that already waits is not queued twice; replies are', () => {
    const { id } = harness.guest(1)
    harness.send(id, READ, Buffer.alloc(2000))
    const flags = OUTPUT_COALESCE | OUTPUT_EVENT
    harness.send(id, EVENT, Buffer.from('/a\0t\0'), flags)
    harness.send(id, EVENT, Buffer.from('/b\0t\0'), flags)
    harness.send(id, EVENT, Buffer.from('/a\0t\0'), flags)
    harness.send(id, READ, Buffer.from('same'))
    harness.send(id, READ, Buffer.from('same'))
    harness.rings.flush()
    expect(word(id, CONNECTION_QUEUED_EVENTS)).toBe(2)
    expect(word(id, CONNECTION_QUEUED_REPLIES)).toBe(3)
  })

  test('an event that is partly out still swallows its double', () => {
    const { id } = harness.guest(1)
    const payload = Buffer.alloc(3000, 'e')
    const flags = OUTPUT_COALESCE | OUTPUT_EVENT
    harness.send(id, EVENT, payload, flags)
    harness.send(id, EVENT, payload, flags)
    harness.rings.flush()
    expect(word(id, CONNECTION_QUEUED_EVENTS)).toBe(1)
  })

  test('events expire, but not one that is partly out, and never a reply', async () => {
    const { ring, id } = harness.guest(1)
    harness.send(id, EVENT, Buffer.alloc(2000, '1'), OUTPUT_EVENT)
    harness.send(id, EVENT, Buffer.from('2'), OUTPUT_EVENT)
    harness.send(id, READ, Buffer.from('reply'))
    harness.send(id, EVENT, Buffer.from('3'), OUTPUT_EVENT)
    harness.rings.flush()
    expect(harness.rings.expireEvents(id, 3_600_000)).toBe(2)
    expect(harness.rings.expireEvents(id, 0)).toBe(0)
    expect(word(id, CONNECTION_QUEUED_EVENTS)).toBe(1) // the one that is partly out
    const got = []
    while (got.length < 2) {
      got.push(...ring.receive())
      await harness.settle()
    }
    expect(got.map((message) => message.payload.length)).toEqual([2000, 5])
    harness.send(id, READ, Buffer.from('next'))
    harness.rings.flush()
    expect(ring.receive().map((message) => Buffer.from(message.payload).toString())).toEqual([
      'next',
    ])
  })

  test('a guest whose output finds no block left is broken, the others are served', async () => {
    const small = new RingHarness({ maxQueuedBytes: 16384 })
    const greedy = small.guest(1)
    const modest = small.guest(2)
    for (let i = 0; i < 5; i++) small.send(greedy.id, READ, Buffer.alloc(4096))
    small.rings.flush()
    await small.until(() => small.of(greedy.id).length === 1)
    expect(small.of(greedy.id)[0]).toMatchObject({ type: BATCH_BROKEN, reqId: 1 })
    small.send(modest.id, READ, Buffer.alloc(3000))
    small.rings.flush()
    expect(modest.ring.waiting).toBe(1024)
    small.close()
  })
})

describe('holding back', () => {
  test('no request is taken while too much is outstanding, all are answered in the end', async () => {
    const { ring, id } = harness.guest(1)
    setWord(id, CONNECTION_MAX_OUTSTANDING, 3)
    harness.answer = (record) => {
      if (record.type >= 0) harness.send(id, record.type, Buffer.alloc(600), 0, record.reqId)
    }
    for (let i = 0; i < 60; i++) ring.put(encode(READ, i, 0, Buffer.alloc(0)))
    ring.end.kick()
    await harness.settle(20)
    expect(word(id, CONNECTION_QUEUED_REPLIES)).toBe(3)
    const taken = harness.of(id).length
    expect(taken).toBeLessThan(8)
    const replies: number[] = []
    while (replies.length < 60) {
      replies.push(...ring.receive().map((reply) => reply.reqId))
      await harness.settle()
    }
    expect(replies).toEqual(Array.from({ length: 60 }, (_, i) => i))
  })

  test('a paused connection is read again after resume', async () => {
    const { ring, id } = harness.guest(1)
    setWord(id, CONNECTION_PAUSED, 1)
    ring.send(encode(READ, 1, 0, Buffer.alloc(0)))
    await harness.settle()
    expect(harness.of(id).length).toBe(0)
    setWord(id, CONNECTION_PAUSED, 0)
    harness.rings.resume(id)
    await harness.until(() => harness.of(id).length === 1)
    expect(harness.of(id)[0]?.reqId).toBe(1)
  })
})
