/** What a person sees while it goes on: one line, written anew in place, or now and then a line. */
import type { WriteStream } from 'node:tty'

/** No eye reads faster, and a terminal far away does not like more. */
const PAUSE_MS = 100
/** Where the output is no terminal: a line each so many steps. */
const STEPS_PER_LINE = 1000
const DEFAULT_COLUMNS = 80

/** Where lines go; process.stdout is one. */
export type Output = Pick<WriteStream, 'write'> & Partial<Pick<WriteStream, 'isTTY' | 'columns'>>

export class Progress {
  readonly #output: Output
  /** ms, monotonic. */
  readonly #clock: () => number
  #shownAtMs = Number.NEGATIVE_INFINITY
  #linesShown = 0
  #isLineOpen = false

  constructor(output: Output, clock: () => number) {
    this.#output = output
    this.#clock = clock
  }

  /**
   * @param done steps so far; going back to a smaller number begins a new row of steps
   * @param text called only when there is something to be shown
   */
  show(done: number, text: () => string): void {
    if (this.#output.isTTY) {
      const now = this.#clock()
      if (now - this.#shownAtMs < PAUSE_MS) return
      this.#shownAtMs = now
      // One column less: a line that fills the terminal wraps, and then cannot be written anew.
      const line = text().slice(0, (this.#output.columns ?? DEFAULT_COLUMNS) - 1)
      this.#output.write(`\r${line}\x1b[K`)
      this.#isLineOpen = true
      return
    }
    const lines = Math.floor(done / STEPS_PER_LINE)
    if (lines > this.#linesShown) this.#output.write(`${text()}\n`)
    this.#linesShown = lines
  }

  /** A line that stays; the progress line makes room for it. */
  say(line: string): void {
    const clear = this.#isLineOpen ? '\r\x1b[K' : ''
    this.#isLineOpen = false
    this.#shownAtMs = Number.NEGATIVE_INFINITY
    this.#output.write(`${clear}${line}\n`)
  }
}
