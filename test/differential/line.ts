import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { Decoder } from '../../lixs/wire/decoder.ts'
import { Encoder, encodePacket } from '../../lixs/wire/encoder.ts'
import {
  opName,
  XENSTORE_PAYLOAD_MAX,
  XS_ERROR,
  XS_GET_DOMAIN_PATH,
  XS_WATCH,
  XS_WATCH_EVENT,
} from '../../lixs/wire/ops.ts'
import type { Packet } from '../../lixs/wire/packet.ts'

/** A daemon that says nothing for so long will not answer. */
const PATIENCE_MS = 20_000

/** What is heard in place of a reply when there will be none. */
export const CLOSED = 'CLOSED'
export const SILENCE = 'SILENCE'

interface Expected {
  readonly type: number
  readonly txId: number
  readonly reqId: number
  readonly answer: (text: string) => void
}

/**
 * One connection, spoken byte by byte: nothing is retried, nothing put right, no event held back.
 * Replies are text: the type, and the payload with `|` for NUL.
 *
 * Of a daemon that replies first, a reply is kept until the next one comes, so that it is heard behind
 * the events that its request has caused, as of other daemons. What is sent together ends with a request
 * more, whose reply says that these are all. (The first event of a watch comes behind the reply everywhere.)
 */
export class Line {
  readonly #socket: Socket
  readonly #decoder = new Decoder()
  readonly #encoder = new Encoder()
  readonly #onEvent: (text: string) => void
  readonly #repliesFirst: boolean
  readonly #expected: Expected[] = []
  /** Tells the reply that is kept. */
  #tellKept: (() => void) | undefined
  #reqId = 0
  #isClosed = false
  #onAnswered: (() => void) | undefined

  /**
   * @param onEvent is called with the payload of each watch event
   * @param repliesFirst does the daemon reply before it tells of the events of a request?
   */
  static async open(
    path: string,
    onEvent: (text: string) => void,
    repliesFirst = false,
  ): Promise<Line> {
    for (;;) {
      const socket = createConnection(path)
      try {
        await once(socket, 'connect')
        return new Line(socket, onEvent, repliesFirst)
      } catch (error) {
        // A daemon that keeps one caller waiting at most sends the next one away.
        if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error
        await setImmediate()
      }
    }
  }

  private constructor(socket: Socket, onEvent: (text: string) => void, repliesFirst: boolean) {
    this.#socket = socket
    this.#onEvent = onEvent
    this.#repliesFirst = repliesFirst
    socket.on('data', (bytes) => this.#hear(bytes))
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.#isClosed = true
      this.#giveUp(CLOSED)
    })
  }

  /** Puts a request behind the others that leave with the next `flush`. */
  add(type: number, txId: number, payload: string, answer: (text: string) => void): void {
    this.#reqId = (this.#reqId + 1) >>> 0
    const bytes = Buffer.from(payload.replaceAll('|', '\0'), 'latin1')
    this.#encoder.add(type, this.#reqId, txId, [bytes])
    this.#expected.push({ type, txId, reqId: this.#reqId, answer })
  }

  /** Puts a header whose payload does not come behind the requests. */
  addHeader(length: number, answer: (text: string) => void): void {
    const header = encodePacket(2, 0, 0)
    header.writeUInt32LE(length, 12)
    this.#encoder.addBytes(header)
    this.#expected.push({ type: 2, txId: 0, reqId: 0, answer })
  }

  /** Sends what was added; settles when all of it is answered, or will not be. */
  flush(): Promise<void> {
    if (this.#repliesFirst && this.#expected.length > 0) {
      this.add(XS_GET_DOMAIN_PATH, 0, '0|', () => undefined)
    }
    const bytes = this.#encoder.take()
    if (this.#isClosed) this.#giveUp(CLOSED)
    if (this.#expected.length === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#giveUp(SILENCE), PATIENCE_MS)
      this.#onAnswered = () => {
        clearTimeout(timer)
        resolve()
      }
      this.#socket.write(bytes)
    })
  }

  /** One request by itself. @returns the reply, `CLOSED`, or `SILENCE` */
  async request(type: number, txId: number, payload: string): Promise<string> {
    let reply = ''
    this.add(type, txId, payload, (text) => {
      reply = text
    })
    await this.flush()
    return reply
  }

  /** Hangs up; settles when that is done. */
  close(): Promise<void> {
    if (this.#isClosed) return Promise.resolve()
    return new Promise((resolve) => {
      this.#socket.once('close', () => resolve())
      this.#socket.destroy()
    })
  }

  #giveUp(text: string): void {
    this.#releaseKept()
    for (const { answer } of this.#expected.splice(0)) answer(text)
    this.#settle()
  }

  #answer({ type, answer }: Expected, text: string): void {
    this.#releaseKept()
    if (this.#repliesFirst && type !== XS_WATCH && this.#expected.length > 0) {
      this.#tellKept = () => answer(text)
    } else answer(text)
  }

  #releaseKept(): void {
    const tell = this.#tellKept
    this.#tellKept = undefined
    tell?.()
  }

  #settle(): void {
    const tell = this.#onAnswered
    this.#onAnswered = undefined
    tell?.()
  }

  #hear(fragment: Uint8Array): void {
    try {
      for (const packet of this.#decoder.push(fragment)) this.#take(packet)
    } catch (error) {
      this.#onEvent(String(error))
      this.#socket.destroy()
    }
  }

  #take({ type, reqId, txId, payload }: Packet): void {
    const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.length)
    const text = bytes.toString('latin1').replaceAll('\0', '|')
    const long = payload.length > XENSTORE_PAYLOAD_MAX ? ' (too long)' : ''
    if (type === XS_WATCH_EVENT) {
      this.#onEvent(`${text}${long}${reqId === 0 && txId === 0 ? '' : ' (with ids)'}`)
      return
    }
    const expected = this.#expected.shift()
    const name = type === XS_ERROR ? 'ERROR' : opName(type)
    if (expected === undefined) {
      this.#onEvent(`a reply to nothing: ${name} ${text}`)
      return
    }
    const hasIds = reqId === expected.reqId && txId === expected.txId
    const hasType = type === expected.type || type === XS_ERROR
    const odd = `${hasIds ? '' : ' (other ids)'}${hasType ? '' : ' (other type)'}${long}`
    this.#answer(expected, `${name} ${text}${odd}`)
    if (this.#expected.length === 0) this.#settle()
  }
}
