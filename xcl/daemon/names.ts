/**
 * Which domain is called what: an index, so that finding one guest costs the same among ten and ten
 * thousand. Guests of other toolstacks are in it.
 *
 * It is fed by watches on `/libxl` and `/vm`, where only toolstacks write; a watch on
 * `/local/domain` would be woken by every write of every guest.
 */
import type { XenstoreClient } from '../../lixs/client/client.ts'
import { type DomainControl, type Domid, domidFrom } from '../../native/hypervisor.ts'
import { NameTaken } from '../output/errors.ts'

/** Reads on their way at once when the index is filled. */
const FILL_CHUNK = 512

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

export class DomainNames {
  readonly #domains: DomainControl
  readonly #byDomid = new Map<Domid, Named>()
  readonly #byName = new Map<string, Named>()
  readonly #byUuid = new Map<string, Named>()
  readonly #reservedNames = new Map<string, Reservation>()
  readonly #reservedUuids = new Map<string, Reservation>()
  readonly #created = new Map<Domid, Reservation>()
  readonly #changed = new Set<Domid>()
  #refreshing: Promise<void> | undefined

  constructor(domains: DomainControl) {
    this.#domains = domains
  }

  nameOf(domid: Domid): string | undefined {
    return this.#byDomid.get(domid)?.name
  }

  uuidOf(domid: Domid): string | undefined {
    return this.#byDomid.get(domid)?.uuid
  }

  domidOf(name: string): Domid | undefined {
    return this.#byName.get(name)?.domid
  }

  domidOfUuid(uuid: string): Domid | undefined {
    return this.#byUuid.get(uuid)?.domid
  }

  /** The creation that has this name, or made this domain, while it goes on. */
  creationOf(key: string | Domid): Reservation | undefined {
    return typeof key === 'number' ? this.#created.get(key) : this.#reservedNames.get(key)
  }

  /** @throws NameTaken */
  reserve(reservation: Reservation): void {
    const { name, uuid } = reservation
    const owner = this.#byName.get(name)
    if (owner !== undefined) {
      throw new NameTaken(`the name ${name} is taken by domain ${owner.domid}`)
    }
    if (this.#reservedNames.has(name)) {
      throw new NameTaken(`a domain with the name ${name} is being created`)
    }
    const same = this.#byUuid.get(uuid)
    if (same !== undefined || this.#reservedUuids.has(uuid)) {
      throw new NameTaken(`the uuid ${uuid} is taken by domain ${same?.name ?? 'being created'}`)
    }
    this.#reservedNames.set(name, reservation)
    this.#reservedUuids.set(uuid, reservation)
  }

  /** Xen has given the domain a number: events about it are our own until `settle`. */
  expect(reservation: Reservation, domid: Domid): void {
    this.#created.set(domid, reservation)
  }

  /** The creation has ended; with a domid, the domain is there. */
  settle(reservation: Reservation, domid: Domid | undefined): void {
    if (this.#reservedNames.get(reservation.name) !== reservation) return
    this.#reservedNames.delete(reservation.name)
    this.#reservedUuids.delete(reservation.uuid)
    for (const [made, by] of this.#created) if (by === reservation) this.#created.delete(made)
    if (domid !== undefined) this.set(domid, reservation.name, reservation.uuid)
  }

  set(domid: Domid, name: string, uuid: string): void {
    this.drop(domid)
    const named = { domid, name, uuid }
    this.#byDomid.set(domid, named)
    this.#byName.set(name, named)
    this.#byUuid.set(uuid, named)
  }

  drop(domid: Domid): void {
    const named = this.#byDomid.get(domid)
    if (named === undefined) return
    this.#byDomid.delete(domid)
    if (this.#byName.get(named.name) === named) this.#byName.delete(named.name)
    if (this.#byUuid.get(named.uuid) === named) this.#byUuid.delete(named.uuid)
  }

  /** Follows a store, after one listing of what is there. */
  async follow(store: XenstoreClient): Promise<void> {
    await Promise.all([
      store.watch('/libxl', (path) => this.#libxlChanged(store, path)),
      store.watch('/vm', (path) => this.#vmChanged(store, path)),
    ])
    for (const domid of [...this.#byDomid.keys()]) this.drop(domid)
    const infos = this.#domains.list()
    for (let at = 0; at < infos.length; at += FILL_CHUNK) {
      const domids = infos.slice(at, at + FILL_CHUNK).map((info) => info.domid)
      await Promise.all(domids.map((domid) => this.#read(store, domid)))
    }
  }

  /** Settles when all changes that were announced so far are in the index. */
  async refreshed(): Promise<void> {
    while (this.#refreshing !== undefined) await this.#refreshing
  }

  #libxlChanged(store: XenstoreClient, path: string): void {
    const domid = domidFrom(path.split('/')[2] ?? '')
    if (domid !== undefined) this.#noteChange(store, domid)
  }

  #vmChanged(store: XenstoreClient, path: string): void {
    const [, , uuid, key] = path.split('/')
    if (uuid === undefined || key !== 'name') return
    const domid = this.domidOfUuid(uuid)
    if (domid !== undefined) this.#noteChange(store, domid)
  }

  /** Many events of one change become one read. */
  #noteChange(store: XenstoreClient, domid: Domid): void {
    if (this.#created.has(domid)) return
    this.#changed.add(domid)
    this.#refreshing ??= this.#refresh(store)
  }

  async #refresh(store: XenstoreClient): Promise<void> {
    try {
      await Promise.resolve()
      while (this.#changed.size > 0) {
        const domids = [...this.#changed]
        this.#changed.clear()
        await Promise.all(domids.map((domid) => this.#read(store, domid)))
      }
    } catch {
      // The connection is lost: the next one begins with a listing of everything.
      this.#changed.clear()
    } finally {
      this.#refreshing = undefined
    }
  }

  async #read(store: XenstoreClient, domid: Domid): Promise<void> {
    const name = await store.read(`/local/domain/${domid}/name`)
    if (this.#created.has(domid)) return
    const info = this.#domains.info(domid)
    if (name === undefined || name === '' || info === undefined) this.drop(domid)
    else this.set(domid, name, info.uuid)
  }
}
