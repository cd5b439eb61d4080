const LF = 0x0a
const CR = 0x0d

/** `[YYYY-MM-DD HH:MM:SS] ` in local time, as xenconsoled's --timestamp writes it. */
function timeStamp(now: Date): string {
  const two = (value: number) => String(value).padStart(2, '0')
  const day = `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`
  return `[${day} ${two(now.getHours())}:${two(now.getMinutes())}:${two(now.getSeconds())}] `
}

/**
 * Puts a time before each line of a stream that arrives in pieces. Carriage returns directly after
 * a line feed are dropped, or every stamp of a guest that ends its lines LF CR would be overwritten.
 */
export class LineStamps {
  #isAtLineStart = true
  #wasLineFeed = false

  stamp(bytes: Uint8Array, start: number, end: number, now: Date): Buffer {
    const prefix = Buffer.from(timeStamp(now), 'latin1')
    const parts: Uint8Array[] = []
    let at = start
    while (at < end) {
      if (this.#wasLineFeed && bytes[at] === CR) {
        this.#wasLineFeed = false
        at++
        continue
      }
      const lineFeed = bytes.indexOf(LF, at)
      const isWhole = lineFeed !== -1 && lineFeed < end
      const lineEnd = isWhole ? lineFeed + 1 : end
      if (this.#isAtLineStart) parts.push(prefix)
      parts.push(bytes.subarray(at, lineEnd))
      this.#isAtLineStart = isWhole
      this.#wasLineFeed = isWhole
      at = lineEnd
    }
    return Buffer.concat(parts)
  }
}
