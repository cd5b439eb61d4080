/** A client of the store's socket whose reading can be held back. */
import { createConnection, type Socket } from 'node:net'
import { decode, type WireMessage } from './guest-ring.ts'

export class SocketPeer {
  readonly socket: Socket
  readonly received: WireMessage[] = []
  isClosed = false
  #rest = Buffer.alloc(0)

  static async connect(path: string, allowHalfOpen = false): Promise<SocketPeer> {
    const socket = createConnection({ path, allowHalfOpen })
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    return new SocketPeer(socket)
  }

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (bytes) => {
      const { messages, rest } = decode(Buffer.concat([this.#rest, bytes]))
      this.received.push(...messages)
      this.#rest = Buffer.from(rest)
    })
    socket.on('close', () => {
      this.isClosed = true
    })
    socket.on('error', () => {
      this.isClosed = true
    })
  }

  send(bytes: Uint8Array): void {
    this.socket.write(bytes)
  }

  /** Stops reading: what the daemon sends stays in the socket's buffer, then in its queue. */
  hold(): void {
    this.socket.pause()
  }

  release(): void {
    this.socket.resume()
  }

  close(): void {
    this.socket.destroy()
  }
}
