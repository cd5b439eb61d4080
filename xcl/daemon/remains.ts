/**
 * What is left of domains that are no more, or were never complete: removed as soon as Xen and the
 * store let us, tried again with back-off as long as xcld lives, and found by the next one in the
 * journal.
 */
import type { Logger } from 'pino'
import type { Domid } from '../../native/hypervisor.ts'
import { backOffMs } from './back-off.ts'
import { WorkQueue } from './work-queue.ts'

/** Removed at once. */
const AT_ONCE = 16

/** A domain of which something may be left. */
export interface Remnant {
  readonly uuid: string
  /** Undefined when Xen never gave it a number that we know. */
  readonly domid: Domid | undefined
}

export interface RemainsOptions {
  readonly log: Logger
  /** Calls back after ms. */
  readonly after: (ms: number, call: () => void) => void
  /** Removes what is left, in Xen, in the store and on disk. */
  readonly remove: (remnant: Remnant) => Promise<void>
}

export class Remains {
  readonly #options: RemainsOptions
  readonly #remnants = new Set<Remnant>()
  #failures = 0
  #sweeping: Promise<void> | undefined
  #isRetryDue = false
  #isStopped = false

  constructor(options: RemainsOptions) {
    this.#options = options
  }

  /** Noted; `sweep` removes it. */
  add(remnant: Remnant): void {
    this.#remnants.add(remnant)
  }

  /** After a failure: noted, and removed later. */
  retryLater(remnant: Remnant): void {
    this.#remnants.add(remnant)
    this.#scheduleRetry()
  }

  /** Tries to remove all that is noted; never rejects. */
  sweep(): Promise<void> {
    this.#sweeping ??= this.#sweep().finally(() => {
      this.#sweeping = undefined
    })
    return this.#sweeping
  }

  stop(): void {
    this.#isStopped = true
  }

  async #sweep(): Promise<void> {
    const queue = new WorkQueue(AT_ONCE)
    const remnants = [...this.#remnants]
    await Promise.all(remnants.map((remnant) => queue.add(() => this.#remove(remnant))))
    if (this.#remnants.size === 0) this.#failures = 0
    else if (!this.#isStopped) this.#scheduleRetry()
  }

  async #remove(remnant: Remnant): Promise<void> {
    if (this.#isStopped) return
    try {
      await this.#options.remove(remnant)
      this.#remnants.delete(remnant)
    } catch (error) {
      this.#options.log.warn({ ...remnant, err: error }, 'remains of a domain stay; tried again')
    }
  }

  #scheduleRetry(): void {
    if (this.#isRetryDue) return
    this.#isRetryDue = true
    this.#failures++
    this.#options.after(backOffMs(this.#failures), () => {
      this.#isRetryDue = false
      void this.sweep()
    })
  }
}
