import type { Socket } from 'node:net'
import { ByteRing } from '../byte-ring.ts'
import type { GuestConsole } from '../console.ts'
import type { ConsoleViewer } from './audience.ts'

/** What may wait for a viewer that does not keep up; older bytes are left out. */
const WAITING_BYTES = 262_144

/**
 * One attached client. It never holds up the guest or another viewer: what its socket does not take
 * waits in a queue of its own, whose oldest bytes are dropped.
 */
export class Viewer implements ConsoleViewer {
  readonly #socket: Socket
  readonly #waiting = new ByteRing(WAITING_BYTES)
  /** The socket is full; `drain` follows. */
  #isFull = false
  #isEnding = false

  /** Shows the console from now on, its history first. */
  constructor(socket: Socket, console: GuestConsole, isReadOnly: boolean) {
    this.#socket = socket
    socket.on('drain', () => this.#showWaiting())
    socket.on('close', () => console.removeViewer(this))
    socket.on('data', (bytes: Buffer) => {
      if (!isReadOnly && !console.type(bytes)) socket.pause()
    })
    console.addViewer(this)
  }

  show(bytes: Buffer): void {
    if (this.#isFull) this.#waiting.append(bytes, 0, bytes.length)
    else this.#isFull = !this.#socket.write(bytes)
  }

  resumeTyping(): void {
    this.#socket.resume()
  }

  end(): void {
    this.#isEnding = true
    if (!this.#isFull) this.#socket.end()
  }

  #showWaiting(): void {
    this.#isFull = false
    const { dropped } = this.#waiting
    if (dropped > 0) {
      this.#socket.write(`\r\n[consoled: ${dropped} bytes left out, this reader was too slow]\r\n`)
    }
    if (this.#waiting.size > 0) this.#isFull = !this.#socket.write(this.#waiting.take())
    if (this.#isEnding && !this.#isFull) this.#socket.end()
  }
}
