import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { fc, test as property } from '@fast-check/vitest'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  BATCH_CLOSED,
  BATCH_OPENED,
  CONNECTION_PAUSED,
  type ConnectionId,
} from '../../native/ring-set.ts'
import { encode } from './guest-ring.ts'
import { RingHarness } from './ring-harness.ts'
import { READ, SocketHost } from './socket-host.ts'

let host: SocketHost
let harness: RingHarness

beforeEach(() => {
  host = new SocketHost()
  harness = host.harness
})
afterEach(() => host.close())

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

describe('listening', () => {
  test('only the owner may connect', () => {
    expect(statSync(host.path).mode & 0o777).toBe(0o600)
  })

  test('a file that nobody serves is replaced', () => {
    const stale = join(host.folder, 'stale')
    writeFileSync(stale, '')
    const own = new RingHarness()
    own.rings.listen(stale)
    expect(statSync(stale).isSocket()).toBe(true)
    own.close()
  })

  test('a socket that is served is left alone', async () => {
    const own = new RingHarness()
    expect(() => own.rings.listen(host.path)).toThrow(
      expect.objectContaining({ op: 'listen', code: 'EADDRINUSE' }),
    )
    own.close()
    expect((await host.connect()).id).toBeGreaterThan(0)
  })

  test('a socket that another program serves is left alone', async () => {
    const other = join(host.folder, 'other')
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(other, resolve))
    expect(() => harness.rings.listen(other)).toThrow(
      expect.objectContaining({ code: 'EADDRINUSE' }),
    )
    await new Promise((resolve) => server.close(resolve))
  })

  test('a folder that is not there', () => {
    expect(() => harness.rings.listen(join(host.folder, 'no', 'socket'))).toThrow(
      expect.objectContaining({ op: 'bind', code: 'ENOENT' }),
    )
  })

  test('who finds no id free waits until one is', async () => {
    const first = await Promise.all(Array.from({ length: 16 }, () => host.peer()))
    const opened = () => harness.noted.filter((record) => record.type === BATCH_OPENED).length
    await harness.until(() => opened() === 16)
    host.echo()
    const late = await host.peer()
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
    const { peer, id } = await host.connect()
    host.echo()
    peer.send(encode(READ, 7, 3, Buffer.from('/a\0')))
    await harness.until(() => peer.received.length === 1)
    expect(peer.received[0]).toMatchObject({ type: READ, reqId: 7 })
    expect(harness.of(id).at(-1)).toMatchObject({ type: READ, reqId: 7, txId: 3 })
  })

  test('a request in pieces of one byte', async () => {
    const { peer } = await host.connect()
    host.echo()
    for (const byte of encode(READ, 7, 0, Buffer.from('/local/domain/0\0'))) {
      peer.send(Buffer.of(byte))
      await harness.settle(1)
    }
    await harness.until(() => peer.received.length === 1)
    expect(Buffer.from(peer.received[0]?.payload ?? '').toString()).toBe('/local/domain/0\0')
  })

  test('a thousand requests in one write, answered in order', async () => {
    const { peer } = await host.connect()
    host.echo()
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
    const a = await host.connect()
    const b = await host.connect()
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
    const { peer, id } = await host.connect()
    host.echo()
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
    const { peer } = await host.connect()
    host.echo()
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

describe('what the kernel gives in two reads is read to its end', () => {
  test('behind a descriptor', async () => {
    const sender = await sentWhilePaused(process.execPath, ['-e', SENDS_A_DESCRIPTOR, host.path])
    sender.kill()
    await once(sender, 'close')
  })

  test('behind an urgent byte', async () => {
    const program = join(host.folder, 'urgent-sender')
    const source = join(import.meta.dirname, 'urgent-sender.c')
    execFileSync(process.env.CC ?? 'cc', ['-O2', '-Wall', '-o', program, source])
    const sender = await sentWhilePaused(program, [host.path])
    sender.stdin.end()
    await once(sender, 'close')
    expect(sender.exitCode).toBe(0)
  })

  /** Runs a program that sends two requests when it is told to; reading begins after it has sent both. */
  async function sentWhilePaused(
    program: string,
    args: readonly string[],
  ): Promise<ChildProcessByStdio<Writable, Readable, null>> {
    const sender = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    await harness.until(() => harness.noted.length === 1)
    const { connection } = harness.noted[0] ?? { connection: 0 as ConnectionId }
    host.setWord(connection, CONNECTION_PAUSED, 1)
    sender.stdin.write('go\n')
    await once(sender.stdout, 'data')
    host.setWord(connection, CONNECTION_PAUSED, 0)
    harness.rings.resume(connection)
    await harness.until(() => harness.of(connection).length === 3)
    const [, ...requests] = harness.of(connection)
    expect(requests.map(({ reqId }) => reqId)).toEqual([1, 2])
    return sender
  }
})
