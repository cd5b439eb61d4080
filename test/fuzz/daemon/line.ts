/**
 * One connection to the daemon, a socket or a guest's ring behind its tap: keeps a window of requests open and
 * judges what comes back.
 *
 *   - each request is answered once, in order, with its own reqId and txId
 *   - a reply is of the request's type, or an ERROR with a name that there is; none is longer than allowed
 *   - an event is of a watch that the connection has, or had
 */
import { createConnection, type Socket } from 'node:net'
import {
  opName,
  XENSTORE_PAYLOAD_MAX,
  XS_CONTROL,
  XS_ERROR,
  XS_INTRODUCE,
  XS_IS_DOMAIN_INTRODUCED,
  XS_MKDIR,
  XS_RELEASE,
  XS_RESET_WATCHES,
  XS_RESUME,
  XS_RM,
  XS_SET_PERMS,
  XS_SET_TARGET,
  XS_TRANSACTION_END,
  XS_TRANSACTION_START,
  XS_UNWATCH,
  XS_WATCH,
  XS_WATCH_EVENT,
  XS_WRITE,
} from '../../../lixs/wire/ops.ts'
import { XS_ERRNOS } from '../../../lixs/xs-errno.ts'
import { isHarmless } from './harmless.ts'
import type { Random } from './random.ts'
import { RequestMaker } from './request-maker.ts'
import type { Samples } from './samples.ts'
import { Violation } from './violation.ts'
import { WatchLog } from './watch-log.ts'

const HEADER_BYTES = 16
/** Power of two. */
const WINDOW_MAX = 1024
const CHUNK_BYTES = 256 * 1024
const OPEN_TRANSACTIONS = 6
const OPEN_WATCHES = 20
/** Of a connection that hoards: more than a guest may have. */
const HOARDED_WATCHES = 140
const ERRNOS: ReadonlySet<string> = new Set(XS_ERRNOS)
const SAY_OK: ReadonlySet<number> = new Set([
  XS_WRITE,
  XS_MKDIR,
  XS_RM,
  XS_SET_PERMS,
  XS_WATCH,
  XS_UNWATCH,
  XS_TRANSACTION_END,
  XS_INTRODUCE,
  XS_RELEASE,
  XS_RESUME,
  XS_SET_TARGET,
  XS_RESET_WATCHES,
])
const PRIVILEGED: ReadonlySet<number> = new Set([
  XS_CONTROL,
  XS_INTRODUCE,
  XS_RELEASE,
  XS_IS_DOMAIN_INTRODUCED,
  XS_RESUME,
  XS_SET_TARGET,
])

export interface LineOptions {
  /** `socket 3`, `guest 31001`. */
  readonly name: string
  readonly kind: 'socket' | 'ring'
  /** Requests that may be unanswered. */
  readonly window: number
  readonly random: Random
  readonly samples: Samples
  /** Something was answered. */
  readonly onAnswers: () => void
  /** The first promise that was broken, and by whom. */
  readonly onViolation: (violation: Violation) => void
}

export class Line {
  /** Requests answered, and events. */
  answered = 0
  events = 0
  readonly name: string
  readonly #options: LineOptions
  readonly #socket: Socket
  readonly #maker: RequestMaker
  readonly #transactions: number[] = []
  readonly #watches: string[] = []
  readonly #watchesMax: number
  readonly #watched = new WatchLog()
  /** Of request n at n modulo WINDOW_MAX. */
  readonly #types = new Uint32Array(WINDOW_MAX)
  readonly #txIds = new Uint32Array(WINDOW_MAX)
  readonly #payloads: Buffer[] = new Array(WINDOW_MAX).fill(Buffer.alloc(0))
  #sent = 0
  #carry = Buffer.alloc(0)
  #chunk = Buffer.allocUnsafe(CHUNK_BYTES)
  #used = 0
  /** The rest of a request whose first bytes have left. */
  #rest: Buffer | undefined
  #isStopped = false
  #isEndExpected = false
  #isBroken = false
  #error: Error | undefined
  #wake: () => void = () => undefined

