/**
 * Which domain is called what: an index, so that finding one guest costs the same among ten and ten
 * thousand. Guests of other toolstacks are in it.
 *
 * It is fed by watches on `/libxl` and `/vm`, where only toolstacks write; a watch on
 * `/local/domain` would be woken by every write of every guest.
 */
import type { Logger } from 'pino'
import type { XenstoreClient } from '../../lixs/client/client.ts'
import {
  type DomainControl,
  type DomainInfo,
  type Domid,
  domidFrom,
} from '../../native/hypervisor.ts'
import { XenError } from '../../native/xen-error.ts'
import { NameTaken } from '../output/errors.ts'
import { backOffMs } from './back-off.ts'

/** Reads on their way at once when the index is filled. */
const FILL_CHUNK = 512

/** What is asked of a connection to XenStore. */
type NameStore = Pick<XenstoreClient, 'watch' | 'read'>

/** Who is creating the domain that a name is kept for. */
export interface Reservation {
  readonly name: string
  readonly uuid: string
  /** Stops the creation, which is then undone. */
  cancel(): void
  /** Settles when the creation has ended, well or not. */
  readonly ended: Promise<void>
}

interface Named {
  readonly domid: Domid
  readonly name: string
  readonly uuid: string
}

export interface DomainNamesOptions {
  readonly domains: DomainControl
  readonly log: Logger
  /** Calls back after ms. */
  readonly after: (ms: number, call: () => void) => void
  /** What xcld itself knows a domain as, when the store does not. */
  readonly recorded: (domid: Domid, uuid: string) => string | undefined
}

export class DomainNames {
  readonly #options: DomainNamesOptions
  readonly #byDomid = new Map<Domid, Named>()
  readonly #byName = new Index()
  readonly #byUuid = new Index()
  readonly #reservedNames = new Map<string, Reservation>()
  readonly #reservedUuids = new Map<string, Reservation>()
  readonly #created = new Map<Domid, Reservation>()
  readonly #numbers = new Map<Reservation, Domid>()
  readonly #leaving = new Set<Domid>()
  readonly #changed = new Set<Domid>()
  /** The reads that are on their way, and those that begin when they have come. */
  #reading: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined
  /** Refusals of Xen in a row. */
  #refusals = 0

  constructor(options: DomainNamesOptions) {
    this.#options = options
  }

  nameOf(domid: Domid): string | undefined {
    return this.#byDomid.get(domid)?.name
  }

  uuidOf(domid: Domid): string | undefined {
    return this.#byDomid.get(domid)?.uuid
  }

  /** Of several with one name, the one that had it first. */
  domidOf(name: string): Domid | undefined {
    return this.#byName.first(name)?.domid
  }

  domidOfUuid(uuid: string): Domid | undefined {
    return this.#byUuid.first(uuid)?.domid
  }

  /** The creation that has this name or uuid, or made this domain, while it goes on. */
  creationOf(key: string | Domid): Reservation | undefined {
    if (typeof key === 'number') return this.#created.get(key)
    return this.#reservedNames.get(key) ?? this.#reservedUuids.get(key.toLowerCase())
  }

