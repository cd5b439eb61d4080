import {
  DOM0,
  DOMAIN_DYING,
  DOMAIN_GONE,
  DOMAIN_REASON_SHIFT,
  DOMAIN_SHUTDOWN,
  type DomainControl,
  type Domid,
  type EvtchnPort,
  type Gfn,
  GNTTAB_RESERVED_XENSTORE,
  SHUTDOWN_REASONS,
} from '../../native/hypervisor.ts'
import type { Logger } from '../../native/os/log.ts'
import type { ConnectionId, RingSet } from '../../native/ring-set.ts'
import { XenError } from '../../native/xen-error.ts'
import type { Connections } from '../connection/connections.ts'
import type { Timers } from '../connection/timers.ts'
import type { Counters } from '../counters.ts'
import type { Store } from '../store/store.ts'
import type { Trace } from '../trace.ts'
import { xsErrnoFrom } from '../wire/errno.ts'
import { OK, type Outcome } from '../xs-errno.ts'
import { DomainNews } from './domain-news.ts'
import type { SoftQuota } from './soft-quota.ts'

/** What the daemon before has told of a domain. */
interface DomainNote {
  readonly domid: Domid
  /** Lower case, 8-4-4-4-12; undefined: not told. */
  readonly uuid: string | undefined
  readonly isIntroduced: boolean
}

/** What lixs asks of the hypervisor. */
export type DomainKnowledge = Pick<DomainControl, 'info' | 'states' | 'changed'>

/**
 * Domains as they come and go: introduced and released by tools, dying and shutting down by
 * themselves (domain-news.ts).
 */
export class Domains {
  readonly #control: DomainKnowledge | undefined
  readonly #rings: RingSet
  readonly #store: Store
  readonly #connections: Connections
  readonly #counters: Counters
  readonly #trace: Trace
  readonly #softQuota: Pick<SoftQuota, 'forget'>
  readonly #log: Logger
  readonly #news: DomainNews | undefined
  /** Of the domains that the store knows: tells a domain from the next one with its domid. */
  readonly #uuids = new Map<Domid, string>()
  readonly #hasBroken = new Set<Domid>()
  #introduced = 0
  #hasShutdown = false

  /** @param control undefined: there is no hypervisor, and so no domain */
  constructor(
    control: DomainKnowledge | undefined,
    rings: RingSet,
    store: Store,
    connections: Connections,
    timers: Timers,
    counters: Counters,
    trace: Trace,
    softQuota: Pick<SoftQuota, 'forget'>,
    log: Logger,
  ) {
    this.#control = control
    this.#softQuota = softQuota
    this.#rings = rings
    this.#store = store
    this.#connections = connections
    this.#counters = counters
    this.#trace = trace
    this.#log = log
    this.#news = control === undefined ? undefined : new DomainNews(control, this, timers, log)
  }

  /**
   * Serves dom0's own ring, through which its kernel (backends, and tools without a socket) speaks.
   *
   * @throws XenError
   */
  introduceSelf(): void {
    const connection = this.#rings.attachSelf()
    this.#connections.openRing(connection, DOM0)
    this.#store.introduceDomain(DOM0, connection)
  }