  private constructor(options: LineOptions, path: string) {
    this.name = options.name
    this.#options = options
    this.#watchesMax = options.random.once(4) ? HOARDED_WATCHES : OPEN_WATCHES
    this.#maker = new RequestMaker(options.random, options.samples.all)
    this.#socket = createConnection({
      path,
      // One buffer for all reads: nothing is kept of it.
      onread: {
        buffer: Buffer.alloc(65_536),
        callback: (count, buffer) => {
          this.#onBytes(Buffer.from(buffer.buffer, buffer.byteOffset, count))
          return true
        },
      },
    })
    this.#socket.on('error', (error) => {
      this.#error = error
    })
    this.#socket.on('close', () => this.#onClose())
  }

  static async open(path: string, options: LineOptions): Promise<Line> {
    const line = new Line(options, path)
    await new Promise<void>((resolve, reject) => {
      line.#socket.once('connect', resolve)
      line.#socket.once('error', reject)
    })
    return line
  }

  get pending(): number {
    return this.#sent - this.answered
  }

  get isClosed(): boolean {
    return this.#socket.closed
  }

  /** Sends requests until the window is full. */
  fill(): void {
    if (this.#isStopped || this.#isBroken || this.#rest !== undefined) return
    const { random, window } = this.#options
    if (this.pending > window / 2) return
    if (this.#chunk.length - this.#used < CHUNK_BYTES / 2) {
      this.#chunk = Buffer.allocUnsafe(CHUNK_BYTES)
      this.#used = 0
    }
    const from = this.#used
    let last = from
    while (this.pending < window && this.#used - from < 64 * 1024) {
      last = this.#used
      this.#add()
    }
    const bytes = this.#chunk.subarray(from, this.#used)
    if (bytes.length === 0) return
    if (!random.once(8)) {
      this.#socket.write(bytes)
      return
    }
    // The last request comes in two parts, whatever the first one is.
    const cut = last - from + random.below(this.#used - last)
    this.#socket.write(bytes.subarray(0, cut))
    this.#rest = bytes.subarray(cut)
    setImmediate(() => this.#sendRest())
  }

  /** No more requests; settles when all are answered. */
  async settle(): Promise<void> {
    this.#isStopped = true
    this.#sendRest()
    while (this.pending > 0 && !this.isClosed && !this.#isEndExpected && !this.#isBroken) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** Goes, whatever is unanswered. */
  async close(): Promise<void> {
    this.expectEnd()
    this.#socket.destroy()
    await this.ended()
  }

  /** The daemon or the machine will end the connection. */
  expectEnd(): void {
    this.#isStopped = this.#isEndExpected = true
  }

  async ended(): Promise<void> {
    if (!this.#socket.closed) await new Promise((resolve) => this.#socket.once('close', resolve))
  }

  /** Sends a header that no message may have: the daemon is to give this connection up. */
  breakProtocol(): void {
    this.#isStopped = true
    this.#sendRest()
    this.#isBroken = true
    const header = Buffer.alloc(HEADER_BYTES + 8)
    header.writeUInt32LE(XENSTORE_PAYLOAD_MAX + 1 + this.#options.random.next() / 2, 12)
    this.#socket.write(header)
  }

  #sendRest(): void {
    if (this.#rest === undefined) return
    this.#socket.write(this.#rest)
    this.#rest = undefined
    if (!this.#isStopped) this.fill()
  }

  #add(): void {
    const maker = this.#maker
    this.#closeSome()
    if (this.#watchesMax === HOARDED_WATCHES && this.#sent % 3 === 0) {
      const token = this.#sent % HOARDED_WATCHES
      this.#put(XS_WATCH, 0, Buffer.from(`hoard/${token}\0hoarded ${token}\0`, 'latin1'))
    }
    let payload: Buffer
    do {
      maker.make({ transactions: this.#transactions, watches: this.#watches })
      payload = maker.bytes.subarray(0, maker.length)
    } while (!isHarmless(maker.type, payload))
    this.#put(maker.type, maker.txId, payload)
  }

  /** What is open is closed again in time: no more than a client of its kind would have. */
  #closeSome(): void {
    if (this.#transactions.length >= OPEN_TRANSACTIONS) {
      const txId = this.#transactions.shift() ?? 0
      this.#put(XS_TRANSACTION_END, txId, Buffer.from(this.#options.random.once(4) ? 'F\0' : 'T\0'))
    }
    if (this.#watches.length >= this.#watchesMax) {
      const watch = this.#watches.shift() ?? ''
      this.#put(XS_UNWATCH, 0, Buffer.from(`${watch}\0`, 'latin1'))
    }
  }

  #put(type: number, txId: number, payload: Buffer): void {
    const chunk = this.#chunk
    const at = this.#used
    const place = this.#sent & (WINDOW_MAX - 1)
    chunk.writeUInt32LE(type, at)
    chunk.writeUInt32LE(this.#sent >>> 0, at + 4)
    chunk.writeUInt32LE(txId, at + 8)
    chunk.writeUInt32LE(payload.length, at + 12)
    payload.copy(chunk, at + HEADER_BYTES)
    this.#used = at + HEADER_BYTES + payload.length
    this.#types[place] = type
    this.#txIds[place] = txId
    this.#payloads[place] = chunk.subarray(at + HEADER_BYTES, this.#used)
    this.#sent++
  }

  #onBytes(fresh: Buffer): void {
    const bytes = this.#carry.length === 0 ? fresh : Buffer.concat([this.#carry, fresh])
    let at = 0
    while (bytes.length - at >= HEADER_BYTES) {
      const length = bytes.readUInt32LE(at + 12)
      if (length > XENSTORE_PAYLOAD_MAX) {
        this.#violated(`a message of ${length} bytes`)
        return
      }
      const end = at + HEADER_BYTES + length
      if (end > bytes.length) break
      this.#onMessage(bytes, at, bytes.subarray(at + HEADER_BYTES, end))
      at = end
    }
    this.#carry = at === bytes.length ? Buffer.alloc(0) : Buffer.from(bytes.subarray(at))
    if (this.pending === 0) this.#wake()
    this.fill()
    this.#options.onAnswers()
  }

  #onMessage(bytes: Buffer, at: number, payload: Buffer): void {
    const type = bytes.readUInt32LE(at)
    const reqId = bytes.readUInt32LE(at + 4)
    const txId = bytes.readUInt32LE(at + 8)
    if (type === XS_WATCH_EVENT) {
      this.#onEvent(reqId, txId, payload.toString('latin1'))
      return
    }
    if (this.pending === 0) {
      this.#violated(`${opName(type)} answers nothing that was asked`)
      return
    }
    const place = this.answered & (WINDOW_MAX - 1)
    const asked = this.#types[place] ?? 0
    const askedTxId = this.#txIds[place] ?? 0
    if (reqId !== this.answered >>> 0) {
      this.#violated(`${opName(type)} has reqId ${reqId}, due was ${this.answered}`)
    } else if (txId !== askedTxId) {
      this.#violated(`${opName(type)} has txId ${txId}, asked was ${askedTxId}`)
    } else if (type === XS_ERROR) {
      this.#onError(asked, payload)
    } else if (type !== asked) {
      this.#violated(`${opName(asked)} was answered with ${opName(type)}`)
    } else {
      this.#onSuccess(asked, askedTxId, this.#payloads[place] ?? payload, payload)
    }
    this.answered++
  }

  #onError(asked: number, payload: Buffer): void {
    const name = payload.toString('latin1', 0, payload.length - 1)
    if (!ERRNOS.has(name) || payload[payload.length - 1] !== 0) {
      this.#violated(`${opName(asked)} was answered with the error ${JSON.stringify(name)}`)
    }
    this.#keep(asked, name)
    if (asked !== XS_TRANSACTION_END || name === 'EINVAL') return
    forget(this.#transactions, this.#txIds[this.answered & (WINDOW_MAX - 1)] ?? 0)
  }

  #onSuccess(asked: number, txId: number, request: Buffer, payload: Buffer): void {
    if (this.#options.kind === 'ring' && PRIVILEGED.has(asked)) {
      this.#violated(`a guest was served ${opName(asked)}`)
    }
    if (SAY_OK.has(asked) && payload.toString('latin1') !== 'OK\0') {
      this.#violated(
        `${opName(asked)} was answered with ${JSON.stringify(payload.toString('latin1'))}`,
      )
    }
    this.#keep(asked, 'OK')
    switch (asked) {
      case XS_TRANSACTION_START:
        this.#transactions.push(Number(payload.toString('latin1', 0, payload.length - 1)))
        return
      case XS_TRANSACTION_END:
        forget(this.#transactions, txId)
        return
      case XS_WATCH: {
        const text = request.toString('latin1')
        const [path, token] = text.split('\0')
        this.#watched.add(text)
        this.#watches.push(`${path}\0${token}`)
        return
      }
      case XS_UNWATCH:
        forget(this.#watches, request.toString('latin1', 0, request.length - 1))
        return
      case XS_RESET_WATCHES:
        this.#watches.length = this.#transactions.length = 0
    }
  }

  #onEvent(reqId: number, txId: number, payload: string): void {
    this.events++
    if (reqId !== 0 || txId !== 0) this.#violated('an event has a reqId or txId')
    if (!this.#watched.explains(payload)) {
      this.#violated(`an event ${JSON.stringify(payload)} of no watch`)
    }
  }

  #keep(type: number, result: string): void {
    const place = this.answered & (WINDOW_MAX - 1)
    const { samples, kind } = this.#options
    samples.add(type, kind, result, this.#payloads[place] ?? Buffer.alloc(0))
  }

  #onClose(): void {
    this.#wake()
    if (this.#isEndExpected) return
    if (!this.#isBroken)
      this.#violated(`the connection was closed: ${this.#error?.message ?? 'end'}`)
    else if (this.pending > 0) this.#violated(`closed with ${this.pending} requests unanswered`)
  }

  #violated(what: string): void {
    const recent: string[] = []
    for (let back = 4; back >= -1; back--) {
      const n = this.answered - back
      if (n < 0 || n >= this.#sent) continue
      const place = n & (WINDOW_MAX - 1)
      const payload = JSON.stringify(this.#payloads[place]?.toString('latin1', 0, 200))
      recent.push(`${n}: ${opName(this.#types[place] ?? 0)} tx ${this.#txIds[place]} ${payload}`)
    }
    this.#isStopped = true
    const sentence = `${this.name}: ${what}; around it:\n  ${recent.join('\n  ')}`
    this.#options.onViolation(new Violation(sentence))
  }
}

function forget<T>(list: T[], one: T): void {
  const place = list.indexOf(one)
  if (place >= 0) list.splice(place, 1)
}
