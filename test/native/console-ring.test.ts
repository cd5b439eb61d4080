import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Domid, Gref } from '../../native/hypervisor.ts'
import { VIRQ_CON_RING, VIRQ_DOM_EXC } from '../../native/hypervisor.ts'
import {
  BATCH_DATA,
  BATCH_DRAINED,
  BATCH_EMPTIED,
  BATCH_EVENTS,
  BATCH_VIRQ,
  CONNECTION_OUTPUT_INDEX,
  CONNECTION_PAUSED,
  CONNECTION_QUEUED_BYTES,
  CONNECTION_WORDS,
  type ConnectionId,
  PAUSED_DEAF,
} from '../../native/ring-set.ts'
import { GuestRing } from './guest-ring.ts'
import { RingHarness } from './ring-harness.ts'

const CONNECTION_BYTE = 3088

let harness: RingHarness

beforeEach(() => {
  harness = new RingHarness({ kind: 'console' })
})

afterEach(() => harness.close())

function printed(id: ConnectionId): string {
  return Buffer.concat(harness.of(id).map((record) => record.payload)).toString('latin1')
}

function type(id: ConnectionId, text: string): void {
  harness.send(id, BATCH_DATA, Buffer.from(text))
  harness.rings.flush()
}

function setPaused(id: ConnectionId, value: number): void {
  harness.rings.connections[id * CONNECTION_WORDS + CONNECTION_PAUSED] = value
}

