/** One guest's log file: its name, and what is done to the bytes on the way. */
import { join } from 'node:path'
import { LineStamps } from './line-stamps.ts'
import type { LogFile, LogFiles } from './log-files.ts'

const ESC = 0x1b
const DOT = 0x2e
/** NAME_MAX less `guest-` and `.log`. */
const MAX_NAME_BYTES = 245

/** How bytes are changed on their way into a log. */
interface LogFormat {
  readonly withTimestamps: boolean
  /** --replace-escape: ESC becomes a full stop, so that `cat` of a log cannot drive a terminal. */
  readonly replacesEscape: boolean
}

/**
 * `guest-<name>.log`. What could leave the directory or break a shell's line (slash, control
 * characters) becomes `_`; too long a name is cut.
 */
export function guestLogName(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const safe = name.replace(/[/\u0000-\u001f\u007f]/g, '_')
  let cut = safe
  while (Buffer.byteLength(cut) > MAX_NAME_BYTES) cut = cut.slice(0, -1)
  return `guest-${cut}.log`
}

export class GuestLog {
  readonly #file: LogFile
  readonly #format: LogFormat
  readonly #stamps: LineStamps | undefined
  readonly #clock: () => Date
  /** Length of the file when this guest's part began. */
  readonly #from: number

  /**
   * Opens the log, so that `tail -f` finds it before the guest speaks.
   *
   * @param isNew the guest has just begun: what the file holds is of an earlier guest of that name
   */
  constructor(
    files: LogFiles,
    dir: string,
    name: string,
    isNew: boolean,
    format: LogFormat,
    clock: () => Date,
  ) {
    this.#file = files.file(join(dir, guestLogName(name)))
    this.#format = format
    this.#clock = clock
    this.#stamps = format.withTimestamps ? new LineStamps() : undefined
    const length = this.#file.open()
    this.#from = isNew ? length : 0
    this.#announce()
  }

  /** The file holds exactly what the guest said, so it can serve as the console's history. */
  get isRaw(): boolean {
    return !this.#format.withTimestamps && !this.#format.replacesEscape
  }

  append(bytes: Uint8Array, start: number, end: number): void {
    if (this.isRaw) {
      this.#file.append(bytes, start, end)
      return
    }
    let out: Buffer = Buffer.from(bytes.subarray(start, end))
    if (this.#format.replacesEscape) {
      for (let i = 0; i < out.length; i++) if (out[i] === ESC) out[i] = DOT
    }
    if (this.#stamps !== undefined) out = this.#stamps.stamp(out, 0, out.length, this.#clock())
    this.#file.append(out, 0, out.length)
  }

  /** What this guest said last. */
  tail(maxBytes: number): Buffer {
    return this.#file.tail(maxBytes, this.#from)
  }

  /** Closes the file and opens its path again: it may have been moved away. */
  reopen(): void {
    this.#file.close()
    this.#file.open()
    this.#announce()
  }

  close(): void {
    this.#file.close()
  }

  #announce(): void {
    if (this.#stamps === undefined) return
    const line = Buffer.from('Logfile Opened\n', 'latin1')
    const out = this.#stamps.stamp(line, 0, line.length, this.#clock())
    this.#file.append(out, 0, out.length)
  }
}
