import type { Domid } from '../../native/hypervisor.ts'
import type { Logger } from '../../native/os/log.ts'
import type { Timers } from '../connection/timers.ts'
import type { Counters } from '../counters.ts'
import type { Store } from '../store/store.ts'

/** A domain that stays above is told of so often. */
const WARN_EVERY_MS = 10_000

/**
 * Tells the operator of domains that use more memory than the soft quota, and when they use less
 * again. Looked at behind each request of a guest: who asks nothing needs no more memory.
 */
export class SoftQuota {
  readonly #store: Pick<Store, 'settings' | 'usageOf'>
  readonly #timers: Timers
  readonly #counters: Counters
  readonly #log: Logger
  /** When each domain that is above was told of last. */
  readonly #toldAtMs = new Map<Domid, number>()

  constructor(
    store: Pick<Store, 'settings' | 'usageOf'>,
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
    if (!this.#store.settings.exceedsSoftMemory(domid)) {
      if (this.#toldAtMs.size > 0 && this.#toldAtMs.delete(domid)) {
        this.#log.info({ domid }, 'domain uses less memory than the soft quota again')
      }
      return
    }
    const nowMs = this.#timers.nowMs()
    const toldAtMs = this.#toldAtMs.get(domid)
    if (toldAtMs !== undefined && nowMs - toldAtMs < WARN_EVERY_MS) return
    this.#toldAtMs.set(domid, nowMs)
    this.#counters.quotaWarning()
    const { memoryBytes } = this.#store.usageOf(domid)
    const limitBytes = this.#store.settings.quotaOf(domid, 'memorySoft')
    this.#log.warn(
      { domid, memoryBytes, limitBytes },
      'domain uses more memory than the soft quota',
    )
  }
}
