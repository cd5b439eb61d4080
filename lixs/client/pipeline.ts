import { createConnection, type Socket } from 'node:net'
import { Decoder } from '../wire/decoder.ts'
import { Encoder } from '../wire/encoder.ts'
import { decodeErrno } from '../wire/errno.ts'
import { opName, XENSTORE_PAYLOAD_MAX, XS_ERROR, XS_WATCH_EVENT } from '../wire/ops.ts'
import type { Packet } from '../wire/packet.ts'
import type { Burst } from './burst.ts'
import {
  UnexpectedReply,
  XenstoreConnectionLost,
  XenstoreError,
  XenstoreUnreachable,
} from './errors.ts'

/** What is on its way until its replies come: a request, or a burst of them. */
interface Waiting {
  /** @returns was that the last reply it waits for? @throws UnexpectedReply */
  answer(packet: Packet): boolean
  lose(lost: XenstoreConnectionLost): void
}

/** One request, with a promise of its own. */
class WaitingRequest implements Waiting {
  readonly #type: number
  readonly #path: string | undefined
  readonly #resolve: (payload: Uint8Array) => void
  readonly #reject: (error: Error) => void
  readonly #missing: (() => void) | undefined

  /** @param missing called when the answer is ENOENT; undefined: that is an error like others */
  constructor(
    type: number,
    path: string | undefined,
    resolve: (payload: Uint8Array) => void,
    reject: (error: Error) => void,
    missing: (() => void) | undefined,
  ) {
    this.#type = type
    this.#path = path
    this.#resolve = resolve
    this.#reject = reject
    this.#missing = missing
  }

