/**
 * The XenStore daemon, put together from its parts.
 *
 * ```
 *   guests' rings, dom0's ring, sockets
 *        │                                      native: drain, frame, find nodes
 *        ▼
 *   Batch ──► BatchWalk ──► dispatch ──► handler ──► Store       numbers and typed arrays
 *             cursor, try   checks all   parses the    │
 *                           requests     payload       │ watch events
 *                           share        in place      ▼
 *                                          │        Events
 *                                          ▼           │
 *                              Exchange (one reply)    │
 *                                          ▼           ▼
 *                                         OutputBatch            native: flush, one notify per
 *                                                                ring, one write per socket
 * ```
 */
import { mkdirSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { DOM0, type Domid, VIRQ_DOM_EXC } from '../native/hypervisor.ts'
import type { Logger, LogLevels } from '../native/os/log.ts'
import type { StateMemory } from '../native/os/state-memory.ts'
import type { RingSet } from '../native/ring-set.ts'
import { BatchWalk } from './connection/batch.ts'
import { Connections } from './connection/connections.ts'
import { Deferrals } from './connection/deferrals.ts'
import { Events } from './connection/events.ts'
import type { Timers } from './connection/timers.ts'
import { Control } from './control/control.ts'
import { logCommands } from './control/log-commands.ts'
import { quotaCommands } from './control/quota-commands.ts'
import { reportCommands } from './control/report-commands.ts'
import { Counters } from './counters.ts'
import { HeldRequests } from './live-update/held-requests.ts'
import type { LiveUpdate } from './live-update/live-update.ts'
import { liveUpdateCommands } from './live-update/live-update-commands.ts'
import { liveUpdateOf } from './live-update/parts.ts'
import type { SavedState } from './live-update/saved-state.ts'
import type { Succession } from './live-update/succession.ts'
import { takeOver } from './live-update/take-over.ts'
import { metricsText } from './metrics/metrics.ts'
import { type DomainKnowledge, Domains } from './process/domains.ts'
import { Exchange } from './process/exchange.ts'
import { SoftQuota } from './process/soft-quota.ts'
import { ParsedPath } from './store/path.ts'
import type { Quotas } from './store/quota.ts'
import { type Principal, Store } from './store/store.ts'
import type { StoreCapacity } from './store/tables.ts'
import type { Trace } from './trace.ts'

/** What the rings of this daemon have to be made with. */
export const RING_OPTIONS = {
  /** One for each domain there can be, and as many sockets. */
  maxConnections: 65_536,
  /** Address space, not memory. */
  maxQueuedBytes: 2 ** 30,
  virqs: [VIRQ_DOM_EXC],
} as const

const NOBODY: Principal = { domid: DOM0, isPrivileged: false }

/** What a daemon is made of; two of them fit into one process. */
interface DaemonParts {
  readonly memory: StateMemory
  readonly rings: RingSet
  /** Undefined without a hypervisor: then no domain can be introduced. */
  readonly domains: DomainKnowledge | undefined
  readonly quotas: Quotas
  /** How much the store can keep at all; undefined: enough for tens of thousands of guests. */
  readonly capacity?: StoreCapacity
  readonly timers: Timers
  readonly log: Logger
  readonly levels: LogLevels
  readonly trace: Trace
  /** What the daemon before has left; undefined: a fresh store is made. */
  readonly saved?: SavedState | undefined
  /** How another program can take this one's place; undefined: it cannot. */
  readonly succession?: Succession | undefined
}

/** How a daemon is to behave. */
export interface DaemonSettings {
  readonly socketPath: string
  readonly eventTimeoutMs: number
  readonly keepOrphans: boolean
  readonly privilegedDomid: number | undefined
  readonly isDom0Served: boolean
}

/** A running daemon. */
export class Daemon {
  readonly #rings: RingSet
  readonly #domains: Domains
  readonly #events: Events
  readonly #socketPath: string
  readonly #metrics: () => string
  readonly #liveUpdate: LiveUpdate | undefined
  readonly #deferrals: Deferrals

  /**
   * Makes the fresh store, serves dom0's ring and listens; or goes on with what a daemon before has left.
   *
   * @throws XenError when the rings or the socket cannot be had
   * @throws RestoreFailure when what was left cannot be restored
   */
  constructor(parts: DaemonParts, settings: DaemonSettings) {
    const { memory, rings, quotas, timers, log, trace, saved } = parts
    const givenQuotas = { ...quotas }
    for (const [key, value] of saved?.quotas ?? []) quotas[key] = value
    const counters = new Counters(memory)
    const events = new Events(rings, timers, counters, trace, settings.eventTimeoutMs)
    const store = new Store(memory, quotas, events, {
      domainExists: (domid: Domid): boolean => domains.exists(domid),
      keepOrphans: settings.keepOrphans,
      ...(parts.capacity === undefined ? {} : { capacity: parts.capacity }),
    })
    const connections = new Connections(rings, store, settings.privilegedDomid)
    rings.findPaths(store.pathTables)
    events.serve(connections)
    trace.watch({ connections: rings.connections, store })
    const softQuota = new SoftQuota(store, timers, counters, log)
    const domains = new Domains(
      parts.domains,
      rings,
      store,
      connections,
      timers,
      counters,
      trace,
      softQuota,
      log.child({ subsystem: 'domains' }),
    )
    const quotaChanged = (key: keyof Quotas) => {
      store.settings.spreadQuota(key)
      connections.outstandingChanged()
    }
    const held = new HeldRequests(rings, (connection) => store.hasTransaction(connection))
    store.settings.watchMemory({
      queuedBytesOf: (domid) => connections.queuedBytesOf(store.connectionOf(domid as Domid)),
      memoryScarce: (domid) => connections.memoryChanged(store.connectionOf(domid as Domid)),
      memoryExhausted: (domid) =>
        log.warn({ domid }, 'domain was refused memory: it uses all that the hard quota allows'),
    })
    const deferrals = new Deferrals(rings, store.guards, timers)
    const { succession } = parts
    const liveUpdate = liveUpdateOf({
      ...{ rings, quotas, givenQuotas, timers, log, succession },
      ...{ store, domains, counters, held },
    })
    const outstandingOf = (domid: Domid) => connections.outstandingOf(store.connectionOf(domid))
    const { memoryUsage } = process
    const control = new Control([
      quotaCommands({ quotas, store, outstandingOf, quotaChanged }),
      logCommands({ log, levels: parts.levels, trace }),
      reportCommands({ store, counters, connections, domains, trace, log, memoryUsage }),
      liveUpdateCommands(liveUpdate),
    ])
    const services = { store, events, domains, control, quotas, path: new ParsedPath() }
    const exchange = new Exchange(rings.output, NOBODY, trace)
    const beside = { counters, trace, events, held, deferrals, softQuota, log }
    const walk = new BatchWalk(connections, services, exchange, beside)

    this.#rings = rings
    this.#liveUpdate = liveUpdate
    this.#deferrals = deferrals
    this.#domains = domains
    this.#events = events
    this.#socketPath = settings.socketPath
    const sources = { counters, store, domains, connections, rings, memoryUsage }
    this.#metrics = () => metricsText(sources)
    if (saved !== undefined)
      takeOver(saved, { rings, store, domains, connections, events, counters, log })
    const isDom0Known = store.connectionOf(DOM0) !== undefined
    if (settings.isDom0Served && !isDom0Known) domains.introduceSelf()
    if (saved === undefined || saved.listenerFd < 0) {
      mkdirSync(dirname(settings.socketPath), { recursive: true, mode: 0o755 })
      rings.listen(settings.socketPath)
    }
    rings.onBatch(
      (batch) => {
        counters.time(batch.nowMs)
        walk.handle(batch)
        if (held.isOn) liveUpdate?.afterBatch()
      },
      (batch) => counters.time(batch.nowMs),
    )
    // Nobody has told what happened to domains while nobody served.
    if (saved !== undefined) timers.after(0, () => domains.somethingHappened())
  }

  /** What Prometheus is told. */
  metrics(): string {
    return this.#metrics()
  }

  /** Ends all connections and removes the socket; what the store held is gone. */
  stop(): void {
    this.#liveUpdate?.stop()
    this.#deferrals.stop()
    this.#domains.stop()
    this.#events.stop()
    this.#rings.close()
    rmSync(this.#socketPath, { force: true })
  }
}
