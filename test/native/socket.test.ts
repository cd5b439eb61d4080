import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fc, test as property } from '@fast-check/vitest'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  BATCH_CLOSED,
  BATCH_DRAINED,
  BATCH_OPENED,
  CONNECTION_KIND,
  CONNECTION_MAX_OUTSTANDING,
  CONNECTION_MAX_QUEUED_EVENTS,
  CONNECTION_PAUSED,
  CONNECTION_QUEUED_BYTES,
  CONNECTION_QUEUED_EVENTS,
  CONNECTION_WORDS,
  type ConnectionId,
  OUTPUT_COALESCE,
  OUTPUT_EVENT,
} from '../../native/ring-set.ts'
import { encode } from './guest-ring.ts'
import { RingHarness } from './ring-harness.ts'
import { SocketPeer } from './socket-peer.ts'

const READ = 2
const EVENT = 15

let folder: string
let path: string
let harness: RingHarness
const peers: SocketPeer[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'xcl-socket-'))
  path = join(folder, 'socket')
  harness = new RingHarness({ maxConnections: 16 })
  harness.rings.listen(path)
})

afterEach(() => {
  for (const peer of peers.splice(0)) peer.close()
  harness.close()
  rmSync(folder, { recursive: true })
})

async function connect(allowHalfOpen = false): Promise<{ peer: SocketPeer; id: ConnectionId }> {
  const opened = () => harness.noted.filter((record) => record.type === BATCH_OPENED)
  const before = opened().length
  const peer = await SocketPeer.connect(path, allowHalfOpen)
  peers.push(peer)
  await harness.until(() => opened().length > before)
  return { peer, id: opened().at(-1)?.connection ?? (0 as ConnectionId) }
}

function word(id: ConnectionId, index: number): number {
  return harness.rings.connections[id * CONNECTION_WORDS + index] as number
}

function setWord(id: ConnectionId, index: number, value: number): void {
  harness.rings.connections[id * CONNECTION_WORDS + index] = value
}

/** Answers every request with its own payload, and detaches who has gone. */
function echo(own = harness): void {
  own.answer = (record) => {
    if (record.type >= 0) own.send(record.connection, record.type, record.payload, 0, record.reqId)
    if (record.type === BATCH_CLOSED) own.rings.detach(record.connection)
  }
}

/** Two requests at once, a descriptor with the first: the kernel ends what is read between them. */
const SENDS_A_DESCRIPTOR = `
  // Node's own sockets cannot pass descriptors but between Node's processes.
  const { Pipe, PipeConnectWrap, constants } = process.binding('pipe_wrap')
  const { WriteWrap } = process.binding('stream_wrap')
  const peer = new Pipe(constants.IPC)
  const send = (reqId, descriptor) => {
    const request = Buffer.from(new Uint32Array([2, reqId, 0, 0]).buffer).toString('latin1')
    const status = peer.writeLatin1String(new WriteWrap(), request, descriptor)
    if (status !== 0) throw new Error('cannot send: ' + status)
  }
  const connecting = new PipeConnectWrap()
  connecting.oncomplete = () => undefined
  peer.connect(connecting, process.argv[1])
  process.stdin.once('data', () => {
    send(1, peer)
    send(2)
    console.log('sent')
  })`

/** More than the socket's buffers hold. */
function fillSocket(id: ConnectionId): void {
  for (let i = 0; i < 200; i++) harness.send(id, READ, Buffer.alloc(4000, i), 0, i)
  harness.rings.flush()
}