  /** All that go on. */
  creations(): Reservation[] {
    return [...this.#reservedNames.values()]
  }

  /** @throws NameTaken */
  reserve(reservation: Reservation): void {
    const { name, uuid } = reservation
    const owner = this.#byName.first(name)
    if (owner !== undefined) {
      throw new NameTaken(`the name ${name} is taken by domain ${owner.domid}`)
    }
    if (this.#reservedNames.has(name)) {
      throw new NameTaken(`a domain with the name ${name} is being created`)
    }
    const same = this.#byUuid.first(uuid)
    if (same !== undefined || this.#reservedUuids.has(uuid)) {
      throw new NameTaken(`the uuid ${uuid} is taken by domain ${same?.name ?? 'being created'}`)
    }
    this.#reservedNames.set(name, reservation)
    this.#reservedUuids.set(uuid, reservation)
  }

  /** Xen has given the domain a number: events about it are our own until `settle`. */
  expect(reservation: Reservation, domid: Domid): void {
    this.#created.set(domid, reservation)
    this.#numbers.set(reservation, domid)
  }

  /** The creation has ended; with a domid, the domain is there. */
  settle(reservation: Reservation, domid: Domid | undefined): void {
    if (this.#reservedNames.get(reservation.name) !== reservation) return
    this.#reservedNames.delete(reservation.name)
    this.#reservedUuids.delete(reservation.uuid)
    const made = this.#numbers.get(reservation)
    if (made !== undefined && this.#created.get(made) === reservation) this.#created.delete(made)
    this.#numbers.delete(reservation)
    if (domid !== undefined) this.set(domid, reservation.name, reservation.uuid)
  }

  /** The domain is being destroyed here: events about it are our own until `set` or `drop`. */
  leave(domid: Domid): void {
    this.#leaving.add(domid)
  }

  set(domid: Domid, name: string, uuid: string): void {
    this.#leaving.delete(domid)
    const before = this.#byDomid.get(domid)
    // Who is read again keeps its place among those of its name.
    if (before !== undefined && before.name === name && before.uuid === uuid) return
    this.drop(domid)
    const named = { domid, name, uuid }
    this.#byDomid.set(domid, named)
    this.#byName.add(name, named)
    this.#byUuid.add(uuid, named)
  }

  drop(domid: Domid): void {
    this.#leaving.delete(domid)
    const named = this.#byDomid.get(domid)
    if (named === undefined) return
    this.#byDomid.delete(domid)
    this.#byName.delete(named.name, named)
    this.#byUuid.delete(named.uuid, named)
  }

  /**
   * Follows a store, after one listing of what is there. The store may have lost everything in the
   * meantime: a domain that Xen still has then keeps the name it is known by.
   */
  async follow(store: NameStore): Promise<void> {
    await Promise.all([
      store.watch('/libxl', (path) => this.#libxlChanged(store, path)),
      store.watch('/vm', (path) => this.#vmChanged(store, path)),
    ])
    const infos = this.#options.domains.list()
    const uuids = new Map(infos.map(({ domid, uuid }) => [domid, uuid]))
    for (const { domid, uuid } of [...this.#byDomid.values()]) {
      if (uuids.get(domid) !== uuid) this.drop(domid)
    }
    for (let at = 0; at < infos.length; at += FILL_CHUNK) {
      await Promise.all(infos.slice(at, at + FILL_CHUNK).map((info) => this.#fill(store, info)))
    }
  }

  /**
   * Settles when all changes that were announced so far are in the index; what changes from now on
   * is not waited for.
   */
  async refreshed(): Promise<void> {
    await (this.#next ?? this.#reading)
  }

  #libxlChanged(store: NameStore, path: string): void {
    const domid = domidFrom(path.split('/')[2] ?? '')
    if (domid !== undefined) this.#noteChange(store, domid)
  }

  #vmChanged(store: NameStore, path: string): void {
    const [, , uuid, key] = path.split('/')
    if (uuid === undefined || key !== 'name') return
    const domid = this.domidOfUuid(uuid)
    if (domid !== undefined) this.#noteChange(store, domid)
  }

  /** Many events of one change become one read. */
  #noteChange(store: NameStore, domid: Domid): void {
    if (this.#created.has(domid) || this.#leaving.has(domid)) return
    this.#changed.add(domid)
    this.#next ??= this.#reading.then(() => {
      this.#next = undefined
      this.#reading = this.#readChanged(store)
      return this.#reading
    })
  }

  async #readChanged(store: NameStore): Promise<void> {
    const domids = [...this.#changed]
    this.#changed.clear()
    const outcomes = await Promise.allSettled(domids.map((domid) => this.#read(store, domid)))
    const refused = domids.filter((_, i) => {
      const outcome = outcomes[i]
      return outcome?.status === 'rejected' && outcome.reason instanceof XenError
    })
    // Any other failure is the connection's: the next one begins with a listing of everything.
    if (refused.length === 0) {
      this.#refusals = 0
      return
    }
    this.#refusals++
    this.#options.log.warn({ domids: refused }, 'Xen does not say what these are; asked again')
    this.#options.after(backOffMs(this.#refusals), () => {
      for (const domid of refused) this.#noteChange(store, domid)
    })
  }

  async #read(store: NameStore, domid: Domid): Promise<void> {
    const stored = await store.read(`/local/domain/${domid}/name`)
    if (this.#created.has(domid)) return
    const info = this.#options.domains.info(domid)
    const name = stored || (info && this.#options.recorded(domid, info.uuid))
    if (name === undefined || info === undefined) this.drop(domid)
    else this.set(domid, name, info.uuid)
  }

  async #fill(store: NameStore, { domid, uuid }: DomainInfo): Promise<void> {
    const stored = await store.read(`/local/domain/${domid}/name`)
    if (this.#created.has(domid)) return
    const name = stored || this.nameOf(domid) || this.#options.recorded(domid, uuid)
    if (name !== undefined) this.set(domid, name, uuid)
  }
}

/** Domains by a key that should be one domain's alone, and for a while, or by mistake, is not. */
class Index {
  readonly #named = new Map<string, Set<Named>>()

  add(key: string, named: Named): void {
    const same = this.#named.get(key)
    if (same === undefined) this.#named.set(key, new Set([named]))
    else same.add(named)
  }

  delete(key: string, named: Named): void {
    const same = this.#named.get(key)
    if (same?.delete(named) && same.size === 0) this.#named.delete(key)
  }

  first(key: string): Named | undefined {
    return this.#named.get(key)?.values().next().value
  }
}
