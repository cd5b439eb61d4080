/**
 * The way to systemd's journal: entries in its native protocol, one datagram each.
 *
 * ```
 *   add(entry) ─► bytes, back to back ─► flush(), once a batch: one system call ─► journald
 *                 at most MAX_BYTES          │ takes no more: when it does again
 *                 more is left out, counted  │ gone: tried again, for as long as something waits
 * ```
 *
 * The text of a guest is sent with its length before it, so nothing in it can end the field and begin
 * another one.
 *
 * @see https://systemd.io/JOURNAL_NATIVE_PROTOCOL/
 */
import type { DatagramSocket } from '../../native/os/datagrams.ts'
import type { Logger } from '../../native/os/log.ts'
import type { Clock } from '../clock.ts'
import type { BatchListener } from '../ring/console-ring.ts'

/** What may wait for journald; 4 MiB are some ten thousand lines. */
const MAX_BYTES = 4 * 2 ** 20
const MAX_ENTRIES = 32_768
const FIRST_BYTES = 65_536
const FIRST_ENTRIES = 256
/** A field's name and a newline, eight bytes of length, the text, a newline. */
const LENGTH_BYTES = 8
const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 5000
const ESC = 0x1b
const DOT = 0x2e
const LF = 0x0a

/** Told what could not be kept. */
export interface JournalLosses {
  journalDropped(bytes: number): void
}

interface JournalParts {
  /** @throws XenError when journald does not receive */
  readonly connect: () => DatagramSocket
  readonly losses: JournalLosses
  readonly clock: Clock
  readonly log: Logger
}

export class Journal implements BatchListener {
  readonly #parts: JournalParts
  #socket: DatagramSocket | undefined
  #bytes = Buffer.allocUnsafeSlow(FIRST_BYTES)
  /** Where each entry ends. */
  #ends = new Int32Array(FIRST_ENTRIES)
  #first = 0
  #count = 0
  #isFull = false
  #leftOut = 0
  #isAway = false
  #retryMs = FIRST_RETRY_MS
  /** Set while nothing is tried: journald was away just now. */
  #cancelRetry: (() => void) | undefined
  #soon: NodeJS.Immediate | undefined

  constructor(parts: JournalParts) {
    this.#parts = parts
    this.#reach()
  }

  /** Bytes that wait for journald. */
  get waitingBytes(): number {
    return this.#endOf(this.#count) - this.#endOf(this.#first)
  }

  /**
   * One entry: it leaves with the next `flush`.
   *
   * @param fields what stands before the length of the message; see `journalFields`
   * @param replacesEscape ESC becomes a full stop
   */
  add(
    fields: Uint8Array,
    bytes: Uint8Array,
    start: number,
    end: number,
    replacesEscape: boolean,
  ): void {
    const length = end - start
    const size = fields.length + LENGTH_BYTES + length + 1
    if (!this.#makeRoom(size)) {
      this.#leaveOut(length)
      return
    }
    const into = this.#bytes
    let at = this.#endOf(this.#count)
    into.set(fields, at)
    at = writeLength(into, at + fields.length, length)
    for (let from = start; from < end; from++, at++) {
      const byte = bytes[from] as number
      into[at] = replacesEscape && byte === ESC ? DOT : byte
    }
    into[at++] = LF
    this.#ends[this.#count++] = at
  }

  batchBegins(): void {
    // Entries are copied as they come.
  }

  /** Before the batch leaves the rings: who is killed then finds in them what was not sent. */
  batchEnds(): void {
    this.flush()
  }

