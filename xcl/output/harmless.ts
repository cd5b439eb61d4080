/**
 * What a guest printed, made fit for a person's terminal: text stays, everything that a terminal would
 * obey is shown instead of sent. A guest must not be able to rename a window, answer for the person who
 * looks, or overwrite what it said before.
 *
 * ```
 * ESC [ 1 ; 31 m      colours: left out          \e[0;32mOK  ->  OK
 * other controls      ^[  ^G  ^H  ^?             as `less` shows them
 * CR beside LF        left out                   how guests end their lines
 * U+0080…U+009F       <U+009B>                   controls, too
 * bidi controls       <U+202E>                   they make text read otherwise than it is
 * no UTF-8            <9B>
 * ```
 */

const ESC = 0x1b
const CR = 0x0d
const LF = 0x0a
const TAB = 0x09
const DEL = 0x7f
/** Longer is no colour. */
const COLOUR_MAX = 32
/** Behind the ESC: a colour, and the beginning of what may become one. */
const COLOUR = /^\[[0-9;:]*m/
const COLOUR_BEGUN = /^(?:\[[0-9;:]*)?$/
/** @see Unicode Standard Annex 9: embeddings, overrides, isolates, marks */
const BIDI = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/

/** A stream of which pieces are made harmless, one after the other. */
export class HarmlessText {
  /** Bytes of which it is not clear yet what they are. */
  #held: Buffer = Buffer.alloc(0)
  #wasLineFeed = false

  /** @returns what can be printed by now */
  push(bytes: Uint8Array): string {
    return this.#take(Buffer.concat([this.#held, bytes]), false)
  }

  /** @returns what was still held back; nothing comes after it */
  end(): string {
    return this.#take(this.#held, true)
  }

  #take(bytes: Buffer, isEnd: boolean): string {
    let out = ''
    let at = 0
    while (at < bytes.length) {
      const plain = plainEnd(bytes, at)
      if (plain > at) {
        out += bytes.toString('latin1', at, plain)
        at = plain
        this.#wasLineFeed = false
        continue
      }
      const part = this.#next(bytes, at, isEnd)
      if (part === undefined) break
      out += part.text
      at += part.length
    }
    this.#held = Buffer.from(bytes.subarray(at))
    return out
  }

  /** @returns undefined when more bytes are needed to tell */
  #next(
    bytes: Buffer,
    at: number,
    isEnd: boolean,
  ): { readonly text: string; readonly length: number } | undefined {
    const byte = bytes[at] ?? 0
    if (byte === CR) {
      if (this.#wasLineFeed) return { text: '', length: 1 }
      const end = runEnd(bytes, at, CR)
      if (end === bytes.length && !isEnd) return undefined
      return { text: bytes[end] === LF ? '' : '^M'.repeat(end - at), length: end - at }
    }
    this.#wasLineFeed = byte === LF
    if (byte === LF || byte === TAB) return { text: String.fromCharCode(byte), length: 1 }
    if (byte === ESC) {
      const ahead = bytes.toString('latin1', at + 1, at + 1 + COLOUR_MAX)
      const colour = COLOUR.exec(ahead)
      if (colour !== null) return { text: '', length: 1 + colour[0].length }
      if (COLOUR_BEGUN.test(ahead) && ahead.length < COLOUR_MAX && !isEnd) return undefined
    }
    if (byte < 0x20 || byte === DEL) {
      return { text: `^${String.fromCharCode(byte ^ 0x40)}`, length: 1 }
    }
    return character(bytes, at, isEnd)
  }
}

/** A text that is all there, such as a sentence in which somebody else's words stand. */
export function harmless(text: string): string {
  const stream = new HarmlessText()
  return stream.push(Buffer.from(text)) + stream.end()
}

/** End of the printable ASCII that begins there. */
function plainEnd(bytes: Buffer, from: number): number {
  let at = from
  for (; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0
    if (byte < 0x20 || byte > 0x7e) break
  }
  return at
}

function runEnd(bytes: Buffer, from: number, of: number): number {
  let at = from
  while (bytes[at] === of) at++
  return at
}

/** One character of UTF-8 beyond ASCII. @returns undefined when its end has not come */
function character(
  bytes: Buffer,
  at: number,
  isEnd: boolean,
): { readonly text: string; readonly length: number } | undefined {
  const first = bytes[at] ?? 0
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 1
  const whole = bytes.subarray(at, at + length)
  const isCut = whole.length < length && whole.subarray(1).every(isContinuation)
  if (isCut && !isEnd) return undefined
  const text = whole.toString('utf8')
  const point = text.codePointAt(0) ?? 0
  const isOne = whole.length === length && length > 1 && text.length === (point > 0xffff ? 2 : 1)
  if (!isOne || point === 0xfffd) return { text: `<${hex(first, 2)}>`, length: 1 }
  const isControl = point <= 0x9f || BIDI.test(text)
  return { text: isControl ? `<U+${hex(point, 4)}>` : text, length }
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80
}

function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, '0')
}
