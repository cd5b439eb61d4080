/**
 * Which consoles there are: follows the domains and their keys, opens and closes consoles.
 *
 * What an event costs:
 * - `@introduceDomain` does not say who came. Xen gives the next free number, so those behind the
 *   newest known one are asked for, one for each that came; all domains are listed when there are not
 *   as many (a domid that was chosen), and later to make sure.
 * - A change below `~/console` concerns one domain: its keys are read anew in one round trip. Where
 *   they have vanished, the console is closed, and opened again should they come back.
 * - `@releaseDomain` does not say who went. Toolstacks remove a domain's tree shortly before or after
 *   its death, so those whose keys vanished are asked for; all are listed when it was none of them,
 *   and later to make sure.
 *
 * Listings are kept to a two-hundredth of the time (native/listing-pace.ts): a console that is found,
 * or closed, a second later does no harm.
 *
 * A domid may be used again, so a domain is known by domid and uuid; whose keys change is asked for.
 */

import { XenstoreConnectionLost } from '../lixs/client/errors.ts'
import {
  DOM0,
  DOMAIN_DYING,
  DOMID_FIRST_RESERVED,
  type DomainControl,
  type DomainInfo,
  type Domid,
} from '../native/hypervisor.ts'
import { ListingPace } from '../native/listing-pace.ts'
import type { Logger } from '../native/os/log.ts'
import type { Clock } from './clock.ts'
import type { GuestConsole } from './console.ts'
import { consolePath, isConsoleKey, type KeyReader, readConsoleKeys } from './console-keys.ts'

/** So many numbers in a row may be free behind the newest domain before another place is looked at. */
const GAP = 8
/** Consoles closed in one turn of the loop: some milliseconds, in which nobody else is served. */
const CLOSED_PER_TURN = 64

/** A watch that was registered. */
interface StoreWatch {
  unwatch(): Promise<void>
}

/** What is needed of a connection to the store; `XenstoreClient` has it. */
interface ConsoleStore extends KeyReader {
  write(path: string, value: string): Promise<void>
  /** The handler's first call comes at once, without any change. */
  watch(path: string, handler: (path: string) => void): Promise<StoreWatch>
}

/** What is asked of the hypervisor. */
type DomainList = Pick<DomainControl, 'info' | 'states'>

interface ConsolesParts {
  readonly domains: DomainList
  /** @param isNew the domain began after consoled did */
  readonly open: (domid: Domid, uuid: string, isNew: boolean) => GuestConsole
  readonly clock: Clock
  readonly log: Logger
}

/** A domain that is followed. */
interface Followed {
  readonly console: GuestConsole
  watch: StoreWatch | undefined
  /** Number of the last scan in which the domain was there. */
  seenInScan: number
  /** Settles when its keys have been read for the first time. */
  reading: Promise<void> | undefined
  isReading: boolean
  /** This store has said where the ring is; one that was restarted and is empty has not. */
  hadRing: boolean
  /** Its keys changed and are still to be read. */
  isDirty: boolean
  isClosed: boolean
  /** Xen was asked for it just now: its keys are its own when they are read first. */
  isFresh: boolean
}

const FIRST_GUEST = 1
const MAX_GUESTS = DOMID_FIRST_RESERVED - FIRST_GUEST

export class Consoles {
  readonly #parts: ConsolesParts
  readonly #followed = new Map<Domid, Followed>()
  readonly #pace: ListingPace
  #store: ConsoleStore | undefined
  #scans = 0
  /** Domid of the domain found last; the next one to come gets the next free number. */
  #newest: Domid = DOM0
  /** Events that were not looked into yet. */
  #introductions = 0
  #releases = 0
  #isLooking = false
  /** Domains that are followed and have no console yet. */
  #waiting = 0
  /** Gone, and still to be closed. */
  #gone: Followed[] = []
  #dirty: Followed[] = []
  /** Domains whose keys vanished since the last scan: about to die, most likely. */
  readonly #leaving = new Set<Followed>()

  constructor(parts: ConsolesParts) {
    this.#parts = parts
    this.#pace = new ListingPace(parts.clock, () => this.#scan())
  }

  get size(): number {
    return this.#followed.size
  }

