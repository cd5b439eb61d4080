/**
 * Follows the domains that xcld created until they end, and does what their configurations say.
 *
 * A domain is its number and its uuid together: Xen gives numbers again.
 *
 * A store that knows watches with a depth says which domain ended: that one is looked at. From others
 * `@releaseDomain` does not tell which domain ended, so it costs one look at the states of all: at
 * most 20 a second, and none for releases that are our own (the end of a destroy): each of those
 * brings one event, which comes before the answer to the RELEASE. However many are found at once, some
 * ends are dealt with at a time.
 */
import type { Logger } from 'pino'
import {
  DOMAIN_DYING,
  DOMAIN_REASON_SHIFT,
  DOMAIN_SHUTDOWN,
  type DomainControl,
  type DomainInfo,
  type Domid,
  SHUTDOWN_REASONS,
  type ShutdownReason,
} from '../../native/hypervisor.ts'
import type { DomainConfig } from '../config/domain-config.ts'
import { backOffMs } from './back-off.ts'
import { decideEnd, type EndDecision } from './end-policy.ts'
import { EndWaiters } from './end-waiters.ts'
import { WorkQueue } from './work-queue.ts'

/** Between an event and the look: what ends in this time is found by one. */
const SCAN_PAUSE_MS = 50
/** A domain whose end was told and that lives on is looked at again so often: it may be ending. */
const LOOKS_AGAIN = 8
/** Ends dealt with at once: as many as of a batch that a person asks for. */
const ENDS_AT_ONCE = 16

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

/** What is kept of a managed domain. */
interface Followed {
  readonly managed: Managed
  /** The look at all domains that saw it last. */
  seenBy: number
}

export class LifeCycle {
  readonly #options: LifeCycleOptions
  readonly #followed = new Map<Domid, Followed>()
  /** Domains that somebody is ending, and how many are at it. */
  readonly #busy = new Map<Identity, number>()
  readonly #waiters = new EndWaiters()
  /** Domains that are looked at again. */
  readonly #again = new Set<Domid>()
  /** Domains that were told of and are not followed: who is to be followed now may have ended before. */
  readonly #early = new Set<Domid>()
  /** Ends that could not be dealt with, and how often in a row. */
  readonly #failures = new Map<Identity, number>()
  /** Those of them whose next try has not come yet. */
  readonly #resting = new Set<Identity>()
  readonly #ends = new WorkQueue(ENDS_AT_ONCE)
  /** Looks in a row that Xen refused. */
  #refusals = 0
  /** Those that did not say which domain it was. */
  #events = 0
  /** Events that no RELEASE of ours accounts for yet. */
  #unexplained = 0
  /** Numbers may have been given again since the last look. */
  #isOutOfTouch = true
  #scans = 0
  #isScanDue = false
  #isStopped = false

  constructor(options: LifeCycleOptions) {
    this.#options = options
  }

  track(managed: Managed): void {
    const { domid, uuid } = managed
    const before = this.#followed.get(domid)?.managed
    this.#followed.set(domid, { managed, seenBy: this.#scans })
    if (this.#early.delete(domid)) setImmediate(() => this.#look(domid, 0))
    if (before === undefined || before.uuid === uuid) return
    // The number was given again before anybody noticed that the other had gone.
    const isCurrent = this.#options.domains.info(domid)?.uuid === uuid
    if (!isCurrent) this.#followed.set(domid, { managed: before, seenBy: this.#scans })
    this.#vanished(isCurrent ? before : managed)
  }

  managed(domid: Domid): Managed | undefined {
    return this.#followed.get(domid)?.managed
  }

  /**
   * From now on the domain's end is somebody's work: it is not looked at until `finish`.
   * @returns what was known of it
   */
  begin(domid: Domid, uuid: string): Managed | undefined {
    const identity = identityOf({ domid, uuid })
    const managed = this.#followedAs(domid, uuid)
    if (managed !== undefined) this.#followed.delete(domid)
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
      this.#waiters.tell(domid, uuid)
    }
  }

  /** `@releaseDomain` came. */
  released(): void {
    this.#events++
    this.#unexplained++
    this.#scheduleScan(SCAN_PAUSE_MS)
  }

