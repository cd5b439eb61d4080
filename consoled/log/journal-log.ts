import type { Journal } from './journal.ts'

/** A longer line is cut into several entries; journald itself would cut at 48 KiB. */
export const JOURNAL_LINE_MAX = 8192
/** What a console keeps of memory while its last line is not complete, at least. */
const FIRST_BYTES = 128
/** More than that is given back when the line is complete. */
const KEPT_BYTES = 512
const LF = 0x0a
const CR = 0x0d

/**
 * One console in the journal: its lines, an entry each. A line that is not complete waits for its end,
 * for JOURNAL_LINE_MAX bytes, or for the end of the console. Empty lines are no entries, and carriage
 * returns at the end of a line are left out.
 */
export class JournalLog {
  readonly #journal: Journal
  readonly #replacesEscape: boolean
  #fields: Uint8Array
  #partial: Buffer | undefined
  #held = 0

  /** @param fields see `journalFields` */
  constructor(journal: Journal, fields: Uint8Array, replacesEscape: boolean) {
    this.#journal = journal
    this.#fields = fields
    this.#replacesEscape = replacesEscape
  }

  /** The bytes are valid during the call only; entries leave with the journal's next `flush`. */
  append(bytes: Uint8Array, start: number, end: number): void {
    let lineStart = start
    // Looked for byte by byte: `indexOf` would look through the whole batch behind `end`.
    for (let at = start; at < end; at++) {
      if (bytes[at] !== LF) continue
      if (this.#held === 0) this.#addLine(bytes, lineStart, at)
      else {
        this.#hold(bytes, lineStart, at)
        this.#addHeld()
      }
      lineStart = at + 1
    }
    if (lineStart < end) this.#hold(bytes, lineStart, end)
  }

  /** From now on entries say this. */
  setFields(fields: Uint8Array): void {
    this.#addHeld()
    this.#fields = fields
  }

  /** The last line, complete or not. */
  close(): void {
    this.#addHeld()
    this.#journal.flushSoon()
  }

  #hold(bytes: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end; ) {
      const count = Math.min(end - at, JOURNAL_LINE_MAX - this.#held)
      const partial = this.#roomFor(this.#held + count)
      for (let i = 0; i < count; i++) partial[this.#held + i] = bytes[at + i] as number
      this.#held += count
      at += count
      if (this.#held < JOURNAL_LINE_MAX) continue
      const cut = cutBefore(partial, this.#held)
      this.#addLine(partial, 0, cut)
      partial.copyWithin(0, cut, this.#held)
      this.#held -= cut
    }
  }

  #roomFor(bytes: number): Buffer {
    const before = this.#partial
    if (before !== undefined && bytes <= before.length) return before
    let size = FIRST_BYTES
    while (size < bytes) size *= 2
    const bigger = Buffer.allocUnsafeSlow(size)
    if (before !== undefined) bigger.set(before.subarray(0, this.#held))
    this.#partial = bigger
    return bigger
  }

  #addHeld(): void {
    if (this.#partial === undefined) return
    this.#addLine(this.#partial, 0, this.#held)
    this.#held = 0
    if (this.#partial.length > KEPT_BYTES) this.#partial = undefined
  }

  #addLine(bytes: Uint8Array, start: number, end: number): void {
    let last = end
    while (last > start && bytes[last - 1] === CR) last--
    let at = start
    while (last - at > JOURNAL_LINE_MAX) {
      const cut = cutBefore(bytes, at + JOURNAL_LINE_MAX)
      this.#journal.add(this.#fields, bytes, at, cut, this.#replacesEscape)
      at = cut
    }
    if (at < last) this.#journal.add(this.#fields, bytes, at, last, this.#replacesEscape)
  }
}

/** Where to cut: at `end`, or before a character of UTF-8 that would not be whole. */
function cutBefore(bytes: Uint8Array, end: number): number {
  for (let back = 1; back <= 3; back++) {
    const byte = bytes[end - back] as number
    if (byte < 0x80) return end
    if (byte < 0xc0) continue
    const length = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4
    return length > back ? end - back : end
  }
  return end
}