describe('a console ring', () => {
  test('attaching clears the connection byte and nothing else', () => {
    const end = harness.loopback.guest(3 as Domid, 0 as Gref)
    const page = new Uint8Array(end.page).fill(1)
    harness.rings.attach(end.domid, { kind: 'gref', gref: 0 as Gref }, end.port, 0)
    expect(page[CONNECTION_BYTE]).toBe(0)
    expect(page.filter((byte) => byte !== 1).length).toBe(1)
  })

  test('a guest that closed its port is bound to no more, and is once it was bound anew', async () => {
    const { ring, id } = harness.guest(1)
    const other = harness.guest(2)
    expect(harness.rings.isBound(id)).toBe(true)
    ring.end.renewPort()
    expect([harness.rings.isBound(id), harness.rings.isBound(other.id)]).toEqual([false, true])
    ring.send(Buffer.from('heard'))
    await harness.settle()
    harness.rings.reattach(id, ring.end.port)
    expect(harness.rings.isBound(id)).toBe(true)
    await harness.until(() => printed(id) === 'heard')
    expect(harness.loopback.leftovers()).toEqual({ mappings: 2, bindings: 2 })
    harness.rings.detach(id)
    expect(harness.rings.isBound(id)).toBe(false)
  })

  test('attaching tells the guest, which may wait for room that somebody made and was killed', () => {
    const { ring } = harness.guest(1)
    expect(ring.end.takeNotifications()).toBe(1)
  })

  test('what the guest prints comes as data, and the guest is told of the room', async () => {
    const { ring, id } = harness.guest(1)
    await harness.settle()
    ring.end.takeNotifications()
    ring.send(Buffer.from('hello\r\n'))
    await harness.until(() => harness.of(id).length === 1)
    expect(harness.of(id)[0]).toMatchObject({ type: BATCH_DATA, reqId: 0, txId: 0 })
    expect(printed(id)).toBe('hello\r\n')
    await harness.settle()
    expect(ring.end.takeNotifications()).toBe(1)
  })

  test('a full ring comes in one piece, and much text in order over the wrap', async () => {
    const { ring, id } = harness.guest(1)
    const text = Array.from({ length: 3000 }, (_, i) => `line ${i}\n`).join('')
    const bytes = Buffer.from(text)
    for (let at = 0; at < bytes.length; ) {
      at += ring.put(bytes.subarray(at))
      ring.end.kick()
      await harness.settle(1)
    }
    await harness.until(() => printed(id).length === text.length)
    expect(printed(id)).toBe(text)
    expect(harness.of(id)[0]?.payload.length).toBe(2048)
  })

  test('each piece comes with its place in the ring, past the end of the indices', async () => {
    const end = harness.loopback.guest(3 as Domid, 0 as Gref)
    const ring = new GuestRing(end, 'console')
    ring.setIndices(0xffff_fffe)
    const id = harness.rings.attach(end.domid, { kind: 'gref', gref: 0 as Gref }, end.port, 0)
    const at = id * CONNECTION_WORDS + CONNECTION_OUTPUT_INDEX
    expect((harness.rings.connections[at] ?? 0) >>> 0).toBe(0xffff_fffe)
    ring.send(Buffer.from('four'))
    await harness.until(() => harness.of(id).length === 1)
    ring.send(Buffer.from('more'))
    await harness.until(() => harness.of(id).length === 2)
    expect(harness.of(id).map(({ reqId }) => reqId >>> 0)).toEqual([0xffff_fffe, 2])
    await harness.until(() => harness.rings.connections[at] === 6)
  })

  test('what is printed stays in the ring until the batch is handled', async () => {
    const { ring, id } = harness.guest(1)
    const seen: number[] = []
    harness.answer = () => seen.push(ring.unconsumed)
    ring.send(Buffer.from('kept'))
    await harness.until(() => harness.of(id).length === 1)
    await harness.until(() => ring.unconsumed === 0)
    expect(seen).toEqual([4])
  })

  test('what is printed while a batch is handled is taken without a word from the guest', async () => {
    const { ring, id } = harness.guest(1)
    harness.answer = () => {
      if (harness.of(id).length === 1) ring.put(Buffer.from(' and more'))
    }
    ring.send(Buffer.from('first'))
    await harness.until(() => printed(id) === 'first and more')
    await harness.until(() => ring.unconsumed === 0)
  })

  test('who is held up while its batch is handled has its room, and no more is taken', async () => {
    const { ring, id } = harness.guest(1)
    harness.answer = () => {
      setPaused(id, 1)
      ring.put(Buffer.from('later'))
    }
    ring.send(Buffer.from('now'))
    await harness.until(() => ring.unconsumed === 5)
    await harness.settle()
    expect(printed(id)).toBe('now')
    harness.answer = () => undefined
    setPaused(id, 0)
    harness.rings.resume(id)
    await harness.until(() => printed(id) === 'nowlater')
  })

  test('what is detached while its batch is handled is read again by who attaches next', async () => {
    const { ring, id } = harness.guest(1)
    harness.answer = () => harness.rings.detach(id)
    ring.send(Buffer.from('again'))
    await harness.until(() => harness.of(id).length === 1)
    await harness.settle()
    expect(ring.unconsumed).toBe(5)
    harness.answer = () => undefined
    harness.noted.length = 0
    const page = { kind: 'gref', gref: 1 as Gref } as const
    const next = harness.rings.attach(ring.end.domid, page, ring.end.port, 0)
    await harness.until(() => printed(next) === 'again')
    await harness.until(() => ring.unconsumed === 0)
  })

  test('impossible indices are ignored, not fatal', async () => {
    const { ring, id } = harness.guest(1)
    ring.setProducer(2049)
    ring.end.kick()
    await harness.settle()
    expect(harness.of(id).length).toBe(0)
    ring.setProducer(0)
    ring.send(Buffer.from('better'))
    await harness.until(() => printed(id) === 'better')
  })

  test('a paused console is not consumed until it is resumed', async () => {
    const { ring, id } = harness.guest(1)
    setPaused(id, 1)
    ring.send(Buffer.from('wait'))
    await harness.settle()
    expect(ring.unconsumed).toBe(4)
    setPaused(id, 0)
    harness.rings.resume(id)
    await harness.until(() => printed(id) === 'wait')
  })

  test('typing more than fits goes in as the guest reads, then DRAINED', async () => {
    const { ring, id } = harness.guest(1)
    await harness.settle()
    ring.end.takeNotifications()
    const text = 'typed '.repeat(500)
    type(id, text)
    type(id, 'end')
    expect(ring.waiting).toBe(1024)
    expect(ring.end.takeNotifications()).toBe(1)
    const queued = harness.rings.connections[id * CONNECTION_WORDS + CONNECTION_QUEUED_BYTES]
    expect(queued).toBe(text.length + 3)
    let got = ''
    let notified = 0
    while (got.length < text.length + 3) {
      got += ring.takeBytes(700).toString()
      ring.end.kick()
      await harness.settle(2)
      notified += ring.end.takeNotifications()
    }
    expect(got).toBe(`${text}end`)
    // Of what waited, in three pieces.
    expect(notified).toBe(3)
    await harness.until(() => harness.of(id).some((record) => record.type === BATCH_DRAINED))
  })

  test('a socket has no place here', () => {
    expect(() => harness.rings.listen('/tmp/none')).toThrow(
      expect.objectContaining({ code: 'EOPNOTSUPP' }),
    )
  })
})