  /**
   * Follows the domains through this connection, from now on and in place of any earlier one.
   * Settles when the consoles that are there are served.
   *
   * @throws XenstoreError, XenstoreConnectionLost when the two watches cannot be set
   */
  async useStore(store: ConsoleStore): Promise<void> {
    this.#store = store
    for (const followed of this.#followed.values()) followed.watch = undefined
    await Promise.all([
      watchChanges(store, '@introduceDomain', () => this.#introduced()),
      watchChanges(store, '@releaseDomain', () => this.#released()),
    ])
    for (const followed of this.#followed.values()) followed.reading = this.#follow(followed)
    this.#scan()
    await Promise.all([...this.#followed.values()].map(({ reading }) => reading))
  }

  /** The connection has ended; consoles are served on, nothing new is learnt until `useStore`. */
  loseStore(): void {
    this.#store = undefined
  }

  /** Writes the path of a pty where the toolstack and `xl console` look for it. */
  publishTty(domid: Domid, slavePath: string): void {
    this.#store?.write(`${consolePath(domid)}/tty`, slavePath).catch((error: unknown) => {
      this.#parts.log.warn({ domid, err: error }, 'cannot write the tty key')
    })
  }

  /** The console of a domain, also of one that no event has told of yet. */
  find(domid: Domid): GuestConsole | undefined {
    const known = this.#followed.get(domid)
    const info = domid < FIRST_GUEST ? undefined : this.#info(domid)
    if (known !== undefined && known.console.uuid === info?.uuid) return known.console
    if (known !== undefined) this.#close(known)
    if (info === undefined || info.isDying) return undefined
    return this.#open(info, true).console
  }

  /** SIGHUP: logs are closed and opened again, soon under the names that the guests have now. */
  reopenLogs(): void {
    for (const { console } of this.#followed.values()) {
      console.reopenLog()
      this.#store?.read(`/local/domain/${console.domid}/name`).then(
        (name) => {
          if (name !== undefined) console.rename(name)
        },
        () => undefined, // the name we have is as good as any while the store is away
      )
    }
  }

  close(): void {
    this.#pace.close()
    this.#store = undefined
    this.#gone = []
    for (const { console } of this.#followed.values()) console.close()
    this.#followed.clear()
  }

  /** Events come in flocks: they are dealt with together. */
  #introduced(): void {
    this.#introductions++
    this.#lookSoon()
  }

  #released(): void {
    this.#releases++
    this.#lookSoon()
  }

  #lookSoon(): void {
    if (this.#isLooking) return
    this.#isLooking = true
    setImmediate(() => {
      this.#isLooking = false
      const { introductions, releases } = this.#takeEvents()
      if (this.#store === undefined) return
      if (releases > 0) this.#lookForDeaths()
      if (introductions > 0) this.#lookForNewcomers(introductions)
    })
  }

  #takeEvents(): { introductions: number; releases: number } {
    const events = { introductions: this.#introductions, releases: this.#releases }
    this.#introductions = 0
    this.#releases = 0
    return events
  }

  /** A domain that was found before it was introduced is one of those without a console. */
  #lookForNewcomers(expected: number): void {
    const gap = this.#waiting > 0 ? 1 : GAP
    let domid = this.#newest
    let found = 0
    let free = 0
    while (found < expected && free < gap && this.#followed.size < MAX_GUESTS) {
      domid = next(domid)
      if (this.#followed.has(domid)) continue
      if (this.#discover(domid, true) === undefined) free++
      else found++
    }
    if (free === GAP) this.#pace.requestCheaply()
    else this.#pace.requestLater()
  }

  #lookForDeaths(): void {
    const gone = [...this.#leaving].filter((followed) => this.#isGone(followed))
    for (const followed of gone) this.#close(followed)
    if (gone.length > 0) this.#pace.requestLater()
    else this.#pace.requestCheaply()
  }

  #scan(): void {
    const alive = this.#alive()
    if (alive === undefined) return
    const isFirst = this.#scans === 0
    this.#scans++
    this.#leaving.clear()
    for (const domid of alive) {
      const followed = this.#followed.get(domid) ?? this.#discover(domid, !isFirst)
      if (followed !== undefined) followed.seenInScan = this.#scans
    }
    for (const followed of this.#followed.values()) {
      if (followed.seenInScan !== this.#scans) this.#gone.push(followed)
    }
    this.#closeSome()
  }

  #closeSome(): void {
    for (const followed of this.#gone.splice(0, CLOSED_PER_TURN)) {
      if (!followed.isClosed) this.#close(followed)
    }
    if (this.#gone.length > 0) setImmediate(() => this.#closeSome())
  }

  /** Follows a domain that was not known. */
  #discover(domid: Domid, isNew: boolean): Followed | undefined {
    const info = this.#info(domid)
    return info === undefined || info.isDying ? undefined : this.#open(info, isNew)
  }

  /**
   * Domains that exist and are not dying, in ascending order. Undefined when the hypervisor did not
   * answer; then the next event brings the next try.
   */
  #alive(): Domid[] | undefined {
    let states: Int32Array
    try {
      states = this.#parts.domains.states(FIRST_GUEST)
    } catch (error) {
      this.#parts.log.error({ err: error }, 'cannot list the domains')
      return undefined
    }
    const alive: Domid[] = []
    for (let at = 0; at < states.length; at += 2) {
      if (((states[at + 1] as number) & DOMAIN_DYING) === 0) alive.push(states[at] as Domid)
    }
    return alive
  }

  /** Undefined also when the hypervisor did not answer. */
  #info(domid: Domid): DomainInfo | undefined {
    try {
      return this.#parts.domains.info(domid)
    } catch (error) {
      this.#parts.log.error({ domid, err: error }, 'cannot ask for the domain')
      return undefined
    }
  }

  #open(info: DomainInfo, isNew: boolean): Followed {
    this.#newest = info.domid
    return this.#begin(info, isNew, true)
  }