describe('listening', () => {
  test('only the owner may connect', () => {
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  test('a file that nobody serves is replaced', () => {
    const stale = join(folder, 'stale')
    writeFileSync(stale, '')
    const own = new RingHarness()
    own.rings.listen(stale)
    expect(statSync(stale).isSocket()).toBe(true)
    own.close()
  })

  test('a socket that is served is left alone', async () => {
    const own = new RingHarness()
    expect(() => own.rings.listen(path)).toThrow(
      expect.objectContaining({ op: 'listen', code: 'EADDRINUSE' }),
    )
    own.close()
    expect((await connect()).id).toBeGreaterThan(0)
  })

  test('a socket that another program serves is left alone', async () => {
    const other = join(folder, 'other')
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(other, resolve))
    expect(() => harness.rings.listen(other)).toThrow(
      expect.objectContaining({ code: 'EADDRINUSE' }),
    )
    await new Promise((resolve) => server.close(resolve))
  })

  test('a folder that is not there', () => {
    expect(() => harness.rings.listen(join(folder, 'no', 'socket'))).toThrow(
      expect.objectContaining({ op: 'bind', code: 'ENOENT' }),
    )
  })

  test('who finds no id free waits until one is', async () => {
    const first = await Promise.all(Array.from({ length: 16 }, () => SocketPeer.connect(path)))
    peers.push(...first)
    const opened = () => harness.noted.filter((record) => record.type === BATCH_OPENED).length
    await harness.until(() => opened() === 16)
    echo()
    const late = await SocketPeer.connect(path)
    peers.push(late)
    late.send(encode(READ, 9, 0, Buffer.from('late')))
    await harness.settle(20)
    expect(opened()).toBe(16)
    first[3]?.close()
    await harness.until(() => late.received.length === 1)
    expect(late.received[0]).toMatchObject({ reqId: 9 })
  })
})

describe('requests', () => {
  test('a request and its reply', async () => {
    const { peer, id } = await connect()
    echo()
    peer.send(encode(READ, 7, 3, Buffer.from('/a\0')))
    await harness.until(() => peer.received.length === 1)
    expect(peer.received[0]).toMatchObject({ type: READ, reqId: 7 })
    expect(harness.of(id).at(-1)).toMatchObject({ type: READ, reqId: 7, txId: 3 })
  })

  test('a request in pieces of one byte', async () => {
    const { peer } = await connect()
    echo()
    for (const byte of encode(READ, 7, 0, Buffer.from('/local/domain/0\0'))) {
      peer.send(Buffer.of(byte))
      await harness.settle(1)
    }
    await harness.until(() => peer.received.length === 1)
    expect(Buffer.from(peer.received[0]?.payload ?? '').toString()).toBe('/local/domain/0\0')
  })

  test('a thousand requests in one write, answered in order', async () => {
    const { peer } = await connect()
    echo()
    const wire = Array.from({ length: 1000 }, (_, i) =>
      encode(READ, i, 0, Buffer.alloc(i % 70, 'p')),
    )
    peer.send(Buffer.concat(wire))
    await harness.until(() => peer.received.length === 1000)
    expect(peer.received.map((reply) => reply.reqId)).toEqual(
      Array.from({ length: 1000 }, (_, i) => i),
    )
    expect(peer.received.every((reply) => reply.payload.length === reply.reqId % 70)).toBe(true)
  })

  test('two who pipeline take turns', async () => {
    const a = await connect()
    const b = await connect()
    for (const { peer } of [a, b]) {
      peer.send(
        Buffer.concat(Array.from({ length: 100 }, (_, i) => encode(READ, i, 0, Buffer.alloc(4)))),
      )
    }
    await harness.until(() => harness.of(b.id).length === 101 && harness.of(a.id).length === 101)
    for (let batch = 1; batch <= harness.batches; batch++) {
      const ofBatch = (id: ConnectionId) =>
        harness.of(id).filter((record) => record.batch === batch && record.type >= 0)
      expect(ofBatch(a.id).length).toBeLessThanOrEqual(32)
      expect(ofBatch(b.id).length).toBeLessThanOrEqual(32)
    }
  })

  test('the longest payload is taken, a longer one closes', async () => {
    const { peer, id } = await connect()
    echo()
    peer.send(encode(READ, 1, 0, Buffer.alloc(4096, 'm')))
    await harness.until(() => peer.received.length === 1)
    expect(peer.received[0]?.payload.length).toBe(4096)
    const long = encode(READ, 2, 0, Buffer.alloc(0))
    long.writeUInt32LE(4097, 12)
    peer.send(long)
    await harness.until(() => peer.isClosed)
    expect(harness.of(id).at(-1)?.type).toBe(BATCH_CLOSED)
    expect(harness.of(id).filter((record) => record.type === READ).length).toBe(1)
  })

  property.prop(
    [
      fc.array(fc.uint8Array({ maxLength: 400 }), { minLength: 1, maxLength: 30 }),
      fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 10 }),
    ],
    { numRuns: 30 },
  )('whatever the cuts, the stream arrives as sent and is answered', async (payloads, cuts) => {
    const { peer } = await connect()
    echo()
    const wire = Buffer.concat(payloads.map((payload, i) => encode(READ, i, 0, payload)))
    for (let at = 0, turn = 0; at < wire.length; turn++) {
      const cut = cuts[turn % cuts.length] ?? 1
      peer.send(wire.subarray(at, at + cut))
      at += cut
      await harness.settle(1)
    }
    await harness.until(() => peer.received.length === payloads.length)
    expect(peer.received.map((reply) => Buffer.from(reply.payload))).toEqual(
      payloads.map((p) => Buffer.from(p)),
    )
    peer.close()
    await harness.until(() => harness.noted.some((record) => record.type === BATCH_CLOSED))
    harness.noted.length = 0
  })
})