  /** `@releaseDomain/7` came. */
  releasedOne(domid: Domid): void {
    if (!this.#followed.has(domid)) this.#early.add(domid)
    this.#look(domid, 0)
  }

  /** Sends a RELEASE of our own; the event it brings is no reason to look for dead domains. */
  async ownRelease(release: () => Promise<void>): Promise<void> {
    const scans = this.#scans
    const events = this.#events
    await release()
    // A look since then has answered for the event already; and one that says which counts for nothing.
    const isUnexplained = scans === this.#scans && this.#events > events
    if (isUnexplained && this.#unexplained > 0) this.#unexplained--
  }

  /** Events may have been missed: numbers, too, may have changed hands until the next one comes. */
  outOfTouch(): void {
    this.#isOutOfTouch = true
  }

  /**
   * Settles when the domain has shut down and was dealt with, or is gone; or when nobody wants to
   * know any more.
   * @throws XenError
   */
  async ended(domid: Domid, signal?: AbortSignal): Promise<void> {
    const info = this.#options.domains.info(domid)
    const uuid = info?.uuid ?? this.managed(domid)?.uuid
    if (uuid === undefined || signal?.aborted) return
    await new Promise<void>((resolve) => {
      const takeBack = this.#waiters.add(domid, uuid, resolve)
      signal?.addEventListener('abort', () => {
        takeBack()
        resolve()
      })
      // It may have ended before anybody waited.
      if (info === undefined || info.isShutdown || info.isDying) this.#look(domid, 0)
    })
  }

  /** How many wait for the end of some domain. */
  get waiting(): number {
    return this.#waiters.count
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
    if (this.#followed.size === 0 && this.#waiters.count === 0) {
      this.#unexplained = 0
      return
    }
    const { domains, log } = this.#options
    let states: Int32Array
    let infos: readonly DomainInfo[]
    try {
      infos = this.#isOutOfTouch ? domains.list() : []
      states = domains.states()
    } catch (error) {
      this.#refusals++
      log.warn({ err: error }, 'domains cannot be listed; tried again')
      this.#scheduleScan(backOffMs(this.#refusals))
      return
    }
    this.#refusals = 0
    this.#unexplained = 0
    this.#isOutOfTouch = false
    this.#scans++
    this.#dropReplaced(infos)
    this.#compare(states)
    for (const domid of this.#waiters.domids()) this.#tellOthers(domid)
  }

  /** Domains whose number another one has by now. */
  #dropReplaced(infos: readonly DomainInfo[]): void {
    for (const { domid, uuid } of infos) {
      const managed = this.managed(domid)
      if (managed !== undefined && managed.uuid !== uuid) this.#vanished(managed)
    }
  }

  /** @param states as DomainControl.states has them */
  #compare(states: Int32Array): void {
    const over: { readonly managed: Managed; readonly reason: ShutdownReason | undefined }[] = []
    let seen = 0
    for (let i = 0; i < states.length; i += 2) {
      const followed = this.#followed.get(states[i] as Domid)
      const state = states[i + 1] ?? 0
      // One that is dying has been destroyed by somebody.
      if (followed === undefined || (state & DOMAIN_DYING) !== 0) continue
      followed.seenBy = this.#scans
      seen++
      if ((state & DOMAIN_SHUTDOWN) === 0) continue
      const reason = SHUTDOWN_REASONS[state >> DOMAIN_REASON_SHIFT]
      over.push({ managed: followed.managed, reason })
    }
    const isAnyMissing = seen < this.#followed.size
    for (const { managed, reason } of over) this.#end(managed, reason)
    if (!isAnyMissing) return
    for (const { managed, seenBy } of [...this.#followed.values()]) {
      if (seenBy !== this.#scans) this.#vanished(managed)
    }
  }

  /** One domain may have ended. @param times that it was looked at since somebody said so */
  #look(domid: Domid, times: number): void {
    const managed = this.managed(domid)
    if (this.#isStopped) return
    if (managed === undefined && this.#waiters.uuidsOf(domid).length === 0) return
    let isOver = false
    try {
      if (managed !== undefined) isOver = this.#judge(managed)
      this.#tellOthers(domid)
    } catch (error) {
      this.#options.log.warn({ domid, err: error }, 'the domain cannot be looked at; tried again')
    }
    // Released before its end, which the store will not tell of then; or Xen did not answer.
    if (isOver || times === LOOKS_AGAIN || this.#again.has(domid)) return
    this.#again.add(domid)
    this.#options.after(backOffMs(times + 1), () => {
      this.#again.delete(domid)
      this.#look(domid, times + 1)
    })
  }

  /** Deals with the end of a domain, if it has ended. @returns has it? @throws XenError */
  #judge(managed: Managed): boolean {
    const info = this.#options.domains.info(managed.domid)
    if (info === undefined || info.isDying || info.uuid !== managed.uuid) this.#vanished(managed)
    else if (info.isShutdown) this.#end(managed, info.shutdownReason)
    else return false
    return true
  }

  /** Those who wait for a domain that is not managed, or was preserved. @throws XenError */
  #tellOthers(domid: Domid): void {
    for (const uuid of this.#waiters.uuidsOf(domid)) {
      const isOurs = this.#busy.has(identityOf({ domid, uuid }))
      if (isOurs || this.#followedAs(domid, uuid) !== undefined) continue
      const info = this.#options.domains.info(domid)
      if (info?.uuid !== uuid || info.isShutdown || info.isDying) this.#waiters.tell(domid, uuid)
    }
  }

  #followedAs(domid: Domid, uuid: string): Managed | undefined {
    const managed = this.managed(domid)
    return managed?.uuid === uuid ? managed : undefined
  }

  #vanished(managed: Managed): void {
    this.#run(managed, () => this.#options.actions.vanished(managed))
  }

  #end(managed: Managed, reason: ShutdownReason | undefined): void {
    if (reason === undefined || this.#resting.has(identityOf(managed))) return
    const livedMs = this.#options.clock() - managed.startedAtMs
    const decision = decideEnd(managed.config, reason, livedMs, managed.quickDeaths)
    if (decision.action === 'none') return
    this.#logEnd(managed, reason, decision)
    this.#run(managed, () => {
      const { domid, uuid } = managed
      // Somebody may have been faster while this waited for its turn.
      const isThere = this.#options.domains.info(domid)?.uuid === uuid
      return isThere ? this.#act(managed, decision) : this.#options.actions.vanished(managed)
    })
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
    if (this.#resting.has(identity)) return
    this.begin(domid, uuid)
    this.#ends
      // What has not had its turn when xcld is told to stop is for the next one.
      .add(async () => (this.#isStopped ? undefined : act()))
      .then(
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
          this.#waiters.tell(domid, uuid)
          this.#options.after(retryMs, () => {
            this.#resting.delete(identity)
            this.#look(domid, 0)
          })
        },
      )
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