  #begin(info: Pick<DomainInfo, 'domid' | 'uuid'>, isNew: boolean, isFresh: boolean): Followed {
    const followed: Followed = {
      console: this.#parts.open(info.domid, info.uuid, isNew),
      watch: undefined,
      seenInScan: this.#scans,
      reading: undefined,
      isReading: false,
      hadRing: false,
      isDirty: false,
      isClosed: false,
      isFresh,
    }
    this.#followed.set(info.domid, followed)
    this.#waiting++
    followed.reading = this.#follow(followed)
    return followed
  }

  /** @param closed called once the last output is dealt with */
  #close(followed: Followed, closed?: () => void): void {
    followed.isClosed = true
    if (!followed.hadRing) this.#waiting--
    this.#followed.delete(followed.console.domid)
    this.#leaving.delete(followed)
    followed.watch?.unwatch().catch(() => undefined) // the connection has ended, and the watch with it
    followed.console.end(closed)
    this.#parts.log.info({ domid: followed.console.domid }, 'console closed')
  }

  /** Watches a console's keys and reads them, all in one round trip. */
  #follow(followed: Followed): Promise<void> {
    const store = this.#store
    if (store === undefined) return Promise.resolve()
    if (followed.hadRing) this.#waiting++
    followed.hadRing = false
    const { domid } = followed.console
    watchChanges(store, consolePath(domid), (path) => {
      if (isConsoleKey(domid, path)) this.#keysChanged(followed)
    }).then(
      (watch) => {
        if (followed.isClosed)
          watch.unwatch().catch(() => undefined) // ended with the connection
        else if (this.#store === store) followed.watch = watch
      },
      (error: unknown) => this.#refused(domid, error, store),
    )
    return this.#read(followed, store)
  }

  /** One change often comes with others (libxl writes eight keys): they are read together. */
  #keysChanged(followed: Followed): void {
    if (followed.isClosed || followed.isDirty) return
    followed.isDirty = true
    if (followed.isReading) return
    this.#dirty.push(followed)
    if (this.#dirty.length === 1) setImmediate(() => this.#readDirty())
  }

  #readDirty(): void {
    const dirty = this.#dirty
    this.#dirty = []
    if (this.#store === undefined) return
    for (const followed of dirty) if (!followed.isClosed) this.#read(followed, this.#store)
  }

  async #read(followed: Followed, store: ConsoleStore): Promise<void> {
    followed.isReading = true
    try {
      do {
        followed.isDirty = false
        const wasFresh = followed.isFresh
        followed.isFresh = false
        const keys = await readConsoleKeys(store, followed.console.domid)
        if (followed.isClosed || this.#store !== store) return
        if (!wasFresh && this.#isReplaced(followed)) {
          const { domid } = followed.console
          this.#close(followed, () => {
            if (this.#store !== undefined && !this.#followed.has(domid)) this.#discover(domid, true)
          })
          return
        }
        if (keys.ring !== undefined) {
          if (!followed.hadRing) this.#waiting--
          followed.hadRing = true
        } else if (followed.console.isConnected && this.#isOver(followed)) {
          this.#keysVanished(followed)
          return
        }
        followed.console.update(keys)
      } while (followed.isDirty)
    } catch (error) {
      this.#refused(followed.console.domid, error, store)
    } finally {
      followed.isReading = false
    }
  }

  /** The domid is another domain's by now, whose keys these are. */
  #isReplaced(followed: Followed): boolean {
    const info = this.#info(followed.console.domid)
    return info !== undefined && info.uuid !== followed.console.uuid
  }

  /** Whether keys that are missing mean that the console has ended. */
  #isOver(followed: Followed): boolean {
    return followed.hadRing || this.#isGone(followed)
  }

  /** Closes the console; a domain that is still there is followed on, for its keys may come back. */
  #keysVanished(followed: Followed): void {
    const { domid, uuid } = followed.console
    if (this.#isGone(followed)) {
      this.#close(followed)
      return
    }
    // Only when the ring is given up can it be taken again.
    this.#close(followed, () => {
      if (this.#store === undefined || this.#followed.has(domid)) return
      this.#leaving.add(this.#begin({ domid, uuid }, false, false))
    })
  }

  #isGone(followed: Followed): boolean {
    const info = this.#info(followed.console.domid)
    return info === undefined || info.isDying || info.uuid !== followed.console.uuid
  }

  #refused(domid: Domid, error: unknown, store: ConsoleStore): void {
    if (this.#store !== store || error instanceof XenstoreConnectionLost) return
    this.#parts.log.warn({ domid, err: error }, 'cannot read the console keys')
  }
}

/** The number that Xen tries next, after the one that it gave last. */
function next(domid: number): Domid {
  return (domid + 1 < DOMID_FIRST_RESERVED ? domid + 1 : FIRST_GUEST) as Domid
}

/** A watch that tells of changes only: its first event, which comes at once, is left out. */
function watchChanges(
  store: ConsoleStore,
  path: string,
  changed: (path: string) => void,
): Promise<StoreWatch> {
  let isFirst = true
  return store.watch(path, (changedPath) => {
    if (isFirst) isFirst = false
    else changed(changedPath)
  })
}
