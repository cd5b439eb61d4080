/** A ring set that listens on a socket in a folder of the test's own, and those who connect to it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  BATCH_CLOSED,
  BATCH_OPENED,
  CONNECTION_WORDS,
  type ConnectionId,
} from '../../native/ring-set.ts'
import { RingHarness } from './ring-harness.ts'
import { SocketPeer } from './socket-peer.ts'

/** The type of the requests and replies that are sent here. */
export const READ = 2

export class SocketHost {
  readonly folder = mkdtempSync(join(tmpdir(), 'xcl-socket-'))
  readonly path = join(this.folder, 'socket')
  readonly harness = new RingHarness({ maxConnections: 16 })
  readonly #peers: SocketPeer[] = []

  constructor() {
    this.harness.rings.listen(this.path)
  }

  /** Settles when the ring set knows it. */
  async connect(allowHalfOpen = false): Promise<{ peer: SocketPeer; id: ConnectionId }> {
    const opened = () => this.harness.noted.filter((record) => record.type === BATCH_OPENED)
    const before = opened().length
    const peer = await this.peer(this.path, allowHalfOpen)
    await this.harness.until(() => opened().length > before)
    return { peer, id: opened().at(-1)?.connection ?? (0 as ConnectionId) }
  }

  /** Connected, as far as it can tell itself. */
  async peer(path = this.path, allowHalfOpen = false): Promise<SocketPeer> {
    const peer = await SocketPeer.connect(path, allowHalfOpen)
    this.#peers.push(peer)
    return peer
  }

  word(id: ConnectionId, index: number): number {
    return this.harness.rings.connections[id * CONNECTION_WORDS + index] as number
  }

  setWord(id: ConnectionId, index: number, value: number): void {
    this.harness.rings.connections[id * CONNECTION_WORDS + index] = value
  }

  /** Answers every request with its own payload, and detaches who has gone. */
  echo(): void {
    const { harness } = this
    harness.answer = (record) => {
      if (record.type >= 0) {
        harness.send(record.connection, record.type, record.payload, 0, record.reqId)
      }
      if (record.type === BATCH_CLOSED) harness.rings.detach(record.connection)
    }
  }

  /** Sends 200 messages: more than the socket's buffers hold. */
  fill(id: ConnectionId): void {
    for (let i = 0; i < 200; i++) this.harness.send(id, READ, Buffer.alloc(4000, i), 0, i)
    this.harness.rings.flush()
  }

  close(): void {
    for (const peer of this.#peers) peer.close()
    this.harness.close()
    rmSync(this.folder, { recursive: true })
  }
}
