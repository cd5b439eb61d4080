/**
 * Which consoles there are: follows the domains and their keys, opens and closes consoles.
 *
 * A change below `~/console` concerns one domain: its keys are read anew in one round trip. Where they
 * have vanished, the console is closed, and opened again should they come back. Which domains there
 * are is domain-search.ts's to find out.
 *
 * A domid may be used again, so a domain is known by domid and uuid; whose keys change is asked for.
 */
import { XenstoreConnectionLost } from '../../lixs/client/errors.ts'
import type { DomainControl, DomainInfo, Domid } from '../../native/hypervisor.ts'
import type { Logger } from '../../native/os/log.ts'
import type { Clock } from '../clock.ts'
import type { GuestConsole } from '../console.ts'
import { AtMost } from './at-most.ts'
import { consolePath, isConsoleKey, readConsoleKeys } from './console-keys.ts'
import { DomainSearch, FIRST_GUEST } from './domain-search.ts'
import { LogReopening } from './log-reopening.ts'
import { type ConsoleStore, type StoreWatch, watchChanges, watchDomains } from './store-watches.ts'

/** Consoles closed in one turn of the loop: some milliseconds, in which nobody else is served. */
const CLOSED_PER_TURN = 64

/**
 * Domains whose keys are read at the same time. With ten thousand at once all requests, answers and promises lived
 * until they were old, and the heap was three times as large for ever (bench/consoles, memory).
 */
const READ_AT_ONCE = 64

/** What is asked of the hypervisor. */
type DomainList = Pick<DomainControl, 'info' | 'states'>

interface ConsolesParts {
  readonly domains: DomainList
  /** @param isNew the domain began after consoled did */
  readonly open: (domid: Domid, uuid: string, isNew: boolean) => GuestConsole
  /** Calls; what is written to logs meanwhile goes out together. */
  readonly together: (run: () => void) => void
  readonly clock: Clock
  readonly log: Logger
}

/** A domain that is followed. */
interface Followed {
  readonly console: GuestConsole
  watch: StoreWatch | undefined
  /** Number of the last list in which the domain was there. */
  seenInList: number
  isReading: boolean
  /** This store has said where the ring is; one that was restarted and is empty has not. */
  hadRing: boolean
  /** Its keys changed and are still to be read. */
  isDirty: boolean
  isClosed: boolean
  /** Xen was asked for it just now: its keys are its own when they are read first. */
  isFresh: boolean
}

export class Consoles {
  readonly #parts: ConsolesParts
  readonly #followed = new Map<Domid, Followed>()
  readonly #search: DomainSearch
  readonly #reads = new AtMost(READ_AT_ONCE)
  readonly #reopening: LogReopening
  #store: ConsoleStore | undefined
  /** Of those that are found while a store is taken into use; else nobody waits for them. */
  #firstReads: Promise<void>[] | undefined
  /** The store says which domain came or went. */
  #saysWhich = false
  #lists = 0
  /** Domains that are followed and have no console yet. */
  #withoutConsole = 0
  /** Gone, and still to be closed. */
  #gone: Followed[] = []
  #dirty: Followed[] = []
  /** Domains whose keys vanished since the last list: about to die, most likely. */
  readonly #leaving = new Set<Followed>()

