interface Waiting {
  readonly pattern: RegExp
  readonly times: number
  readonly matching: string[]
  readonly resolve: (lines: string[]) => void
}

/** What a simulated machine has announced: lines of news, past and to come. */
export class NewsLog {
  readonly #lines: string[] = []
  readonly #waiting = new Set<Waiting>()

  /** @param words those of one line */
  add(words: readonly string[]): void {
    const line = words.join(' ')
    this.#lines.push(line)
    for (const waiting of this.#waiting) this.#look(waiting, line)
  }

  /** Lines that came so far. */
  get lines(): readonly string[] {
    return this.#lines
  }

  /** The first line that matches, whether it has come already or comes later. */
  async said(pattern: RegExp): Promise<string> {
    const [line = ''] = await this.saidTimes(pattern, 1)
    return line
  }

  /** Settles when so many lines match; gives them. */
  saidTimes(pattern: RegExp, times: number): Promise<string[]> {
    return new Promise((resolve) => {
      const waiting = { pattern, times, matching: [], resolve }
      this.#waiting.add(waiting)
      for (const line of this.#lines) this.#look(waiting, line)
    })
  }

  #look(waiting: Waiting, line: string): void {
    const { pattern, times, matching, resolve } = waiting
    if (matching.length === times || !pattern.test(line)) return
    matching.push(line)
    if (matching.length < times) return
    this.#waiting.delete(waiting)
    resolve(matching)
  }
}
