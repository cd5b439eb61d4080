/** Counts what has come, and says when enough has. */
export class Counter {
  #value = 0
  #wanted = Number.POSITIVE_INFINITY
  #reached: () => void = () => undefined

  get value(): number {
    return this.#value
  }

  add(): void {
    this.#value++
    if (this.#value >= this.#wanted) this.#reached()
  }

  /**
   * Waits for so many, as long as they keep coming. One waits at a time.
   * @param patienceMs how long nothing may come
   * @returns whether there are so many
   */
  async reaches(wanted: number, patienceMs: number): Promise<boolean> {
    if (this.#value >= wanted) return true
    let seen = this.#value
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>((resolve) => {
      this.#wanted = wanted
      this.#reached = resolve
      timer = setInterval(() => {
        if (this.#value === seen) resolve()
        seen = this.#value
      }, patienceMs)
    })
    clearInterval(timer)
    this.#wanted = Number.POSITIVE_INFINITY
    return this.#value >= wanted
  }
}
