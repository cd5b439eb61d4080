/** Lets so many tasks go on at a time; the others wait for their turn, in the order in which they came. */
export class AtMost {
  #free: number
  readonly #waiting: (() => void)[] = []
  /** Those in front of it have begun. */
  #next = 0

  constructor(count: number) {
    this.#free = count
  }

  /** Begins the task at once if it may. @returns settles as the task does */
  run(task: () => Promise<void>): Promise<void> {
    if (this.#free > 0) {
      this.#free--
      return this.#begin(task)
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => this.#begin(task).then(resolve, reject))
    })
  }

  async #begin(task: () => Promise<void>): Promise<void> {
    try {
      await task()
    } finally {
      this.#passOn()
    }
  }

  #passOn(): void {
    const begin = this.#waiting[this.#next++]
    if (begin !== undefined) {
      begin()
      return
    }
    this.#waiting.length = 0
    this.#next = 0
    this.#free++
  }
}
