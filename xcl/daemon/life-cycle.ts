/**
 * Follows the domains that xcld created until they end, and does what their configurations say.
 *
 * A domain is its number and its uuid together: Xen gives numbers again.
 *
 * Xen before 4.21 does not tell which domain ended, so `@releaseDomain` costs one listing of all:
 * at most 20 a second, and none for releases that are our own (the end of a destroy): each of those
 * brings one event, which comes before the answer to the RELEASE.
 */
import type { Logger } from 'pino'
import type { DomainControl, DomainInfo, Domid, ShutdownReason } from '../../native/hypervisor.ts'
import type { DomainConfig } from '../config/domain-config.ts'
import { backOffMs } from './back-off.ts'
import { decideEnd, type EndDecision } from './end-policy.ts'

/** Between an event and the listing: what ends in this time is found by one. */
const SCAN_PAUSE_MS = 50

/** A domain xcld created. */
export interface Managed {
  readonly domid: Domid
  readonly uuid: string
  readonly config: DomainConfig
  /** By the injected clock; of the unpause. */
  readonly startedAtMs: number
  /** Ends in a row, before this start, that came too soon. */
  readonly quickDeaths: number
}

/** What the life cycle has done by others. */
export interface EndActions {
  destroy(domid: Domid): Promise<void>
  /** Ends the domain and creates it again; with `isRenamed` the old one stays under another name. */
  restart(managed: Managed, quickDeaths: number, isRenamed: boolean): Promise<void>
  /** The domain is gone without our doing; what is left of it is removed. */
  vanished(managed: Managed): Promise<void>
}

export interface LifeCycleOptions {
  readonly domains: DomainControl
  readonly log: Logger
  /** ms, monotonic. */
  readonly clock: () => number
  /** Calls back after ms; given so that tests need not wait. */
  readonly after: (ms: number, call: () => void) => void
  readonly actions: EndActions
}

/** Number and uuid as one key. */
type Identity = `${number}/${string}`

export class LifeCycle {
  readonly #options: LifeCycleOptions
  readonly #managed = new Map<Identity, Managed>()
  /** The managed domain that has the number now. */
  readonly #byDomid = new Map<Domid, Managed>()
  /** Domains that somebody is ending, and how many are at it. */
  readonly #busy = new Map<Identity, number>()
  readonly #waiters = new Map<Identity, Set<() => void>>()
  /** Ends that could not be dealt with, and how often in a row. */
  readonly #failures = new Map<Identity, number>()
  /** Those of them whose next try has not come yet. */
  readonly #resting = new Set<Identity>()
  /** Listings in a row that Xen refused. */
  #refusals = 0
  /** Events that no RELEASE of ours accounts for yet. */
  #unexplained = 0
  #scans = 0
  #isScanDue = false
  #isStopped = false

  constructor(options: LifeCycleOptions) {
    this.#options = options
  }

  track(managed: Managed): void {
    this.#managed.set(identityOf(managed), managed)
    this.#byDomid.set(managed.domid, managed)
  }

  managed(domid: Domid): Managed | undefined {
    return this.#byDomid.get(domid)
  }

