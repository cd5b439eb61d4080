/**
 * The trace: what is said at every connection, and what becomes of it, one line each.
 *
 * ```
 * 2026-11-22 18:10:58.123456 in  d7     WRITE #5 tx 3 data/x|value
 * 2026-11-22 18:10:58.123470 evt s12    /local/domain/7/data/x|token|
 * 2026-11-22 18:10:58.123481 out d7     WRITE #5 tx 3 OK|
 * 2026-11-22 18:10:58.123502 obj d7     transaction 3 committed
 * time (UTC)                 |   |      operation, request and transaction id, payload (| is a NUL)
 *                            |   domain's ring, or socket
 *                            switch: io (in, out, evt), obj, acc, tdb, wrl
 * ```
 *
 * Off, it costs one look at `isOn` per message.
 */
import type { Domid } from '../native/hypervisor.ts'
import { CONNECTION_DOMID, CONNECTION_KIND, CONNECTION_WORDS } from '../native/ring-set.ts'
import type { TraceOutput } from './trace-file.ts'
import { payloadText } from './trace-text.ts'
import {
  opName,
  XS_RESET_WATCHES,
  XS_TRANSACTION_END,
  XS_TRANSACTION_START,
  XS_UNWATCH,
  XS_WATCH,
} from './wire/ops.ts'

/** What can be traced, by upstream's names, and what of it is unless told. */
export const TRACE_SWITCHES = {
  obj: { isDefault: true, help: 'connections, domains, transactions and watches come and go' },
  io: { isDefault: true, help: 'requests, replies and events' },
  wrl: { isDefault: false, help: 'connections that have to wait for others' },
  acc: { isDefault: false, help: 'what a domain uses, when a request changed it' },
  tdb: { isDefault: false, help: 'what a request changed in the tables of the store' },
} as const
export type TraceSwitch = keyof typeof TRACE_SWITCHES
export const TRACE_NAMES = [
  'obj',
  'io',
  'wrl',
  'acc',
  'tdb',
] as const satisfies readonly TraceSwitch[]

/** A request, while it is in work. */
interface TracedRequest {
  readonly connection: number
  readonly who: { readonly domid: number }
  readonly type: number
  readonly reqId: number
  readonly txId: number
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
}

/** What the trace reads to name connections and to see what requests change. */
interface TracedTables {
  /** Of the ring set: kind and domid of each connection. */
  readonly connections: Int32Array
  readonly store: {
    readonly accounts: {
      usageOf(domid: Domid): object
      held(): object
    }
  }
}

const SOCKET = 1
const LETTER_T = 0x54
const WHO_COLUMNS = 6

