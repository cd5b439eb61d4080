/**
 * Follows the domains that xcld created until they end, and does what their configurations say.
 *
 * Xen before 4.21 does not tell which domain ended, so `@releaseDomain` costs one listing of all:
 * at most 20 a second, and none for releases that are our own (the end of a destroy): each of those
 * brings one event, which comes before the answer to the RELEASE.
 */
import type { Logger } from 'pino'
import type { DomainControl, DomainInfo, Domid, ShutdownReason } from '../../native/hypervisor.ts'
import type { DomainConfig } from '../config/domain-config.ts'
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

export class LifeCycle {
  readonly #options: LifeCycleOptions
  readonly #managed = new Map<Domid, Managed>()
  /** Domains that somebody is ending, and how many are at it. */
  readonly #busy = new Map<Domid, number>()
  readonly #waiters = new Map<Domid, (() => void)[]>()
  /** Events that no RELEASE of ours accounts for yet. */
  #unexplained = 0
  #scans = 0
  #isScanDue = false

  constructor(options: LifeCycleOptions) {
    this.#options = options
  }

  track(managed: Managed): void {
    this.#managed.set(managed.domid, managed)
  }

  managed(domid: Domid): Managed | undefined {
    return this.#managed.get(domid)
  }

  /**
   * From now on the domain's end is somebody's work: it is not looked at until `finish`.
   * @returns what was known of it
   */
  begin(domid: Domid): Managed | undefined {
    const managed = this.#managed.get(domid)
    this.#managed.delete(domid)
    this.#busy.set(domid, (this.#busy.get(domid) ?? 0) + 1)
    return managed
  }

  /** The work is done, or was given up and the domain is followed again; who waits is told. */
  finish(domid: Domid, again?: Managed): void {
    const depth = (this.#busy.get(domid) ?? 1) - 1
    if (depth > 0) this.#busy.set(domid, depth)
    else this.#busy.delete(domid)
    if (again !== undefined) this.track(again)
    else if (depth === 0) this.#tell(domid)
  }

  /** `@releaseDomain` came. */
  released(): void {
    this.#unexplained++
    this.#scheduleScan()
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

  /** Settles when the domain has shut down and was dealt with, or is gone. */
  ended(domid: Domid): Promise<void> {
    return new Promise((resolve) => {
      const waiters = this.#waiters.get(domid) ?? []
      waiters.push(resolve)
      this.#waiters.set(domid, waiters)
      // It may have ended before anybody waited.
      const info = this.#options.domains.info(domid)
      if (info === undefined || info.isShutdown || info.isDying) this.scanSoon()
    })
  }

  #scheduleScan(): void {
    if (this.#isScanDue) return
    this.#isScanDue = true
    this.#options.after(SCAN_PAUSE_MS, () => {
      this.#isScanDue = false
      if (this.#unexplained > 0) this.#scan()
    })
  }

  #scan(): void {
    this.#unexplained = 0
    this.#scans++
    if (this.#managed.size === 0 && this.#waiters.size === 0) return
    const missing = new Map(this.#managed)
    const waitedFor = new Set(this.#waiters.keys())
    for (const info of this.#options.domains.list()) {
      const managed = missing.get(info.domid)
      const isOver = info.isShutdown || info.isDying
      if (!isOver || managed !== undefined) waitedFor.delete(info.domid)
      if (managed === undefined || managed.uuid !== info.uuid || info.isDying) continue
      missing.delete(info.domid)
      if (info.isShutdown) this.#end(managed, info)
    }
    for (const managed of missing.values()) {
      this.#run(managed, this.#options.actions.vanished(managed))
      waitedFor.delete(managed.domid)
    }
    for (const domid of waitedFor) if (!this.#busy.has(domid)) this.#tell(domid)
  }

  #end(managed: Managed, info: DomainInfo): void {
    const reason = info.shutdownReason
    if (reason === undefined) return
    const livedMs = this.#options.clock() - managed.startedAtMs
    const decision = decideEnd(managed.config, reason, livedMs, managed.quickDeaths)
    if (decision.action === 'none') return
    this.#logEnd(managed, reason, decision)
    this.#run(managed, this.#act(managed, decision))
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

  /** Dealt with once, whatever becomes of it. */
  #run(managed: Managed, action: Promise<void>): void {
    const { domid, config } = managed
    this.begin(domid)
    action
      .catch((error: unknown) => {
        this.#options.log.error({ domid, domain: config.name, err: error }, 'end not dealt with')
      })
      .finally(() => this.finish(domid))
  }

  #tell(domid: Domid): void {
    const waiters = this.#waiters.get(domid) ?? []
    this.#waiters.delete(domid)
    for (const resolve of waiters) resolve()
  }

  #logEnd(managed: Managed, reason: ShutdownReason, decision: EndDecision): void {
    const { domid, config } = managed
    const { action, note } = decision
    this.#options.log.info({ domid, domain: config.name, reason, action, note }, 'domain ended')
  }
}