  /** Sends what waits, as far as journald takes it. */
  flush(): void {
    if (this.#count === this.#first || this.#isFull || this.#cancelRetry !== undefined) return
    if (this.#socket === undefined && !this.#reach()) return
    try {
      this.#first += this.#socket?.send(this.#bytes, this.#ends, this.#first, this.#count) ?? 0
    } catch (error) {
      this.#lost(error)
      return
    }
    this.#isBack()
    if (this.#first === this.#count) this.#isEmpty()
    else {
      this.#isFull = true
      this.#socket?.onWritable(() => {
        this.#isFull = false
        this.flush()
      })
    }
  }

  /** What was added outside of a batch leaves in this turn of the loop, with others. */
  flushSoon(): void {
    this.#soon ??= setImmediate(() => {
      this.#soon = undefined
      this.flush()
    })
  }

  /** Sends what journald takes at once; the rest is lost, and said to be. */
  close(): void {
    clearImmediate(this.#soon)
    this.#stopRetrying()
    this.#isFull = false
    this.flush()
    this.#stopRetrying()
    const lines = this.#count - this.#first
    if (lines > 0) this.#parts.log.warn({ lines }, 'the journal did not take everything')
    this.#socket?.close()
    this.#socket = undefined
  }

  #endOf(entry: number): number {
    return entry === 0 ? 0 : (this.#ends[entry - 1] as number)
  }

  #makeRoom(size: number): boolean {
    const used = this.#endOf(this.#count)
    if (used + size <= this.#bytes.length && this.#count < this.#ends.length) return true
    if (this.#first > 0) {
      this.#moveToFront()
      return this.#makeRoom(size)
    }
    if (used + size > MAX_BYTES || this.#count === MAX_ENTRIES) return false
    if (used + size > this.#bytes.length) {
      const bigger = Buffer.allocUnsafeSlow(Math.min(MAX_BYTES, this.#bytes.length * 2))
      bigger.set(this.#bytes.subarray(0, used))
      this.#bytes = bigger
    }
    if (this.#count === this.#ends.length) {
      const more = new Int32Array(this.#ends.length * 2)
      more.set(this.#ends)
      this.#ends = more
    }
    return this.#makeRoom(size)
  }

  #moveToFront(): void {
    const from = this.#endOf(this.#first)
    this.#bytes.copyWithin(0, from, this.#endOf(this.#count))
    for (let entry = this.#first; entry < this.#count; entry++) {
      this.#ends[entry - this.#first] = (this.#ends[entry] as number) - from
    }
    this.#count -= this.#first
    this.#first = 0
  }

  #leaveOut(bytes: number): void {
    if (this.#leftOut === 0) {
      this.#parts.log.warn('the journal does not keep up: lines are left out')
    }
    this.#leftOut++
    this.#parts.losses.journalDropped(bytes)
  }

  #isEmpty(): void {
    this.#first = 0
    this.#count = 0
    if (this.#leftOut === 0) return
    this.#parts.log.warn(
      { lines: this.#leftOut },
      'the journal keeps up again; so many were left out',
    )
    this.#leftOut = 0
  }

  #reach(): boolean {
    try {
      this.#socket = this.#parts.connect()
      return true
    } catch (error) {
      this.#lost(error)
      return false
    }
  }

  /** Tries again after a while, for as long as something waits: restarted, journald is at the same path. */
  #lost(error: unknown): void {
    this.#socket?.close()
    this.#socket = undefined
    if (!this.#isAway) {
      this.#parts.log.error({ err: error }, 'the journal cannot be reached; lines wait for it')
    }
    this.#isAway = true
    this.#cancelRetry = this.#parts.clock.after(this.#retryMs, () => {
      this.#cancelRetry = undefined
      this.flush()
    })
    this.#retryMs = Math.min(this.#retryMs * 2, LAST_RETRY_MS)
  }

  #stopRetrying(): void {
    this.#cancelRetry?.()
    this.#cancelRetry = undefined
  }

  #isBack(): void {
    if (this.#isAway) this.#parts.log.info('the journal is back')
    this.#isAway = false
    this.#retryMs = FIRST_RETRY_MS
  }
}

/** @returns where the field's text begins */
function writeLength(into: Buffer, at: number, length: number): number {
  into.writeUInt32LE(length, at)
  into.writeUInt32LE(0, at + 4)
  return at + LENGTH_BYTES
}

/** Who speaks: the fields that all entries of one console have in common. */
export interface JournalSpeaker {
  readonly identifier: string
  readonly domid?: number
  readonly uuid?: string
  readonly name?: string | undefined
}

/** Everything of an entry that stands before the length of its message. */
export function journalFields({ identifier, domid, uuid, name }: JournalSpeaker): Buffer {
  const fields = [Buffer.from(`PRIORITY=6\nSYSLOG_IDENTIFIER=${identifier}\n`)]
  if (domid !== undefined) fields.push(Buffer.from(`XEN_DOMID=${domid}\n`))
  if (uuid !== undefined) fields.push(Buffer.from(`XEN_UUID=${uuid}\n`))
  if (name !== undefined) {
    // A toolstack may name guests as it likes: with its length, no name can end the field.
    const text = Buffer.from(name)
    const length = Buffer.alloc(LENGTH_BYTES)
    writeLength(length, 0, text.length)
    fields.push(Buffer.from('XEN_NAME\n'), length, text, Buffer.from('\n'))
  }
  fields.push(Buffer.from('MESSAGE\n'))
  return Buffer.concat(fields)
}