  /**
   * Maps a domain's ring and serves it. For a domain that is introduced already: the same ring with
   * another port, everything that was on its way is dropped.
   *
   * Xen is asked first: what is known under this domid may be a domain that has died unnoticed.
   *
   * @param gfn frame of the ring's page, used when the domain does not grant it; below 1: unknown
   * @returns ENOSYS without a hypervisor; EINVAL when there is no such domain
   */
  introduce(domid: Domid, gfn: Gfn, port: EvtchnPort): Outcome {
    if (this.#control === undefined) return 'ENOSYS'
    if (domid === DOM0) return 'EINVAL'
    try {
      return this.#introduce(this.#control, domid, gfn, port)
    } catch (error) {
      if (!(error instanceof XenError)) throw error
      this.#log.warn({ domid, port, err: error }, 'domain not introduced')
      return xsErrnoFrom(error.code)
    }
  }

  /**
   * Asked for a domain that the store does not know and that somebody names.
   *
   * @returns whether Xen knows it; without a hypervisor there is nobody to ask: it may be
   */
  exists(domid: Domid): boolean {
    const info = this.#control?.info(domid)
    if (info !== undefined) this.#uuids.set(domid, info.uuid)
    return info !== undefined || this.#control === undefined
  }

  /** Serves a domain of the daemon before, or, without its ring, waits for its end. Tells nobody. */
  adopt({ domid, uuid, isIntroduced }: DomainNote): void {
    const known = uuid ?? this.#control?.info(domid)?.uuid
    if (known !== undefined) this.#uuids.set(domid, known)
    if (isIntroduced) this.#introduced++
  }

  /** Is it the domain of the daemon before, rather than the next one with its domid? */
  isSame({ domid, uuid }: Pick<DomainNote, 'domid' | 'uuid'>): boolean {
    return uuid === undefined || this.#control?.info(domid)?.uuid === uuid
  }

  /** undefined: Xen was not asked. */
  uuidOf(domid: Domid): string | undefined {
    return this.#uuids.get(domid)
  }

  /** As if the domain had died. */
  release(domid: Domid): Outcome {
    if (this.#connections.isTrusted(domid)) return 'EINVAL'
    this.#news?.released(domid)
    if (!this.#store.isIntroduced(domid)) return 'ENOENT'
    if (this.#connectionOf(domid) === undefined) return 'EINVAL'
    this.#remove(domid, 'released')
    return OK
  }

  /** The domain goes on after a suspension. */
  resume(domid: Domid): Outcome {
    if (this.#connections.isTrusted(domid)) return 'EINVAL'
    if (!this.#store.isIntroduced(domid)) return 'ENOENT'
    if (this.#connectionOf(domid) === undefined) return 'EINVAL'
    this.#store.clearShutdown(domid)
    return OK
  }

  /** The domain may have more or less of its own in work. */
  limitsChanged(domid: Domid): void {
    const connection = this.#connectionOf(domid)
    if (connection !== undefined) this.#connections.limitsChanged(connection)
  }

  /** A guest begins anew with the ring that it has: nothing of before is left. */
  reconnect(connection: ConnectionId): void {
    const who = this.#connections.senderOf(connection)
    if (who === undefined) return
    this.#connections.renew(connection)
    this.#rings.reconnect(connection)
    this.#log.debug({ domid: who.domid }, 'guest begins anew')
  }

  /** A guest broke its ring. It can do so again and again: the first time is told. */
  brokeRing(domid: Domid, error: number): void {
    const level = this.#hasBroken.has(domid) ? 'debug' : 'warn'
    this.#hasBroken.add(domid)
    this.#log[level]({ domid, error }, 'ring protocol broken, no longer served')
  }

  /** Domains whose rings are served, dom0 not counted. */
  get count(): number {
    return this.#introduced
  }

  /** VIRQ_DOM_EXC: some domain shut down, or died. */
  somethingHappened(): void {
    this.#news?.somethingHappened()
  }

  stop(): void {
    this.#news?.stop()
  }

  // --- what became of domains, found by DomainNews

  known(): readonly Domid[] {
    this.#counters.listing()
    return this.#store.knownDomains()
  }

  deal(domid: Domid, state: number): void {
    if (!this.#store.isKnown(domid)) return
    if ((state & (DOMAIN_DYING | DOMAIN_GONE)) !== 0) {
      this.#remove(domid, (state & DOMAIN_DYING) !== 0 ? 'dying' : 'gone')
    } else if ((state & DOMAIN_SHUTDOWN) !== 0 && this.#store.markShutdown(domid)) {
      const reason = SHUTDOWN_REASONS[state >> DOMAIN_REASON_SHIFT]
      this.#log.info({ domid, reason }, 'domain shut down')
      this.#hasShutdown = true
    } else if (state === 0) {
      this.#removeReplaced(domid)
    }
  }

  dealt(): void {
    if (this.#hasShutdown) this.#store.fireReleaseDomain()
    this.#hasShutdown = false
  }

  turnEnds(): void {
    this.#rings.flush()
  }

  #introduce(
    control: Pick<DomainControl, 'info'>,
    domid: Domid,
    gfn: Gfn,
    port: EvtchnPort,
  ): Outcome {
    const info = control.info(domid)
    const isThere = info !== undefined && !info.isDying
    const uuid = this.#uuids.get(domid)
    if (uuid !== undefined && (!isThere || uuid !== info.uuid)) {
      this.#remove(domid, isThere ? 'replaced' : 'gone')
    }
    if (!isThere) return 'EINVAL'
    const present = this.#connectionOf(domid)
    if (present !== undefined) {
      this.#rings.reattach(present, port)
      this.#connections.renew(present)
    } else {
      const connection = this.#attach(domid, gfn, port)
      this.#connections.openRing(connection, domid)
      this.#uuids.set(domid, info.uuid)
      this.#news?.forget(domid)
      this.#introduced++
      this.#counters.introduction()
      this.#softQuota.forget(domid)
      this.#store.introduceDomain(domid, connection)
      this.#log.info({ domid, port }, 'domain introduced')
      if (this.#trace.isOn) this.#trace.object(connection, `domain introduced, port ${port}`)
    }
    // Xen told of it before anybody here knew the domain.
    if (info.isShutdown && this.#store.markShutdown(domid)) this.#store.fireReleaseDomain()
    return OK
  }

  /** The domid may have gone to another domain before the end of the one that is known was told. */
  #removeReplaced(domid: Domid): void {
    const uuid = this.#uuids.get(domid)
    const now = uuid === undefined ? undefined : this.#control?.info(domid)
    if (now !== undefined && now.uuid !== uuid) this.#remove(domid, 'replaced')
  }

  #remove(domid: Domid, why: string): void {
    const connection = this.#connectionOf(domid)
    if (connection !== undefined) {
      if (this.#trace.isOn) this.#trace.object(connection, `domain removed, ${why}`)
      this.#connections.close(connection)
    }
    this.#uuids.delete(domid)
    this.#hasBroken.delete(domid)
    if (this.#store.isIntroduced(domid)) this.#introduced--
    this.#store.releaseDomain(domid)
    this.#counters.removal()
    this.#log.info({ domid, why }, 'domain removed')
  }

  #connectionOf(domid: Domid): ConnectionId | undefined {
    // The store keeps the number it was given; it came from the ring set.
    return this.#store.connectionOf(domid) as ConnectionId | undefined
  }

  #attach(domid: Domid, gfn: Gfn, port: EvtchnPort): ConnectionId {
    const features = this.#store.settings.featuresOf(domid)
    try {
      const page = { kind: 'gref', gref: GNTTAB_RESERVED_XENSTORE } as const
      return this.#rings.attach(domid, page, port, features)
    } catch (error) {
      if (!(error instanceof XenError) || gfn < 1) throw error
      this.#log.debug({ domid, gfn, err: error }, 'ring not granted, mapping its frame')
      return this.#rings.attach(domid, { kind: 'gfn', gfn }, port, features)
    }
  }
}
