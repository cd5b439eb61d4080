/**
 * What a successor has to know of each console so that its log goes on where it ended, in memory that
 * outlives the process.
 *
 * ```
 *   0      magic, version, bytes of a record, records, SHA-256 of the machine's identity
 *   4096   record of domid 0, of domid 1, …  128 bytes each:
 *          words 0: which slot counts, 0 none   1–3: frame and port of the ring   4–7: uuid
 *                8: slot 1                      20: slot 2
 *   slot   device and inode of the log (4 words), index, indexAfter, offset (f64), offsetAfter (f64), kind
 * ```
 *
 * Of a raw log: the byte with ring index `index` lies (or will lie) at `offset`, and each one after it
 * behind it; so a slot stays true however much is written. Of a log that is changed on the way: before
 * each write, which bytes of the ring (`index` to `indexAfter`) make it how long (`offset`,
 * `offsetAfter`).
 *
 * A change fills the slot that does not count, and then says that it does: whenever the process is
 * killed, one of them is whole.
 */
import { createHash } from 'node:crypto'

const HEADER_BYTES = 4096
const RECORD_BYTES = 128
const RECORD_WORDS = RECORD_BYTES / 4
/** As many as there are domids. */
const RECORDS = 32_768
const MAGIC = 0x636f_6e73
const VERSION = 2
const PAGE = 4096

const SELECTOR = 0
const RING_LOW = 1
const RING_HIGH = 2
const RING_PORT = 3
const UUID = 4
const UUID_WORDS = 4
const SLOT_1 = 8
const SLOT_WORDS = 12
const SLOT_IDENTITY = 0
const SLOT_INDEX = 4
const SLOT_INDEX_AFTER = 5
const SLOT_OFFSET = 6
const SLOT_OFFSET_AFTER = 8
const SLOT_KIND = 10
const KIND_RAW = 1
const KIND_CHANGED = 2

/** Of a state file; a multiple of a page. */
export const STATE_BYTES = Math.ceil((HEADER_BYTES + RECORDS * RECORD_BYTES) / PAGE) * PAGE

/**
 * What a state file begins with.
 *
 * @param machine of another one, or of another boot, uuids, frames and ports may be the same by chance
 */
export function stateHeader(machine: string): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  const words = [MAGIC, VERSION, RECORD_BYTES, RECORDS]
  for (const [i, word] of words.entries()) header.writeUInt32LE(word, i * 4)
  createHash('sha256')
    .update(machine)
    .digest()
    .copy(header, words.length * 4)
  return header
}

/** Where a console's log stood. */
export interface LogPlace {
  readonly isRaw: boolean
  /** As FileFacts has it. */
  readonly identity: Int32Array
  readonly index: number
  readonly indexAfter: number
  readonly offset: number
  readonly offsetAfter: number
}

/** Whose log it is: another ring is another stream of bytes. */
export interface ConsoleIdentity {
  readonly domid: number
  readonly uuid: string
}

export class ConsoleStates {
  readonly #words: Int32Array
  readonly #numbers: Float64Array
  readonly #mayTouch: (byteOffset: number) => boolean
  /** Pages that were asked for: 1 there is memory for them, 2 there is none. */
  readonly #pages = new Uint8Array(STATE_BYTES / PAGE)
  /** Who has taken a domid's record last; a number that is used again has two consoles while the old one drains. */
  readonly #owners = new Uint32Array(RECORDS)

  /**
   * @param memory STATE_BYTES
   * @param mayTouch whether there is memory for the page at this offset: a full file system would kill
   *   who touches it
   */
  constructor(memory: ArrayBuffer, mayTouch: (byteOffset: number) => boolean = () => true) {
    this.#words = new Int32Array(memory)
    this.#numbers = new Float64Array(memory)
    this.#mayTouch = mayTouch
  }

