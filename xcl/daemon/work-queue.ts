/** Does so many pieces of work at once; others wait, in order. */
export class WorkQueue {
  readonly #atOnce: number
  readonly #waiting: (() => Promise<void>)[] = []
  /** Index of the one that waits longest; those before it have begun. */
  #next = 0
  #running = 0

  constructor(atOnce: number) {
    this.#atOnce = atOnce
  }

  /** @returns what the work returns; settles when it has been done */
  add<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => work().then(resolve, reject))
      this.#begin()
    })
  }

  #begin(): void {
    while (this.#running < this.#atOnce) {
      const work = this.#waiting[this.#next]
      if (work === undefined) break
      this.#next++
      this.#running++
      void work().then(() => {
        this.#running--
        this.#begin()
      })
    }
    // Moved down only now and then: each piece of work pays for it once on average.
    if (this.#next * 2 > this.#waiting.length) {
      this.#waiting.splice(0, this.#next)
      this.#next = 0
    }
  }
}