describe('a slow reader', () => {
  test('gets everything in the end, and DRAINED is told', async () => {
    const { peer, id } = await connect()
    peer.hold()
    fillSocket(id)
    expect(word(id, CONNECTION_QUEUED_BYTES)).toBeGreaterThan(0)
    peer.release()
    await harness.until(() => peer.received.length === 200)
    expect(peer.received.map((reply) => reply.reqId)).toEqual(
      Array.from({ length: 200 }, (_, i) => i),
    )
    expect(
      peer.received.every((reply) => reply.payload.every((byte) => byte === reply.reqId)),
    ).toBe(true)
    await harness.until(() => harness.of(id).at(-1)?.type === BATCH_DRAINED)
    expect(word(id, CONNECTION_QUEUED_BYTES)).toBe(0)
  })

  test('is not read from while too much is outstanding', async () => {
    const { peer, id } = await connect()
    setWord(id, CONNECTION_MAX_OUTSTANDING, 50)
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
    expect(word(id, CONNECTION_QUEUED_BYTES)).toBeLessThanOrEqual(50 * 4016)
    peer.release()
    await harness.until(() => peer.received.length === 1000)
  })

  test('does not get an event twice, and waiting events expire', async () => {
    const { peer, id } = await connect()
    peer.hold()
    fillSocket(id)
    const flags = OUTPUT_COALESCE | OUTPUT_EVENT
    harness.send(id, EVENT, Buffer.from('/a\0t\0'), flags)
    harness.send(id, EVENT, Buffer.from('/a\0t\0'), flags)
    harness.send(id, EVENT, Buffer.from('/b\0t\0'), flags)
    harness.rings.flush()
    expect(word(id, CONNECTION_QUEUED_EVENTS)).toBe(2)
    expect(harness.rings.expireEvents(id, 0)).toBe(0)
    expect(word(id, CONNECTION_QUEUED_EVENTS)).toBe(0)
    peer.release()
    await harness.until(() => peer.received.length === 200)
    await harness.settle()
    expect(peer.received.every((reply) => reply.type === READ)).toBe(true)
  })

  test('who is gone while much waits is closed', async () => {
    const { peer, id } = await connect()
    peer.hold()
    fillSocket(id)
    peer.close()
    await harness.until(() => harness.of(id).at(-1)?.type === BATCH_CLOSED)
    expect(word(id, CONNECTION_QUEUED_BYTES)).toBe(0)
  })

  test('is closed when no block is left, and another is served', async () => {
    const own = new RingHarness({ maxQueuedBytes: 65536 })
    const ownPath = join(folder, 'small')
    own.rings.listen(ownPath)
    const slow = await SocketPeer.connect(ownPath)
    const quick = await SocketPeer.connect(ownPath)
    peers.push(slow, quick)
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
    const { peer, id } = await connect()
    setWord(id, CONNECTION_MAX_QUEUED_EVENTS, 100)
    peer.hold()
    fillSocket(id)
    for (let i = 0; i < 100; i++) harness.send(id, EVENT, Buffer.from(`/${i}`), OUTPUT_EVENT)
    harness.rings.flush()
    expect(word(id, CONNECTION_QUEUED_EVENTS)).toBe(100)
    harness.send(id, EVENT, Buffer.from('one more'), OUTPUT_EVENT)
    harness.rings.flush()
    await harness.until(() => harness.of(id).at(-1)?.type === BATCH_CLOSED)
    expect(word(id, CONNECTION_QUEUED_BYTES)).toBe(0)
  })
})