  /** What the process before has left of this console; undefined: nothing. */
  find({ domid, uuid }: ConsoleIdentity, frame: number, port: number): LogPlace | undefined {
    const at = this.#recordOf(domid)
    if (at === undefined) return undefined
    const which = this.#words[at + SELECTOR] as number
    if (which !== 1 && which !== 2) return undefined
    const expected = headOf(uuid, frame, port)
    for (let i = 0; i < expected.length; i++) {
      if (this.#words[at + RING_LOW + i] !== expected[i]) return undefined
    }
    const slot = at + SLOT_1 + (which - 1) * SLOT_WORDS
    const kind = this.#words[slot + SLOT_KIND]
    const offset = this.#numbers[(slot + SLOT_OFFSET) / 2] as number
    const offsetAfter = this.#numbers[(slot + SLOT_OFFSET_AFTER) / 2] as number
    if (kind !== KIND_RAW && kind !== KIND_CHANGED) return undefined
    if (!(Number.isSafeInteger(offset) && Number.isSafeInteger(offsetAfter))) return undefined
    return {
      isRaw: kind === KIND_RAW,
      identity: this.#words.slice(slot + SLOT_IDENTITY, slot + SLOT_IDENTITY + 4),
      index: (this.#words[slot + SLOT_INDEX] as number) >>> 0,
      indexAfter: (this.#words[slot + SLOT_INDEX_AFTER] as number) >>> 0,
      offset,
      offsetAfter,
    }
  }

  /**
   * Takes the domid's record, with what it says: whoever had it before neither writes to it nor ends it.
   *
   * @returns who asks, for `store` and `forget`
   */
  take(domid: number): number {
    if (domid >= RECORDS) return 0
    const owner = ((this.#owners[domid] as number) + 1) >>> 0
    this.#owners[domid] = owner
    return owner
  }

  /** The domid's record is this console's from now on, and empty. */
  begin({ domid, uuid }: ConsoleIdentity, frame: number, port: number): void {
    const at = this.#recordOf(domid)
    if (at === undefined) return
    Atomics.store(this.#words, at + SELECTOR, 0)
    this.#words.set(headOf(uuid, frame, port), at + RING_LOW)
  }

  /** Nothing is known of the domid's console any more. @param owner as `take` said */
  forget(domid: number, owner: number): void {
    if (this.#owners[domid] !== owner) return
    const at = this.#recordOf(domid)
    if (at !== undefined) Atomics.store(this.#words, at + SELECTOR, 0)
  }

  /** @param owner as `take` said */
  store(
    domid: number,
    owner: number,
    isRaw: boolean,
    identity: ArrayLike<number>,
    index: number,
    offset: number,
    indexAfter: number,
    offsetAfter: number,
  ): void {
    if (this.#owners[domid] !== owner) return
    const at = this.#recordOf(domid)
    if (at === undefined) return
    const words = this.#words
    const next = words[at + SELECTOR] === 1 ? 2 : 1
    const slot = at + SLOT_1 + (next - 1) * SLOT_WORDS
    for (let i = 0; i < 4; i++) words[slot + SLOT_IDENTITY + i] = identity[i] as number
    words[slot + SLOT_INDEX] = index
    words[slot + SLOT_INDEX_AFTER] = indexAfter
    this.#numbers[(slot + SLOT_OFFSET) / 2] = offset
    this.#numbers[(slot + SLOT_OFFSET_AFTER) / 2] = offsetAfter
    words[slot + SLOT_KIND] = isRaw ? KIND_RAW : KIND_CHANGED
    // Not before the slot is whole, whatever the compiler thinks.
    Atomics.store(words, at + SELECTOR, next)
  }

  /** Word at which the record begins. */
  #recordOf(domid: number): number | undefined {
    if (domid >= RECORDS) return undefined
    const offset = HEADER_BYTES + domid * RECORD_BYTES
    const page = Math.floor(offset / PAGE)
    if (this.#pages[page] === 0) this.#pages[page] = this.#mayTouch(page * PAGE) ? 1 : 2
    return this.#pages[page] === 1 ? (offset / RECORD_BYTES) * RECORD_WORDS : undefined
  }
}

/** The words from RING_LOW on, up to the first slot. */
function headOf(uuid: string, frame: number, port: number): Int32Array {
  const head = new Int32Array(UUID - RING_LOW + UUID_WORDS)
  head[RING_LOW - RING_LOW] = frame % 2 ** 32
  head[RING_HIGH - RING_LOW] = Math.floor(frame / 2 ** 32)
  head[RING_PORT - RING_LOW] = port
  const bytes = Buffer.alloc(UUID_WORDS * 4)
  bytes.write(uuid.replaceAll('-', ''), 'hex')
  for (let i = 0; i < UUID_WORDS; i++) head[UUID - RING_LOW + i] = bytes.readInt32LE(i * 4)
  return head
}
