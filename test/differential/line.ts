import { createConnection, type Socket } from 'node:net'
import { Decoder } from '../../lixs/wire/decoder.ts'
import { encodePacket } from '../../lixs/wire/encoder.ts'
import { opName, XENSTORE_PAYLOAD_MAX, XS_ERROR, XS_WATCH_EVENT } from '../../lixs/wire/ops.ts'
import type { Packet } from '../../lixs/wire/packet.ts'

/** A daemon that says nothing for so long will not answer. */
const PATIENCE_MS = 10_000

/** What is heard in place of a reply when there will be none. */
export const CLOSED = 'CLOSED'
export const SILENCE = 'SILENCE'

/**
 * One connection, spoken byte by byte: nothing is retried, nothing put right, no event held back.
 * Replies are text: the type, and the payload with `|` for NUL.
 */
export class Line {
  readonly #socket: Socket
  readonly #decoder = new Decoder()
  readonly #onEvent: (text: string) => void
  #reqId = 0
  #answer: ((text: string) => void) | undefined
  #expected: { readonly type: number; readonly txId: number } | undefined
  #isClosed = false

  /** @param onEvent is called with the payload of each watch event */
  static async open(path: string, onEvent: (text: string) => void): Promise<Line> {
    const socket = createConnection(path)
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    return new Line(socket, onEvent)
  }

  private constructor(socket: Socket, onEvent: (text: string) => void) {
    this.#socket = socket
    this.#onEvent = onEvent
    socket.on('data', (bytes) => {
      try {
        for (const packet of this.#decoder.push(bytes)) this.#take(packet)
      } catch (error) {
        onEvent(String(error))
        socket.destroy()
      }
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.#isClosed = true
      this.#say(CLOSED)
    })
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** @returns the reply, `CLOSED`, or `SILENCE` */
  request(type: number, txId: number, payload: string): Promise<string> {
    this.#reqId = (this.#reqId + 1) >>> 0
    const bytes = Buffer.from(payload.replaceAll('|', '\0'), 'latin1')
    return this.#send(type, txId, encodePacket(type, this.#reqId, txId, bytes))
  }

  /** A header whose payload does not come. @returns what the daemon does about it */
  announce(length: number): Promise<string> {
    const header = encodePacket(2, 0, 0)
    header.writeUInt32LE(length, 12)
    return this.#send(2, 0, header)
  }

  /** Hangs up; settles when that is done. */
  close(): Promise<void> {
    if (this.#isClosed) return Promise.resolve()
    return new Promise((resolve) => {
      this.#socket.once('close', () => resolve())
      this.#socket.destroy()
    })
  }

  #send(type: number, txId: number, bytes: Buffer): Promise<string> {
    if (this.#isClosed) return Promise.resolve(CLOSED)
    return new Promise<string>((resolve) => {
      const timer = setTimeout(() => this.#say(SILENCE), PATIENCE_MS)
      this.#expected = { type, txId }
      this.#answer = (text) => {
        clearTimeout(timer)
        resolve(text)
      }
      this.#socket.write(bytes)
    })
  }

  #say(text: string): void {
    const answer = this.#answer
    this.#answer = undefined
    answer?.(text)
  }

  #take({ type, reqId, txId, payload }: Packet): void {
    const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.length)
    const text = bytes.toString('latin1').replaceAll('\0', '|')
    const long = payload.length > XENSTORE_PAYLOAD_MAX ? ' (too long)' : ''
    if (type === XS_WATCH_EVENT) {
      this.#onEvent(`${text}${long}${reqId === 0 && txId === 0 ? '' : ' (with ids)'}`)
      return
    }
    const expected = this.#expected
    const name = type === XS_ERROR ? 'ERROR' : opName(type)
    const isOurs = expected !== undefined && this.#answer !== undefined
    const hasIds = isOurs && reqId === this.#reqId && txId === expected.txId
    const hasType = isOurs && (type === expected.type || type === XS_ERROR)
    const odd = `${hasIds ? '' : ' (other ids)'}${hasType ? '' : ' (other type)'}${long}`
    if (isOurs) this.#say(`${name} ${text}${odd}`)
    else this.#onEvent(`a reply to nothing: ${name} ${text}`)
  }
}
