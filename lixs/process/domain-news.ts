/**
 * Finds out which domains died or shut down, and hands them over one by one.
 *
 * ```
 * VIRQ_DOM_EXC ─┬─ Xen 4.21 and later: it says which changed ─────────┐
 *               └─ before: all are listed, at a pace; what is known    ├─► pending ─► deal(domid, state)
 *                  and not listed is gone ─────────────────────────────┘   so many in a turn of the loop
 * ```
 *
 * The listing is the one thing in lixs whose cost grows with the number of domains. Most of what a
 * VIRQ tells is a toolstack's doing, which sends a RELEASE for each domain that it destroys, between
 * the two VIRQs of a death: while RELEASEs come, listings can wait, and only make sure.
 */
import { DOMAIN_GONE, type DomainControl, type Domid } from '../../native/hypervisor.ts'
import { ListingPace } from '../../native/listing-pace.ts'
import type { Logger } from '../../native/os/log.ts'
import { XenError } from '../../native/xen-error.ts'
import type { Timers } from '../connection/timers.ts'

/** Domains dealt with in one turn of the loop: some milliseconds, in which nobody else is served. */
const DOMAINS_PER_TURN = 64
/** A RELEASE explains what VIRQs tell for so long. */
const RELEASE_EXPLAINS_MS = 1000

/** What is done with the news. */
interface NewsReader {
  /** Domids that somebody here knows, ascending. */
  known(): readonly Domid[]
  /** @param state DOMAIN_… bits of one that changed; 0: it exists */
  deal(domid: Domid, state: number): void
  /** All of it was dealt with; more may come. */
  dealt(): void
  /** Others have their turn now: what was said so far is to go out. */
  turnEnds(): void
}

export class DomainNews {
  readonly #control: Pick<DomainControl, 'states' | 'changed'>
  readonly #reader: NewsReader
  readonly #timers: Timers
  readonly #log: Logger
  readonly #pace: ListingPace
  /** In the order in which they are to be dealt with. */
  readonly #pending = new Map<Domid, number>()
  #saysWhich = true
  #releasedAtMs = Number.NEGATIVE_INFINITY
  #cancelTurn: (() => void) | undefined

  constructor(
    control: Pick<DomainControl, 'states' | 'changed'>,
    reader: NewsReader,
    timers: Timers,
    log: Logger,
  ) {
    this.#control = control
    this.#reader = reader
    this.#timers = timers
    this.#log = log
    this.#pace = new ListingPace(timers, () => this.#list())
  }

  /** VIRQ_DOM_EXC fired. */
  somethingHappened(): void {
    if (this.#saysWhich && this.#askWhich()) return
    if (this.#timers.nowMs() - this.#releasedAtMs < RELEASE_EXPLAINS_MS) this.#pace.requestLater()
    else this.#pace.request()
  }

  /** A toolstack said that this domain is gone, or will be soon. */
  released(domid: Domid): void {
    this.#releasedAtMs = this.#timers.nowMs()
    this.forget(domid)
  }

  /** What is pending under this domid was of an earlier domain, or was dealt with. */
  forget(domid: Domid): void {
    this.#pending.delete(domid)
  }

  stop(): void {
    this.#pace.close()
    this.#cancelTurn?.()
    this.#pending.clear()
  }

  /** @returns false when this Xen does not say which domains changed */
  #askWhich(): boolean {
    let changed: Int32Array | undefined
    try {
      changed = this.#control.changed()
    } catch (error) {
      if (!(error instanceof XenError)) throw error
      // What it would have said may be lost: the list has it all.
      this.#log.error({ err: error }, 'cannot ask which domains changed')
      return false
    }
    this.#saysWhich = changed !== undefined
    if (changed === undefined) return false
    for (let at = 0; at < changed.length; at += 2) {
      this.#tell(changed[at] as Domid, changed[at + 1] as number)
    }
    this.#deal()
    return true
  }

  /** Compares what is known here with what Xen knows; both lists ascend. */
  #list(): void {
    let states: Int32Array
    try {
      states = this.#control.states()
    } catch (error) {
      if (!(error instanceof XenError)) throw error
      // What happened is still to be found out.
      this.#log.error({ err: error }, 'cannot list the domains')
      this.#timers.after(0, () => this.#pace.request())
      return
    }
    let at = 0
    for (const domid of this.#reader.known()) {
      while (at < states.length && (states[at] as number) < domid) at += 2
      const state = states[at] === domid ? (states[at + 1] as number) : DOMAIN_GONE
      if (state !== 0) this.#tell(domid, state)
    }
    this.#deal()
  }

  /** A later word on the same domain replaces an earlier one. */
  #tell(domid: Domid, state: number): void {
    this.#pending.set(domid, state)
  }

  #deal(): void {
    if (this.#cancelTurn !== undefined) return
    let left = DOMAINS_PER_TURN
    for (const [domid, state] of this.#pending) {
      if (left-- === 0) {
        this.#cancelTurn = this.#timers.after(0, () => {
          this.#cancelTurn = undefined
          this.#deal()
        })
        this.#reader.turnEnds()
        return
      }
      this.#pending.delete(domid)
      this.#reader.deal(domid, state)
    }
    this.#reader.dealt()
    this.#reader.turnEnds()
  }
}