export class Trace {
  /** Is anything traced? Asked once per message. */
  isOn = false
  readonly #output: TraceOutput
  readonly #nowMs: () => number
  readonly #switches = new Set<TraceSwitch>(
    TRACE_NAMES.filter((name) => TRACE_SWITCHES[name].isDefault),
  )
  #tables: TracedTables | undefined
  #usage: Figures = []
  #figures: Figures = []

  /** @param nowMs milliseconds since 1970, with fractions */
  constructor(output: TraceOutput, nowMs: () => number) {
    this.#output = output
    this.#nowMs = nowMs
  }

  /** The daemon's tables, made after the trace. */
  watch(tables: TracedTables): void {
    this.#tables = tables
  }

  // --- what is traced, and where

  /** The file that is, or would be, written to. */
  get file(): string | undefined {
    return this.#output.file
  }

  isSet(name: TraceSwitch): boolean {
    return this.#switches.has(name)
  }

  /** @param change `+io` or `-io`. @returns false when it is neither, of no switch */
  change(change: string): boolean {
    const name = TRACE_NAMES.find((known) => change === `+${known}` || change === `-${known}`)
    if (name === undefined) return false
    if (change.startsWith('+')) this.#switches.add(name)
    else this.#switches.delete(name)
    this.#settle()
    return true
  }

  /**
   * Begins, or goes on in another file.
   * @throws NodeJS.ErrnoException when it cannot be opened; then everything stays as it was
   */
  open(file?: string): void {
    this.#output.open(file)
    this.#settle()
  }

  close(): void {
    this.#output.close()
    this.#settle()
  }

  // --- what happens; callers ask `isOn` first

  /** A request is about to be handled. */
  request(request: TracedRequest): void {
    if (this.#switches.has('io')) {
      const { connection, bytes, start, end } = request
      const text = payloadText(bytes, start, end)
      this.#line('in ', connection, `${head(request, opName(request.type))} ${text}`)
    }
    this.#usage = this.#usageOf(request)
    this.#figures = this.#figuresOfStore()
  }

  /** Its reply was put together in `bytes[at … at + length)`. */
  reply(
    request: TracedRequest,
    isError: boolean,
    bytes: Uint8Array,
    at: number,
    length: number,
  ): void {
    if (request.type === XS_TRANSACTION_START && !isError) {
      this.object(
        request.connection,
        `transaction ${payloadText(bytes, at, at + length - 1)} started`,
      )
    }
    if (!this.#switches.has('io')) return
    const name = isError ? `ERROR(${opName(request.type)})` : opName(request.type)
    this.#line(
      'out',
      request.connection,
      `${head(request, name)} ${payloadText(bytes, at, at + length)}`,
    )
  }

  /** The request has been handled. @param isOk it was not answered with an error */
  handled(request: TracedRequest, isOk: boolean): void {
    const { connection } = request
    if (isOk && this.#switches.has('obj')) {
      const text = objectText(request)
      if (text !== undefined) this.#line('obj', connection, text)
    }
    if (this.#switches.has('acc')) {
      this.#changes('acc', connection, this.#usage, this.#usageOf(request))
    }
    if (this.#switches.has('tdb')) {
      this.#changes('tdb', connection, this.#figures, this.#figuresOfStore())
    }
  }

  /** An event leaves for a connection, or is dropped because the connection is behind. */
  event(
    connection: number,
    isDropped: boolean,
    path: Uint8Array,
    pathStart: number,
    pathEnd: number,
    token: Uint8Array,
    tokenStart: number,
    tokenEnd: number,
  ): void {
    if (!this.#switches.has('io')) return
    const text = `${payloadText(path, pathStart, pathEnd)}|${payloadText(token, tokenStart, tokenEnd)}|`
    this.#line('evt', connection, isDropped ? `(dropped) ${text}` : text)
  }

  /** Lines that somebody asked for. @returns false: nothing is open to write them to */
  report(lines: readonly string[]): boolean {
    if (!this.#output.isOpen) return false
    const time = timeText(this.#nowMs())
    for (const line of lines) this.#output.write(`${time} ${line}\n`)
    return true
  }

  /** Something became of a connection or its domain. @param text in our words, no guest's bytes */
  object(connection: number, text: string): void {
    if (this.#switches.has('obj')) this.#line('obj', connection, text)
  }

  /** A connection has to wait for others. @param text in our words, no guest's bytes */
  limit(connection: number, text: string): void {
    if (this.#switches.has('wrl')) this.#line('wrl', connection, text)
  }

  #settle(): void {
    this.isOn = this.#output.isOpen && this.#switches.size > 0
  }

  #line(kind: string, connection: number, text: string): void {
    const who = this.#nameOf(connection).padEnd(WHO_COLUMNS)
    this.#output.write(`${timeText(this.#nowMs())} ${kind} ${who} ${text}`.trimEnd().concat('\n'))
  }

  #nameOf(connection: number): string {
    const words = this.#tables?.connections
    const at = connection * CONNECTION_WORDS
    if (words === undefined || words[at + CONNECTION_KIND] === SOCKET) return `s${connection}`
    return `d${words[at + CONNECTION_DOMID]}`
  }

  #changes(kind: string, connection: number, before: Figures, after: Figures): void {
    const texts = after.map(([name, value], i) => {
      const delta = value - (before[i]?.[1] ?? 0)
      return delta === 0 ? '' : ` ${name} ${value} (${delta > 0 ? '+' : ''}${delta})`
    })
    const text = texts.join('').trim()
    if (text !== '') this.#line(kind, connection, text)
  }

  #usageOf({ who }: TracedRequest): Figures {
    if (!this.#switches.has('acc') || this.#tables === undefined) return []
    return figuresOf(this.#tables.store.accounts.usageOf(who.domid as Domid))
  }

  #figuresOfStore(): Figures {
    if (!this.#switches.has('tdb') || this.#tables === undefined) return []
    return figuresOf(this.#tables.store.accounts.held())
  }
}

type Figures = readonly (readonly [string, number])[]

function figuresOf(figures: object): Figures {
  return Object.entries(figures).filter(([, value]) => typeof value === 'number')
}

/** `WRITE #5 tx 3`: what is 0 is left out. */
function head({ reqId, txId }: TracedRequest, name: string): string {
  const request = reqId === 0 ? '' : ` #${reqId >>> 0}`
  return txId === 0 ? `${name}${request}` : `${name}${request} tx ${txId >>> 0}`
}

/** What a request that worked made or ended; undefined when nothing. */
function objectText({ type, txId, bytes, start, end }: TracedRequest): string | undefined {
  switch (type) {
    case XS_TRANSACTION_END:
      return `transaction ${txId >>> 0} ${bytes[start] === LETTER_T ? 'committed' : 'dropped'}`
    case XS_WATCH:
      return `watch added ${payloadText(bytes, start, end)}`
    case XS_UNWATCH:
      return `watch removed ${payloadText(bytes, start, end)}`
    case XS_RESET_WATCHES:
      return 'watches and transactions dropped'
    default:
      return undefined
  }
}

/** UTC, with microseconds. */
function timeText(ms: number): string {
  const whole = Math.floor(ms)
  const micros = String(Math.floor((ms - whole) * 1000)).padStart(3, '0')
  return `${new Date(whole).toISOString().replace('T', ' ').replace('Z', '')}${micros}`
}
