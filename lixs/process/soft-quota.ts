import type { Domid } from '../../native/hypervisor.ts'
import type { Logger } from '../../native/os/log.ts'
import type { Timers } from '../connection/timers.ts'
import type { Counters } from '../counters.ts'
import type { Store } from '../store/store.ts'

/** A domain that stays above is told of so often. */
const WARN_EVERY_MS = 10_000

/** `atMs`: the last warning; `isAbove`: nothing was said since. */
interface Told {
  readonly atMs: number
  readonly isAbove: boolean
}

/**
 * Tells the operator of domains that use more memory than the soft quota, and when they use less
 * again. Looked at behind each request of a guest: who asks nothing needs no more memory.
 */
export class SoftQuota {
  readonly #store: Pick<Store, 'settings' | 'accounts'>
  readonly #timers: Timers
  readonly #counters: Counters
  readonly #log: Logger
  /** Domains that were told of, some of which use less again since. */
  readonly #told = new Map<Domid, Told>()

  constructor(
    store: Pick<Store, 'settings' | 'accounts'>,
    timers: Timers,
    counters: Counters,
    log: Logger,
  ) {
    this.#store = store
    this.#timers = timers
    this.#counters = counters
    this.#log = log
  }

  look(domid: Domid): void {
    const told = this.#told.get(domid)
    if (!this.#store.settings.exceedsSoftMemory(domid)) {
      if (told?.isAbove !== true) return
      this.#told.set(domid, { atMs: told.atMs, isAbove: false })
      this.#log.info({ domid }, 'domain uses less memory than the soft quota again')
      return
    }
    const nowMs = this.#timers.nowMs()
    // Whoever goes up and down around the quota is told of as seldom as one that stays above.
    if (told !== undefined && nowMs - told.atMs < WARN_EVERY_MS) return
    this.#told.set(domid, { atMs: nowMs, isAbove: true })
    this.#counters.quotaWarning()
    const { memoryBytes } = this.#store.accounts.usageOf(domid)
    const limitBytes = this.#store.settings.quotaOf(domid, 'memorySoft')
    this.#log.warn(
      { domid, memoryBytes, limitBytes },
      'domain uses more memory than the soft quota',
    )
  }

  /** A domain begins: nothing of the last one with its number counts for it. */
  forget(domid: Domid): void {
    this.#told.delete(domid)
  }
}
