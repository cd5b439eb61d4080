/**
 * Which domains came and went: the store's two events about domains do not say.
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
} from '../native/hypervisor.ts'
import { ListingPace } from '../native/listing-pace.ts'
import type { Logger } from '../native/os/log.ts'
import type { Clock } from './clock.ts'

export const FIRST_GUEST = 1
const MAX_GUESTS = DOMID_FIRST_RESERVED - FIRST_GUEST
/** So many numbers in a row may be free behind the newest domain before another place is looked at. */
const GAP = 8

/** Whoever follows the domains. */
interface Follower {
  /** Domains that are followed, and those of them that have no console yet. */
  readonly size: number
  readonly withoutConsole: number
  isFollowed(domid: Domid): boolean
  /** Follows a domain if it is there. @returns is it? */
  discover(domid: Domid): boolean
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