describe('a console whose guest only notifies', () => {
  async function notify(ring: GuestRing, times: number): Promise<void> {
    for (let i = 0; i < times; i++) {
      ring.end.kick()
      await harness.settle(2)
    }
  }

  function told(id: ConnectionId): number {
    return harness
      .of(id)
      .filter((record) => record.type === BATCH_EVENTS)
      .reduce((sum, { reqId }) => sum + reqId, 0)
  }

  test('is told of, in steps', async () => {
    const { ring, id } = harness.guest(1)
    await notify(ring, 40)
    // One came with the binding.
    expect(told(id)).toBe(40)
  })

  test('is not told of where each event comes with output', async () => {
    const { ring, id } = harness.guest(1)
    await harness.settle()
    for (let i = 0; i < 40; i++) {
      ring.send(Buffer.from('x'))
      await harness.settle(2)
    }
    expect(printed(id)).toBe('x'.repeat(40))
    expect(told(id)).toBe(0)
  })

  test('is not told of where events are about room for what was typed', async () => {
    const { ring, id } = harness.guest(1)
    await harness.settle()
    type(id, 'a'.repeat(1500))
    for (let i = 0; i < 40; i++) {
      ring.takeBytes(10)
      await notify(ring, 1)
    }
    expect(told(id)).toBe(0)
    await notify(ring, 16)
    expect(told(id)).toBe(16)
  })

  test('is not listened to while that is said, and heard afterwards', async () => {
    const { ring, id } = harness.guest(1)
    const other = harness.guest(2)
    await harness.settle()
    setPaused(id, PAUSED_DEAF)
    await notify(ring, 100)
    expect(told(id)).toBe(0)
    ring.send(Buffer.from('held'))
    other.ring.send(Buffer.from('not held'))
    await harness.until(() => printed(other.id) === 'not held')
    expect(printed(id)).toBe('')
    setPaused(id, 0)
    harness.rings.resume(id)
    await harness.until(() => printed(id) === 'held')
    ring.send(Buffer.from(' and heard'))
    await harness.until(() => printed(id) === 'held and heard')
  })

  test('is told what was typed as soon as it is listened to again', async () => {
    const { ring, id } = harness.guest(1)
    type(id, 'a'.repeat(1500))
    await harness.settle()
    setPaused(id, PAUSED_DEAF)
    ring.end.kick()
    await harness.settle()
    expect(ring.takeBytes().length).toBe(1024)
    ring.end.kick()
    await harness.settle()
    expect(ring.waiting).toBe(0)
    setPaused(id, 0)
    harness.rings.resume(id)
    await harness.settle()
    expect(ring.takeBytes().length).toBe(476)
  })

  test('may go, or come back with another port, while it is not listened to', async () => {
    const { ring, id } = harness.guest(1)
    await harness.settle()
    setPaused(id, PAUSED_DEAF)
    ring.send(Buffer.from('x'))
    await harness.settle()
    harness.rings.detach(id)
    expect(harness.loopback.leftovers()).toEqual({ mappings: 0, bindings: 0 })
    const next = harness.guest(2)
    expect(next.id).toBe(id)
    next.ring.send(Buffer.from('another'))
    await harness.until(() => printed(id) === 'another')
  })
})