  /**
   * From now on the domain's end is somebody's work: it is not looked at until `finish`.
   * @returns what was known of it
   */
  begin(domid: Domid, uuid: string): Managed | undefined {
    const identity = identityOf({ domid, uuid })
    const managed = this.#managed.get(identity)
    this.#managed.delete(identity)
    if (this.#byDomid.get(domid) === managed) this.#byDomid.delete(domid)
    this.#busy.set(identity, (this.#busy.get(identity) ?? 0) + 1)
    return managed
  }

  /** The work is done, or was given up and the domain is followed again; who waits is told. */
  finish(domid: Domid, uuid: string, again?: Managed): void {
    const identity = identityOf({ domid, uuid })
    const depth = (this.#busy.get(identity) ?? 1) - 1
    if (depth > 0) this.#busy.set(identity, depth)
    else this.#busy.delete(identity)
    if (again !== undefined) this.track(again)
    else if (depth === 0) {
      this.#failures.delete(identity)
      this.#tell(identity)
    }
  }

  /** `@releaseDomain` came. */
  released(): void {
    this.#unexplained++
    this.#scheduleScan(SCAN_PAUSE_MS)
  }

  /** Sends a RELEASE of our own; the event it brings is no reason to look for dead domains. */
  async ownRelease(release: () => Promise<void>): Promise<void> {
    const scans = this.#scans
    await release()
    // A listing since then has answered for the event already.
    if (scans === this.#scans && this.#unexplained > 0) this.#unexplained--
  }

  /** Looks at all domains soon, whether an event came or not; after connecting to a store. */
  scanSoon(): void {
    this.released()
  }

  /**
   * Settles when the domain has shut down and was dealt with, or is gone; or when nobody wants to
   * know any more.
   * @throws XenError
   */
  async ended(domid: Domid, signal?: AbortSignal): Promise<void> {
    const info = this.#options.domains.info(domid)
    const uuid = info?.uuid ?? this.#byDomid.get(domid)?.uuid
    if (uuid === undefined || signal?.aborted) return
    const identity = identityOf({ domid, uuid })
    await new Promise<void>((resolve) => {
      const waiters = this.#waiters.get(identity) ?? new Set()
      this.#waiters.set(identity, waiters)
      waiters.add(resolve)
      signal?.addEventListener('abort', () => {
        waiters.delete(resolve)
        if (waiters.size === 0 && this.#waiters.get(identity) === waiters) {
          this.#waiters.delete(identity)
        }
        resolve()
      })
      // It may have ended before anybody waited.
      if (info === undefined || info.isShutdown || info.isDying) this.scanSoon()
    })
  }

  /** How many wait for the end of some domain. */
  get waiting(): number {
    let waiting = 0
    for (const waiters of this.#waiters.values()) waiting += waiters.size
    return waiting
  }

  /** What ends from now on is for the next xcld. */
  stop(): void {
    this.#isStopped = true
  }

  #scheduleScan(pauseMs: number): void {
    if (this.#isScanDue) return
    this.#isScanDue = true
    this.#options.after(pauseMs, () => {
      this.#isScanDue = false
      if (this.#unexplained > 0 && !this.#isStopped) this.#scan()
    })
  }

  #scan(): void {
    if (this.#managed.size === 0 && this.#waiters.size === 0) {
      this.#unexplained = 0
      return
    }
    let infos: DomainInfo[]
    try {
      infos = this.#options.domains.list()
    } catch (error) {
      this.#refusals++
      this.#options.log.warn({ err: error }, 'domains cannot be listed; tried again')
      this.#scheduleScan(backOffMs(this.#refusals))
      return
    }
    this.#refusals = 0
    this.#unexplained = 0
    this.#scans++
    this.#compare(infos)
  }

  #compare(infos: readonly DomainInfo[]): void {
    const missing = new Map(this.#managed)
    const waitedFor = new Set(this.#waiters.keys())
    for (const info of infos) {
      const identity = identityOf(info)
      const managed = missing.get(identity)
      const isOver = info.isShutdown || info.isDying
      if (!isOver || managed !== undefined) waitedFor.delete(identity)
      if (managed === undefined || info.isDying) continue
      missing.delete(identity)
      if (info.isShutdown && !this.#resting.has(identity)) this.#end(managed, info)
    }
    for (const [identity, managed] of missing) {
      waitedFor.delete(identity)
      if (!this.#resting.has(identity)) {
        this.#run(managed, () => this.#options.actions.vanished(managed))
      }
    }
    for (const identity of waitedFor) if (!this.#busy.has(identity)) this.#tell(identity)
  }

  #end(managed: Managed, info: DomainInfo): void {
    const reason = info.shutdownReason
    if (reason === undefined) return
    const livedMs = this.#options.clock() - managed.startedAtMs
    const decision = decideEnd(managed.config, reason, livedMs, managed.quickDeaths)
    if (decision.action === 'none') return
    this.#logEnd(managed, reason, decision)
    this.#run(managed, () => this.#act(managed, decision))
  }

  #act(managed: Managed, decision: EndDecision): Promise<void> {
    const { actions } = this.#options
    switch (decision.action) {
      case 'destroy':
        return actions.destroy(managed.domid)
      case 'restart':
        return actions.restart(managed, decision.quickDeaths, false)
      case 'rename-restart':
        return actions.restart(managed, decision.quickDeaths, true)
      default:
        return Promise.resolve()
    }
  }

  /** Deals with an end; when that fails, the domain stays managed, and rests until the next try. */
  #run(managed: Managed, act: () => Promise<void>): void {
    const { domid, uuid, config } = managed
    const identity = identityOf(managed)
    this.begin(domid, uuid)
    act().then(
      () => this.finish(domid, uuid),
      (error: unknown) => {
        const failures = (this.#failures.get(identity) ?? 0) + 1
        const retryMs = backOffMs(failures)
        const about = { domid, domain: config.name, err: error, retryMs }
        this.#options.log.error(about, 'end not dealt with; tried again')
        this.#failures.set(identity, failures)
        this.#resting.add(identity)
        this.finish(domid, uuid, managed)
        // Who waits is not to wait for what may never succeed.
        this.#tell(identity)
        this.#options.after(retryMs, () => {
          this.#resting.delete(identity)
          this.released()
        })
      },
    )
  }

  #tell(identity: Identity): void {
    const waiters = this.#waiters.get(identity) ?? []
    this.#waiters.delete(identity)
    for (const resolve of waiters) resolve()
  }

  #logEnd(managed: Managed, reason: ShutdownReason, decision: EndDecision): void {
    const { domid, config } = managed
    const { action, note } = decision
    this.#options.log.info({ domid, domain: config.name, reason, action, note }, 'domain ended')
  }
}

function identityOf({ domid, uuid }: { readonly domid: Domid; readonly uuid: string }): Identity {
  return `${domid}/${uuid}`
}