test('bytes behind those that came with a descriptor are read, too', async () => {
  const sender = spawn(process.execPath, ['-e', SENDS_A_DESCRIPTOR, path], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  await harness.until(() => harness.noted.length === 1)
  const { connection } = harness.noted[0] ?? { connection: 0 as ConnectionId }
  setWord(connection, CONNECTION_PAUSED, 1)
  sender.stdin.write('go\n')
  await once(sender.stdout, 'data')
  setWord(connection, CONNECTION_PAUSED, 0)
  harness.rings.resume(connection)
  await harness.until(() => harness.of(connection).length === 3)
  sender.kill()
  await once(sender, 'close')
})

test('requests behind an urgent byte are read, too', async () => {
  const program = join(folder, 'urgent-sender')
  const source = join(import.meta.dirname, 'urgent-sender.c')
  execFileSync(process.env.CC ?? 'cc', ['-O2', '-Wall', '-o', program, source])
  const sender = spawn(program, [path], { stdio: ['pipe', 'pipe', 'inherit'] })
  await harness.until(() => harness.noted.length === 1)
  const { connection } = harness.noted[0] ?? { connection: 0 as ConnectionId }
  setWord(connection, CONNECTION_PAUSED, 1)
  sender.stdin.write('go\n')
  await once(sender.stdout, 'data')
  setWord(connection, CONNECTION_PAUSED, 0)
  harness.rings.resume(connection)
  await harness.until(() => harness.of(connection).length === 3)
  expect(
    harness
      .of(connection)
      .map(({ reqId }) => reqId)
      .slice(1),
  ).toEqual([1, 2])
  sender.stdin.end()
  await once(sender, 'close')
  expect(sender.exitCode).toBe(0)
})

describe('the end', () => {
  test('is told once, after the last request', async () => {
    const { peer, id } = await connect()
    peer.send(encode(READ, 1, 0, Buffer.alloc(0)))
    peer.socket.end()
    await harness.until(() => harness.of(id).at(-1)?.type === BATCH_CLOSED)
    await harness.settle(10)
    expect(harness.of(id).map((record) => record.type)).toEqual([BATCH_OPENED, READ, BATCH_CLOSED])
  })

  test('who closes only the sending half still gets every reply', async () => {
    const { peer } = await connect(true)
    harness.answer = (record) => {
      if (record.type >= 0)
        harness.send(record.connection, READ, Buffer.alloc(4000), 0, record.reqId)
      if (record.type === BATCH_CLOSED) harness.rings.detach(record.connection)
    }
    peer.hold()
    peer.send(
      Buffer.concat(Array.from({ length: 300 }, (_, i) => encode(READ, i, 0, Buffer.alloc(0)))),
    )
    peer.socket.end()
    await harness.settle(50)
    peer.release()
    await harness.until(() => peer.received.length === 300 && peer.isClosed)
  })

  test('in the middle of a request', async () => {
    const { peer, id } = await connect()
    peer.send(encode(READ, 1, 0, Buffer.alloc(100)).subarray(0, 40))
    await harness.settle()
    peer.close()
    await harness.until(() => harness.of(id).at(-1)?.type === BATCH_CLOSED)
    expect(harness.of(id).length).toBe(2)
  })

  test('a paused connection is told to have ended after resume', async () => {
    const { peer, id } = await connect()
    setWord(id, CONNECTION_PAUSED, 1)
    peer.close()
    await harness.settle(20)
    expect(harness.of(id).length).toBe(1)
    setWord(id, CONNECTION_PAUSED, 0)
    harness.rings.resume(id)
    await harness.until(() => harness.of(id).at(-1)?.type === BATCH_CLOSED)
  })

  test('detaching sends what was written before, then closes', async () => {
    const { peer, id } = await connect()
    harness.send(id, READ, Buffer.from('last words'))
    harness.rings.detach(id)
    expect(word(id, CONNECTION_KIND)).toBe(0)
    await harness.until(() => peer.isClosed)
    expect(Buffer.from(peer.received[0]?.payload ?? '').toString()).toBe('last words')
  })
})

describe('failures above', () => {
  test('a handler that throws ends the process unless somebody catches it, and the set serves on', () => {
    const program = `
      import { RingHarness } from './test/native/ring-harness.ts'
      const harness = new RingHarness()
      const { ring } = harness.guest(1)
      harness.answer = (record) => { if (record.reqId === 1) throw new Error('handler'); console.log('served', record.reqId); harness.close() }
      process.on('uncaughtException', (error) => {
        console.log('caught', error.message)
        ring.send(Buffer.from(new Uint32Array([2, 2, 0, 0]).buffer))
      })
      ring.send(Buffer.from(new Uint32Array([2, 1, 0, 0]).buffer))`
    const args = ['--import', 'tsx', '--input-type=module', '-e', program]
    expect(execFileSync(process.execPath, args, { encoding: 'utf8' })).toBe(
      'caught handler\nserved 2\n',
    )
  })

  test('a connection cannot be forged by a message type', async () => {
    const { peer, id } = await connect()
    const forged = encode(READ, 3, 0, Buffer.from('x'))
    forged.writeInt32LE(BATCH_CLOSED, 0)
    peer.send(Buffer.concat([forged, forged]))
    await harness.until(() => harness.of(id).length === 3)
    expect(
      harness
        .of(id)
        .slice(1)
        .every((record) => record.type > 0),
    ).toBe(true)
  })

  test('a closed set says so', () => {
    const own = new RingHarness()
    own.rings.close()
    own.rings.close()
    expect(() => own.rings.expireEvents(1 as ConnectionId, 0)).toThrow(
      expect.objectContaining({ code: 'EBADF' }),
    )
    own.close()
  })

  test('a set closed within a batch ends quietly', async () => {
    const own = new RingHarness()
    const { ring } = own.guest(1)
    own.answer = () => own.rings.close()
    ring.send(encode(READ, 1, 0, Buffer.alloc(0)))
    await own.until(() => own.batches === 1)
    await own.settle()
    expect(own.loopback.leftovers()).toEqual({ mappings: 0, bindings: 0 })
    own.close()
  })
})