describe('a console ring that is drained', () => {
  const emptied = (id: ConnectionId): number =>
    harness.of(id).filter(({ type: kind }) => kind === BATCH_EMPTIED).length

  test('gives what was not told of, then says so, once', async () => {
    const { ring, id } = harness.guest(1)
    await harness.settle()
    ring.put(Buffer.from('last words'))
    harness.rings.drain(id)
    await harness.until(() => emptied(id) === 1)
    expect(harness.of(id).map(({ type: kind }) => kind)).toEqual([BATCH_DATA, BATCH_EMPTIED])
    expect(printed(id)).toBe('last words')
    await harness.settle()
    expect(emptied(id)).toBe(1)
  })

  test.each([1, PAUSED_DEAF])('does so while it is held (%d), and is held still', async (held) => {
    const { ring, id } = harness.guest(1)
    await harness.settle()
    setPaused(id, held)
    ring.send(Buffer.from('last words'))
    await harness.settle()
    expect(printed(id)).toBe('')
    harness.rings.drain(id)
    await harness.until(() => emptied(id) === 1)
    expect(printed(id)).toBe('last words')
    ring.send(Buffer.from('more'))
    await harness.settle()
    expect(printed(id)).toBe('last words')
  })

  test('does so when it is empty, and when its indices cannot be', async () => {
    const empty = harness.guest(1)
    const broken = harness.guest(2)
    await harness.settle()
    broken.ring.setProducer(5000)
    harness.rings.drain(empty.id)
    harness.rings.drain(broken.id)
    await harness.until(() => emptied(empty.id) === 1 && emptied(broken.id) === 1)
    expect(printed(broken.id)).toBe('')
  })

  test('does so when the guest prints on for ever', async () => {
    const { ring, id } = harness.guest(1)
    await harness.settle()
    const full = Buffer.alloc(2048, 'f')
    harness.answer = ({ type: kind }) => {
      if (kind === BATCH_DATA) ring.put(full)
    }
    ring.put(full)
    harness.rings.drain(id)
    await harness.until(() => emptied(id) === 1)
    harness.answer = () => undefined
  })

  test('does so at once when nobody can wait for the loop', async () => {
    const { ring, id } = harness.guest(1)
    await harness.settle()
    ring.put(Buffer.from('last words'))
    harness.rings.drain(id)
    harness.rings.serveNow()
    expect(printed(id)).toBe('last words')
    expect(emptied(id)).toBe(1)
  })

  test('may be detached before', async () => {
    const { ring, id } = harness.guest(1)
    await harness.settle()
    ring.put(Buffer.from('x'))
    harness.rings.drain(id)
    harness.rings.detach(id)
    const next = harness.guest(2)
    expect(next.id).toBe(id)
    await harness.settle()
    expect(emptied(next.id)).toBe(0)
    expect(printed(next.id)).toBe('')
  })
})

describe('virqs', () => {
  test('come in a batch, each by its number', async () => {
    const own = new RingHarness({ virqs: [VIRQ_DOM_EXC, VIRQ_CON_RING] })
    own.loopback.fireVirq(VIRQ_CON_RING)
    await own.until(() => own.noted.length === 1)
    own.loopback.fireVirq(VIRQ_DOM_EXC)
    own.loopback.fireVirq(VIRQ_DOM_EXC)
    await own.until(() => own.noted.length >= 2)
    await own.settle()
    expect(own.noted.map(({ connection, type: kind, reqId }) => [connection, kind, reqId])).toEqual(
      [
        [-1, BATCH_VIRQ, VIRQ_CON_RING],
        [-1, BATCH_VIRQ, VIRQ_DOM_EXC],
        [-1, BATCH_VIRQ, VIRQ_DOM_EXC],
      ],
    )
    own.close()
  })

  test('one holder at a time', () => {
    const own = new RingHarness({ virqs: [VIRQ_DOM_EXC] })
    expect(() =>
      own.loopback.rings('console', {
        memory: own.memory,
        maxConnections: 1,
        maxQueuedBytes: 4096,
        virqs: [VIRQ_DOM_EXC],
      }),
    ).toThrow(expect.objectContaining({ op: 'evtchn_bind_virq', code: 'EEXIST' }))
    own.close()
  })
})
