/**
 * Which domains came and went.
 *
 * A store that offers watches with a depth says which domain it was: that one is asked for. One that was
 * released before its end is asked for again, a few times: its end is no news to the store any more.
 *
 * The two events of other stores do not say which domain they are about:
 *
 * - `@introduceDomain`: Xen gives the next free number, so those behind the newest known one are asked
 *   for, one for each that came; all domains are listed when there are not as many (a domid that was
 *   chosen), and later to make sure.
 * - `@releaseDomain`: toolstacks remove a domain's tree shortly before or after its death, so those
 *   whose keys vanished are asked for; all are listed when it was none of them, and later to make sure.
 *
 * Listings are kept to a two-hundredth of the time (native/listing-pace.ts): a console that is found,
 * or closed, a second later does no harm.
 */
import {
  DOM0,
  DOMAIN_DYING,
  DOMID_FIRST_RESERVED,
  type DomainControl,
  type Domid,
} from '../../native/hypervisor.ts'
import { ListingPace } from '../../native/listing-pace.ts'
import type { Logger } from '../../native/os/log.ts'
import type { Clock } from '../clock.ts'

export const FIRST_GUEST = 1
const MAX_GUESTS = DOMID_FIRST_RESERVED - FIRST_GUEST
/** So many numbers in a row may be free behind the newest domain before another place is looked at. */
const GAP = 8
/** A domain that is leaving is asked for again after so long, then after twice as long, … */
const AGAIN_MS = 100
/** … and so often: for nearly two minutes. */
const TIMES_AGAIN = 10

/** Whoever follows the domains. */
interface Follower {
  /** Domains that are followed, and those of them that have no console yet. */
  readonly size: number
  readonly withoutConsole: number
  isFollowed(domid: Domid): boolean
  /** Follows a domain if it is there. @returns is it? */
  discover(domid: Domid): boolean
  /** Follows a domain in the place of whichever had its number before. */
  arrived(domid: Domid): void
  /** Lets go of a domain if it is gone. @returns `leaving`: it is there, but has no keys */
  drop(domid: Domid): 'gone' | 'leaving' | 'there'
  /** Lets go of those that were about to go and are gone. @returns how many */
  dropLeaving(): number
  /** @param alive all domains that exist and are not dying, ascending */
  listed(alive: readonly Domid[]): void
}

export class DomainSearch {
  readonly #domains: Pick<DomainControl, 'states'>
  readonly #follower: Follower
  readonly #log: Logger
  readonly #pace: ListingPace
  readonly #clock: Clock
  /** Asked for again later; each has its own next time. */
  readonly #leaving = new Map<Domid, () => void>()
  /** Found last; the next one to come gets the next free number. */
  #newest: Domid = DOM0
  /** Events that were not looked into yet. */
  #introductions = 0
  #releases = 0
  #lookSoon: NodeJS.Immediate | undefined

  constructor(
    domains: Pick<DomainControl, 'states'>,
    follower: Follower,
    clock: Clock,
    log: Logger,
  ) {
    this.#domains = domains
    this.#follower = follower
    this.#log = log
    this.#clock = clock
    this.#pace = new ListingPace(clock, () => this.list())
  }

  /** `@introduceDomain` came. Events come in flocks: they are dealt with together. */
  introduced(): void {
    this.#introductions++
    this.#lookSoon ??= setImmediate(() => this.#look())
  }

  /** `@releaseDomain` came. */
  released(): void {
    this.#releases++
    this.#lookSoon ??= setImmediate(() => this.#look())
  }

  /** `@introduceDomain/7` came. */
  introducedOne(domid: Domid): void {
    this.#forget(domid)
    this.#follower.arrived(domid)
  }

  /** `@releaseDomain/7` came, or the domain's keys have vanished. */
  releasedOne(domid: Domid): void {
    this.#forget(domid)
    this.#lookAgain(domid, 0)
  }

  /** The follower has found this one. */
  found(domid: Domid): void {
    this.#newest = domid
  }

  /** Lists all; when the hypervisor does not answer, the next event brings the next try. */
  list(): void {
    let states: Int32Array
    try {
      states = this.#domains.states(FIRST_GUEST)
    } catch (error) {
      this.#log.error({ err: error }, 'cannot list the domains')
      return
    }
    const alive: Domid[] = []
    for (let at = 0; at < states.length; at += 2) {
      if (((states[at + 1] as number) & DOMAIN_DYING) === 0) alive.push(states[at] as Domid)
    }
    this.#follower.listed(alive)
  }

  close(): void {
    this.#pace.close()
    clearImmediate(this.#lookSoon)
    for (const domid of this.#leaving.keys()) this.#forget(domid)
  }

  #lookAgain(domid: Domid, times: number): void {
    if (this.#follower.drop(domid) !== 'leaving' || times === TIMES_AGAIN) return
    const later = this.#clock.after(AGAIN_MS * 2 ** times, () => {
      this.#leaving.delete(domid)
      this.#lookAgain(domid, times + 1)
    })
    this.#leaving.set(domid, later)
  }

  #forget(domid: Domid): void {
    this.#leaving.get(domid)?.()
    this.#leaving.delete(domid)
  }

  #look(): void {
    this.#lookSoon = undefined
    const introductions = this.#introductions
    const releases = this.#releases
    this.#introductions = 0
    this.#releases = 0
    if (releases > 0) this.#lookForDeaths()
    if (introductions > 0) this.#lookForNewcomers(introductions)
  }

  #lookForDeaths(): void {
    if (this.#follower.dropLeaving() > 0) this.#pace.requestLater()
    else this.#pace.requestCheaply()
  }

  /** A domain that was found before it was introduced is one of those without a console. */
  #lookForNewcomers(expected: number): void {
    const follower = this.#follower
    const gap = follower.withoutConsole > 0 ? 1 : GAP
    let domid = this.#newest
    let found = 0
    let free = 0
    while (found < expected && free < gap && follower.size < MAX_GUESTS) {
      domid = next(domid)
      if (follower.isFollowed(domid)) continue
      if (follower.discover(domid)) found++
      else free++
    }
    if (free === GAP) this.#pace.requestCheaply()
    else this.#pace.requestLater()
  }
}

/** The number that Xen tries next, after the one that it gave last. */
function next(domid: Domid): Domid {
  return (domid + 1 < DOMID_FIRST_RESERVED ? domid + 1 : FIRST_GUEST) as Domid
}
