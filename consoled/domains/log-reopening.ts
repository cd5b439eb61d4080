import type { GuestConsole } from '../console.ts'
import type { AtMost } from './at-most.ts'

/** Consoles whose logs are opened anew in one turn of the loop: some milliseconds, in which nobody else is served. */
const REOPENED_PER_TURN = 64

interface LogReopeningParts {
  /** The name that a guest has now; undefined while nobody can say. */
  readonly nameOf: (console: GuestConsole) => Promise<string | undefined>
  readonly isThere: (console: GuestConsole) => boolean
  readonly reads: AtMost
  /** Calls; what is written to logs meanwhile goes out together. */
  readonly together: (run: () => void) => void
}

/**
 * What follows a SIGHUP: all logs are opened anew, under the names that the guests have now, some in each
 * turn of the loop. A guest that speaks before its turn opens its log itself, under the name that is known, for
 * the old file may be gone already; at its turn it goes on under the name that it has.
 */
export class LogReopening {
  readonly #parts: LogReopeningParts
  #waiting: GuestConsole[] = []
  #isRunning = false

  constructor(parts: LogReopeningParts) {
    this.#parts = parts
  }

  /** Begins with these; those that are under way are left to it. */
  begin(consoles: GuestConsole[]): void {
    this.#waiting = consoles
    if (!this.#isRunning) void this.#run()
  }

  /** The others are left as they are. */
  stop(): void {
    this.#waiting = []
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    while (this.#waiting.length > 0) {
      const some = this.#waiting.splice(-REOPENED_PER_TURN)
      // The names first, or the logs of those that were renamed would be made anew, and stay empty.
      const names = await Promise.all(some.map((console) => this.#nameOf(console)))
      await new Promise((resolve) => setImmediate(resolve))
      this.#parts.together(() => {
        for (const [i, console] of some.entries()) this.#reopen(console, names[i])
      })
    }
    this.#isRunning = false
  }

  #reopen(console: GuestConsole, name: string | undefined): void {
    if (!this.#parts.isThere(console)) return
    if (name !== undefined) console.rename(name)
    console.reopenLog()
  }

  async #nameOf(console: GuestConsole): Promise<string | undefined> {
    let name: string | undefined
    await this.#parts.reads.run(async () => {
      // The name we have is as good as any while the store is away.
      name = await this.#parts.nameOf(console).catch(() => undefined)
    })
    return name
  }
}
