import {
  DOM0,
  DOMAIN_DYING,
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
import type { Store } from '../store/store.ts'
import { xsErrnoFrom } from '../wire/errno.ts'
import { OK, type Outcome } from '../xs-errno.ts'

/** What the daemon tells a guest it can do: nothing, as C xenstored 4.17 does. */
const SERVER_FEATURES = 0
/** Between two scans for domains that died or shut down. */
const SCAN_EVERY_MS = 50

/**
 * Domains as they come and go: introduced and released by tools, dying and shutting down by
 * themselves.
 *
 * Of the latter Xen before 4.21 only says that something happened to some domain (VIRQ_DOM_EXC), so
 * all have to be looked at. That is the one thing here whose cost grows with the number of domains;
 * it is done at once, and then at most 20 times a second while more news comes.
 */
export class Domains {
  readonly #control: Pick<DomainControl, 'info' | 'states'> | undefined
  readonly #rings: RingSet
  readonly #store: Store
  readonly #connections: Connections
  readonly #timers: Timers
  readonly #log: Logger
  /** Of the domains whose rings are served: tells a domain from the next one with its domid. */
  readonly #uuids = new Map<Domid, string>()
  #cancelTimer: (() => void) | undefined
  #isScanDue = false

  /** @param control undefined: there is no hypervisor, and so no domain */
  constructor(
    control: Pick<DomainControl, 'info' | 'states'> | undefined,
    rings: RingSet,
    store: Store,
    connections: Connections,
    timers: Timers,
    log: Logger,
  ) {
    this.#control = control
    this.#rings = rings
    this.#store = store
    this.#connections = connections
    this.#timers = timers
    this.#log = log
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
   * Xen is asked first: what is known under this domid may be a domain that has died since the last
   * scan.
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

  /** As if the domain had died. */
  release(domid: Domid): Outcome {
    if (!this.#store.isIntroduced(domid)) return 'ENOENT'
    if (this.#connectionOf(domid) === undefined) return 'EINVAL'
    this.#remove(domid, 'released')
    return OK
  }

  /** The domain goes on after a suspension. */
  resume(domid: Domid): Outcome {
    if (!this.#store.isIntroduced(domid)) return 'ENOENT'
    if (this.#connectionOf(domid) === undefined) return 'EINVAL'
    this.#store.clearShutdown(domid)
    return OK
  }

  /** VIRQ_DOM_EXC: some domain shut down, or died. */
  somethingHappened(): void {
    if (this.#cancelTimer !== undefined) {
      this.#isScanDue = true
      return
    }
    this.#cancelTimer = this.#timers.after(SCAN_EVERY_MS, () => this.#pauseOver())
    try {
      this.#scan()
    } catch (error) {
      if (!(error instanceof XenError)) throw error
      // What happened is still to be found out: tried again when the pause is over.
      this.#log.error({ err: error }, 'cannot list the domains')
      this.#isScanDue = true
    }
  }

  stop(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }

  #pauseOver(): void {
    this.#cancelTimer = undefined
    if (!this.#isScanDue) return
    this.#isScanDue = false
    this.somethingHappened()
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
      this.#store.introduceDomain(domid, connection)
      this.#log.info({ domid, port }, 'domain introduced')
    }
    // Xen told of it before anybody here knew the domain.
    if (info.isShutdown && this.#store.markShutdown(domid)) this.#store.fireReleaseDomain()
    return OK
  }

  /** Compares what the store knows with what Xen knows; both lists ascend. */
  #scan(): void {
    const known = this.#store.knownDomains()
    const states = this.#control?.states()
    if (states === undefined) return
    let hasShutdown = false
    let at = 0
    for (const domid of known) {
      while (at < states.length && (states[at] as number) < domid) at += 2
      if (states[at] !== domid) {
        this.#remove(domid, 'gone')
        continue
      }
      const state = states[at + 1] as number
      if ((state & DOMAIN_DYING) !== 0) {
        this.#remove(domid, 'dying')
      } else if ((state & DOMAIN_SHUTDOWN) !== 0 && this.#store.markShutdown(domid)) {
        const reason = SHUTDOWN_REASONS[state >> DOMAIN_REASON_SHIFT]
        this.#log.info({ domid, reason }, 'domain shut down')
        hasShutdown = true
      }
    }
    if (hasShutdown) this.#store.fireReleaseDomain()
  }

  #remove(domid: Domid, why: string): void {
    const connection = this.#connectionOf(domid)
    if (connection !== undefined) this.#connections.close(connection)
    this.#uuids.delete(domid)
    this.#store.releaseDomain(domid)
    this.#log.info({ domid, why }, 'domain removed')
  }

  #connectionOf(domid: Domid): ConnectionId | undefined {
    // The store keeps the number it was given; it came from the ring set.
    return this.#store.connectionOf(domid) as ConnectionId | undefined
  }

  #attach(domid: Domid, gfn: Gfn, port: EvtchnPort): ConnectionId {
    try {
      const page = { kind: 'gref', gref: GNTTAB_RESERVED_XENSTORE } as const
      return this.#rings.attach(domid, page, port, SERVER_FEATURES)
    } catch (error) {
      if (!(error instanceof XenError) || gfn < 1) throw error
      this.#log.debug({ domid, gfn, err: error }, 'ring not granted, mapping its frame')
      return this.#rings.attach(domid, { kind: 'gfn', gfn }, port, SERVER_FEATURES)
    }
  }
}