  constructor(parts: ConsolesParts) {
    this.#parts = parts
    this.#search = new DomainSearch(parts.domains, this, parts.clock, parts.log)
    this.#reopening = new LogReopening({
      nameOf: async ({ domid }) => await this.#store?.read(`/local/domain/${domid}/name`),
      isThere: (console) => this.#followed.get(console.domid)?.console === console,
      reads: this.#reads,
      together: parts.together,
    })
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
    this.#saysWhich = await store.offersWatchDepth()
    const search = this.#search
    await (this.#saysWhich
      ? Promise.all([
          watchDomains(store, '@introduceDomain', (domid) => search.introducedOne(domid)),
          watchDomains(store, '@releaseDomain', (domid) => search.releasedOne(domid)),
        ])
      : Promise.all([
          watchChanges(store, '@introduceDomain', () => search.introduced()),
          watchChanges(store, '@releaseDomain', () => search.released()),
        ]))
    const reads = [...this.#followed.values()].map((followed) => this.#follow(followed))
    this.#firstReads = reads
    this.#search.list()
    this.#firstReads = undefined
    await Promise.all(reads)
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

  /**
   * The console of a domain, also of one that no event has told of yet.
   *
   * @param uuid of the one that is meant: if it is followed, Xen need not be asked which one is there
   */
  find(domid: Domid, uuid?: string): GuestConsole | undefined {
    const known = this.#followed.get(domid)
    if (known !== undefined && known.console.uuid === uuid) return known.console
    const info = domid < FIRST_GUEST ? undefined : this.#info(domid)
    if (known !== undefined && known.console.uuid === info?.uuid) return known.console
    if (known !== undefined) this.#close(known)
    if (info === undefined || info.isDying) return undefined
    return this.#open(info, true).console
  }

  /** SIGHUP: logs that are out of date are opened again, soon, under the names that the guests have now. */
  reopenLogs(): void {
    this.#reopening.begin([...this.#followed.values()].map(({ console }) => console))
  }

  close(): void {
    this.#reopening.stop()
    this.#store = undefined
    // What the dead have said last is still taken, also of those that no event has told of yet.
    this.#search.list()
    this.#search.close()
    for (const followed of this.#gone.splice(0)) if (!followed.isClosed) this.#close(followed)
    for (const { console } of this.#followed.values()) console.close()
    this.#followed.clear()
  }

  // --- what DomainSearch finds

  get withoutConsole(): number {
    return this.#withoutConsole
  }

  isFollowed(domid: Domid): boolean {
    return this.#followed.has(domid)
  }

  discover(domid: Domid): boolean {
    return this.#discover(domid, true) !== undefined
  }

  arrived(domid: Domid): void {
    const known = this.#followed.get(domid)
    if (known === undefined) this.#discover(domid, true)
    else if (this.#isGone(known)) this.#replace(known)
  }

  drop(domid: Domid): 'gone' | 'leaving' | 'there' {
    const followed = this.#followed.get(domid)
    if (followed === undefined) return 'gone'
    if (!this.#isGone(followed)) return followed.hadRing ? 'there' : 'leaving'
    this.#gone.push(followed)
    if (this.#gone.length === 1) setImmediate(() => this.#closeSome())
    return 'gone'
  }

  dropLeaving(): number {
    const gone = [...this.#leaving].filter((followed) => this.#isGone(followed))
    for (const followed of gone) this.#close(followed)
    return gone.length
  }

  listed(alive: readonly Domid[]): void {
    const isFirst = this.#lists === 0
    this.#lists++
    this.#leaving.clear()
    for (const domid of alive) {
      const followed = this.#followed.get(domid) ?? this.#discover(domid, !isFirst)
      if (followed !== undefined) followed.seenInList = this.#lists
    }
    for (const followed of this.#followed.values()) {
      if (followed.seenInList !== this.#lists) this.#gone.push(followed)
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
    this.#search.found(info.domid)
    return this.#begin(info, isNew, true)
  }

  #begin(info: Pick<DomainInfo, 'domid' | 'uuid'>, isNew: boolean, isFresh: boolean): Followed {
    const followed: Followed = {
      console: this.#parts.open(info.domid, info.uuid, isNew),
      watch: undefined,
      seenInList: this.#lists,
      isReading: false,
      hadRing: false,
      isDirty: false,
      isClosed: false,
      isFresh,
    }
    this.#followed.set(info.domid, followed)
    this.#withoutConsole++
    const reading = this.#follow(followed)
    this.#firstReads?.push(reading)
    return followed
  }

  /** @param closed called once the last output is dealt with */
  #close(followed: Followed, closed?: () => void): void {
    followed.isClosed = true
    if (!followed.hadRing) this.#withoutConsole--
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
    if (followed.hadRing) this.#withoutConsole++
    followed.hadRing = false
    return this.#reads.run(() => this.#watchAndRead(followed, store))
  }

  #watchAndRead(followed: Followed, store: ConsoleStore): Promise<void> {
    if (followed.isClosed || this.#store !== store) return Promise.resolve()
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
          this.#replace(followed)
          return
        }
        if (keys.ring !== undefined) {
          if (!followed.hadRing) this.#withoutConsole--
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

  /** Closes the console and follows whichever domain has its number now. */
  #replace(followed: Followed): void {
    const { domid } = followed.console
    this.#close(followed, () => {
      if (this.#store !== undefined && !this.#followed.has(domid)) this.#discover(domid, true)
    })
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
      // Released before its end: the store will not tell of that.
      if (this.#saysWhich) this.#search.releasedOne(domid)
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
