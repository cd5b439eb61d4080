import { execFileSync } from 'node:child_process'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  BATCH_CLOSED,
  BATCH_OPENED,
  CONNECTION_KIND,
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

describe('the end', () => {
  test('is told once, after the last request', async () => {
    const { peer, id } = await host.connect()
    peer.send(encode(READ, 1, 0, Buffer.alloc(0)))
    peer.socket.end()
    await harness.until(() => harness.of(id).at(-1)?.type === BATCH_CLOSED)
    await harness.settle(10)
    expect(harness.of(id).map((record) => record.type)).toEqual([BATCH_OPENED, READ, BATCH_CLOSED])
  })

  test('who closes only the sending half still gets every reply', async () => {
    const { peer } = await host.connect(true)
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
    const { peer, id } = await host.connect()
    peer.send(encode(READ, 1, 0, Buffer.alloc(100)).subarray(0, 40))
    await harness.settle()
    peer.close()
    await harness.until(() => harness.of(id).at(-1)?.type === BATCH_CLOSED)
    expect(harness.of(id).length).toBe(2)
  })

  test('a paused connection is told to have ended after resume', async () => {
    const { peer, id } = await host.connect()
    host.setWord(id, CONNECTION_PAUSED, 1)
    peer.close()
    await harness.settle(20)
    expect(harness.of(id).length).toBe(1)
    host.setWord(id, CONNECTION_PAUSED, 0)
    harness.rings.resume(id)
    await harness.until(() => harness.of(id).at(-1)?.type === BATCH_CLOSED)
  })

  test('detaching sends what was written before, then closes', async () => {
    const { peer, id } = await host.connect()
    harness.send(id, READ, Buffer.from('last words'))
    harness.rings.detach(id)
    expect(host.word(id, CONNECTION_KIND)).toBe(0)
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
    const { peer, id } = await host.connect()
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
