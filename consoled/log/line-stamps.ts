const LF = 0x0a
const CR = 0x0d
/** Bytes of `[YYYY-MM-DD HH:MM:SS] `. */
const STAMP_BYTES = 22
const STAMP = String.raw`\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] `
const STAMPED_LINE = new RegExp(`(^|\\n)${STAMP}`, 'g')
/** Is put before a log's lines when it is opened, in the midst of a line that was begun, too. */
export const OPENED = 'Logfile Opened\n'
const STAMPED_OPENED = new RegExp(`(?:${STAMP}${OPENED})+(?:${STAMP})?`, 'g')

/**
 * What the guest said, of a log in which it stands with stamps.
 *
 * @param bytes from the beginning of a line on
 */
export function withoutStamps(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1').replace(STAMPED_OPENED, '').replace(STAMPED_LINE, '$1')
  return Buffer.from(text, 'latin1')
}

/** The time of a moment as stamps have it; made once a second, however many lines there are. */
export class StampTime {
  readonly #now: () => Date
  #second = Number.NaN
  #stamp = Buffer.alloc(0)

  constructor(now: () => Date) {
    this.#now = now
  }

  /** `[YYYY-MM-DD HH:MM:SS] ` in local time, as xenconsoled's --timestamp writes it. */
  stamp(): Buffer {
    const now = this.#now()
    const second = Math.floor(now.getTime() / 1000)
    if (second === this.#second) return this.#stamp
    this.#second = second
    const two = (value: number) => String(value).padStart(2, '0')
    const day = `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`
    const time = `${two(now.getHours())}:${two(now.getMinutes())}:${two(now.getSeconds())}`
    this.#stamp = Buffer.from(`[${day} ${time}] `, 'latin1')
    return this.#stamp
  }
}

/**
 * Puts a time before each line of a stream that arrives in pieces. Carriage returns directly after
 * a line feed are dropped, or every stamp of a guest that ends its lines LF CR would be overwritten.
 */
export class LineStamps {
  #isAtLineStart = true
  #wasLineFeed = false

  /** As long as `length` bytes can become: each may be a line. */
  static room(length: number): number {
    return (STAMP_BYTES + 1) * length
  }

  /** What comes next has a stamp, also where a line was begun: it may be in another file. */
  beginLine(): void {
    this.#isAtLineStart = true
  }

  /** @param stamp put before each line @returns where in `into` what was written ends */
  stamp(
    bytes: Uint8Array,
    start: number,
    end: number,
    stamp: Uint8Array,
    into: Uint8Array,
    at: number,
  ): number {
    for (let i = start; i < end; i++) {
      const byte = bytes[i] as number
      if (byte === CR && this.#wasLineFeed) continue
      if (this.#isAtLineStart) {
        for (let j = 0; j < stamp.length; j++) into[at++] = stamp[j] as number
      }
      into[at++] = byte
      this.#isAtLineStart = byte === LF
      this.#wasLineFeed = byte === LF
    }
    return at
  }
}