  answer(packet: Packet): boolean {
    if (packet.type === XS_ERROR) {
      const errno = decodeErrno(packet.payload)
      // An error with its stack costs 30 µs, and most nodes that are looked for are missing rightly.
      if (errno === 'ENOENT' && this.#missing !== undefined) this.#missing()
      else this.#reject(new XenstoreError(errno, opName(this.#type), this.#path))
    } else if (packet.type === this.#type) {
      this.#resolve(packet.payload)
    } else {
      throw new UnexpectedReply(packet.type, this.#type)
    }
    return true
  }

  lose(lost: XenstoreConnectionLost): void {
    this.#reject(lost)
  }
}

/**
 * One socket to the daemon, with any number of requests on their way.
 *
 * The daemon answers in the order of the requests, so the oldest one waiting owns the next reply.
 * Requests made in one turn of the event loop leave in one write.
 */
export class Pipeline {
  readonly #socket: Socket
  readonly #encoder = new Encoder()
  readonly #decoder = new Decoder()
  readonly #onEvent: (payload: Uint8Array) => void
  #waiting: Waiting[] = []
  /** Index of the oldest one still waiting; those before it are answered. */
  #oldest = 0
  #reqId = 0
  #isWriteDue = false
  #lost: XenstoreConnectionLost | undefined
  #isClosing = false
  /** Settles when the connection has ended: with undefined when we closed it. */
  readonly closed: Promise<XenstoreConnectionLost | undefined>

  /**
   * @param onEvent is given the payload of each watch event
   * @throws XenstoreUnreachable
   */
  static connect(socketPath: string, onEvent: (payload: Uint8Array) => void): Promise<Pipeline> {
    return new Promise((resolve, reject) => {
      const socket = createConnection(socketPath)
      const refuse = (error: NodeJS.ErrnoException): void => {
        reject(new XenstoreUnreachable(socketPath, error.code ?? error.message, { cause: error }))
      }
      socket.once('error', refuse)
      socket.once('connect', () => {
        socket.off('error', refuse)
        resolve(new Pipeline(socket, onEvent))
      })
    })
  }

  private constructor(socket: Socket, onEvent: (payload: Uint8Array) => void) {
    this.#socket = socket
    this.#onEvent = onEvent
    this.closed = new Promise((resolve) => {
      let cause: Error | undefined
      socket.on('error', (error) => {
        cause = error
      })
      socket.on('close', () => {
        this.#end(cause)
        resolve(this.#isClosing ? undefined : this.#lost)
      })
    })
    socket.on('data', (bytes) => this.#take(bytes))
  }

  /**
   * Sends a request whose payload is `parts`, one behind the other.
   *
   * @param path what the request is about, for the text of an error
   * @returns the payload of the reply, in memory of its own
   * @throws XenstoreError, also when the request is too long to be sent (E2BIG)
   * @throws XenstoreConnectionLost
   */
  request(
    type: number,
    txId: number,
    parts: readonly Uint8Array[],
    path?: string,
  ): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      this.#ask(type, txId, parts, path, resolve, reject, undefined)
    })
  }

  /** As `request`, for what may be missing. @returns undefined when the answer is ENOENT */
  requestIfThere(
    type: number,
    txId: number,
    parts: readonly Uint8Array[],
    path: string,
  ): Promise<Uint8Array | undefined> {
    return new Promise((resolve, reject) => {
      this.#ask(type, txId, parts, path, resolve, reject, () => resolve(undefined))
    })
  }

  /**
   * Sends a burst in one write.
   * @returns the burst, once all of it is answered
   * @throws XenstoreConnectionLost
   */
  send(burst: Burst): Promise<Burst> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost)
    this.#write() // what was asked before goes before
    this.#waiting.push(burst)
    this.#socket.write(burst.bytes)
    return burst.answered
  }

  /** Ends the connection; requests still on their way fail. */
  close(): void {
    this.#isClosing = true
    this.#socket.destroy()
  }

  #ask(
    type: number,
    txId: number,
    parts: readonly Uint8Array[],
    path: string | undefined,
    resolve: (payload: Uint8Array) => void,
    reject: (error: Error) => void,
    missing: (() => void) | undefined,
  ): void {
    if (this.#lost !== undefined) {
      reject(this.#lost)
      return
    }
    let length = 0
    for (const part of parts) length += part.length
    if (length > XENSTORE_PAYLOAD_MAX) {
      reject(new XenstoreError('E2BIG', opName(type), path))
      return
    }
    this.#reqId = (this.#reqId + 1) >>> 0
    this.#encoder.add(type, this.#reqId, txId, parts)
    this.#waiting.push(new WaitingRequest(type, path, resolve, reject, missing))
    if (this.#isWriteDue) return
    this.#isWriteDue = true
    process.nextTick(() => this.#write())
  }

  #write(): void {
    this.#isWriteDue = false
    if (this.#lost === undefined && !this.#encoder.isEmpty) this.#socket.write(this.#encoder.take())
  }

  #take(bytes: Uint8Array): void {
    try {
      for (const packet of this.#decoder.push(bytes)) this.#deliver(packet)
    } catch (error) {
      this.#socket.destroy(error instanceof Error ? error : new Error(String(error)))
    }
  }

  #deliver(packet: Packet): void {
    if (packet.type === XS_WATCH_EVENT) {
      this.#onEvent(packet.payload)
      return
    }
    const waiting = this.#waiting[this.#oldest]
    if (waiting === undefined) throw new Error(`${opName(packet.type)} without a request`)
    if (!waiting.answer(packet)) return
    this.#oldest++
    // Moved down only now and then: each request pays for it once on average.
    if (this.#oldest * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#oldest)
      this.#oldest = 0
    }
  }

  #end(cause: Error | undefined): void {
    const reason = this.#isClosing
      ? 'it was closed here'
      : (cause?.message ?? 'the daemon closed it')
    this.#lost =
      cause instanceof XenstoreConnectionLost
        ? cause
        : new XenstoreConnectionLost(reason, { cause })
    for (const waiting of this.#waiting.slice(this.#oldest)) waiting.lose(this.#lost)
    this.#waiting = []
    this.#oldest = 0
  }
}
