/**
 * consoled's parts, put together.
 *
 * The hot path, once per wake-up, however many guests have something to say:
 *
 * ```
 * native:      pending ports -> drain rings -> one batch         | one call, one Int32Array
 * TypeScript:  batch -> console -> queue of logs, viewers, pty   | no copy unless somebody looks
 * native:      queue of logs -> files                            | one call, one write per log
 * native:      rings have room again -> one notify per ring      | who is killed before finds it all again
 * native:      typed bytes -> in-rings -> one notify per ring
 * ```
 *
 * Everything else is per domain and rare: consoles.ts.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type DomainControl, type Hypervisor, VIRQ_CON_RING } from '../native/hypervisor.ts'
import { openDatagrams } from '../native/os/datagrams.ts'
import { raiseOpenFilesLimit } from '../native/os/file-limit.ts'
import type { Logger } from '../native/os/log.ts'
import { StateMemory } from '../native/os/state-memory.ts'
import { AttachServer } from './attach/server.ts'
import type { Clock } from './clock.ts'
import { type ConsoleServices, GuestConsole } from './console.ts'
import { Consoles } from './domains/consoles.ts'
import { StoreLink } from './domains/store-link.ts'
import { GuestLog } from './log/guest-log.ts'
import { historyShare } from './log/history-share.ts'
import { HypervisorLog } from './log/hypervisor-log.ts'
import { Journal, journalFields } from './log/journal.ts'
import { JournalLog } from './log/journal-log.ts'
import { StampTime } from './log/line-stamps.ts'
import { LogFiles } from './log/log-files.ts'
import { LogListing } from './log/log-listing.ts'
import { guestLogName } from './log/log-name.ts'
import { StateFile } from './log/state-file.ts'
import { Counters } from './metrics/counters.ts'
import { metricsText } from './metrics/metrics.ts'
import type { Options } from './options.ts'
import { ConsoleRings } from './ring/console-ring.ts'

/** More than there are domids. */
const MAX_CONSOLES = 32_768
/** Typed bytes that wait for guests, all together; a viewer is paused long before. */
const MAX_TYPED_BYTES = 64 * 2 ** 20
/** Descriptors for everything that is not of one guest: store, event channels, viewers. */
const OTHER_DESCRIPTORS = 1024

/** Descriptors of a console with a pseudo terminal whose log is open, too. */
const PTY_AND_LOG = 3

/** What consoled asks of the machine. */
export interface ConsoleMachine extends Pick<Hypervisor, 'rings'> {
  readonly domains: Pick<DomainControl, 'info' | 'states' | 'readConsoleRing'>
}

interface DaemonParts {
  readonly hypervisor: ConsoleMachine
  /** As machineIdentity gives it. */
  readonly machine: string
  /** Socket of the store daemon. */
  readonly storePath: string
  readonly options: Options
  readonly clock: Clock
  readonly log: Logger
}

export class Daemon {
  readonly #parts: DaemonParts
  readonly #memory = StateMemory.anonymous()
  readonly #logs: LogFiles
  readonly #counters = new Counters(this.#memory)
  readonly #journal: Journal | undefined
  /** Undefined when guests are not logged to files. */
  readonly #state: StateFile | undefined
  readonly #listing: LogListing
  readonly #time: StampTime
  readonly #hypervisorLog: HypervisorLog | undefined
  readonly #rings: ConsoleRings
  readonly #consoles: Consoles
  readonly #link: StoreLink
  readonly #attach: AttachServer

  constructor(parts: DaemonParts) {
    const { hypervisor, options, clock, log } = parts
    this.#parts = parts
    const { maxLogBytes: maxBytes, keptLogs: keep } = options
    this.#logs = new LogFiles({ maxOpen: this.#openLogsAllowed(), maxBytes, keep }, log)
    const isInFiles = options.logsGuests && options.logsToFiles
    this.#state = isInFiles ? new StateFile(options.statePath, parts.machine, log) : undefined
    this.#listing = new LogListing(options.logDir)
    this.#time = new StampTime(() => clock.date())
    const logsAnything = options.logsGuests || options.logsHypervisor
    if (logsAnything && options.logsToFiles) mkdirSync(options.logDir, { recursive: true })
    this.#journal = logsAnything && options.logsToJournal ? this.#openJournal() : undefined
    this.#hypervisorLog = options.logsHypervisor ? this.#openHypervisorLog() : undefined
    const set = hypervisor.rings('console', {
      memory: this.#memory,
      maxConnections: MAX_CONSOLES,
      maxQueuedBytes: MAX_TYPED_BYTES,
      virqs: options.logsHypervisor ? [VIRQ_CON_RING] : [],
    })
    // The journal first: who is killed in between tells it something twice, and nothing too little.
    this.#rings = new ConsoleRings(
      set,
      clock,
      () => this.#hypervisorLog?.copy(),
      this.#journal === undefined ? [this.#logs] : [this.#journal, this.#logs],
      this.#counters,
    )
    const services = this.#services()
    this.#consoles = new Consoles({
      domains: hypervisor.domains,
      open: (domid, uuid, isNew) => new GuestConsole(domid, uuid, isNew, services),
      together: (run) => this.#logs.together(run),
      clock,
      log,
    })
    this.#link = new StoreLink(parts.storePath, this.#consoles, clock, log)
    this.#attach = new AttachServer({
      find: (domid, uuid) => this.#consoles.find(domid, uuid),
      logPath: (name) =>
        options.logsGuests && options.logsToFiles
          ? join(options.logDir, guestLogName(name))
          : undefined,
      stampsLogs: options.stampsGuests,
      clock,
      log,
    })
  }

  /**
   * Serves from now on.
   *
   * @throws XenstoreUnreachable, AttachSocketTaken, NodeJS.ErrnoException
   */
  async start(): Promise<void> {
    this.#rings.start()
    this.#hypervisorLog?.copy()
    await this.#attach.listen(this.#parts.options.attachPath)
    await this.#link.open()
    this.#listing.end()
    this.#parts.log.info({ consoles: this.#consoles.size }, 'serving consoles')
  }

  /** SIGHUP: opens all logs anew. */
  reopenLogs(): void {
    this.#logs.outdate()
    this.#hypervisorLog?.reopen()
    this.#consoles.reopenLogs()
  }

  /** What Prometheus is told. */
  metrics(): string {
    return metricsText({
      counters: this.#counters,
      consoles: this.#consoles,
      rings: this.#rings,
      logs: this.#logs,
      attach: this.#attach,
      journal: this.#journal,
      memoryUsage: process.memoryUsage,
    })
  }

  close(): void {
    this.#attach.close()
    this.#link.close()
    this.#consoles.close()
    this.#rings.close()
    this.#hypervisorLog?.close()
    this.#journal?.close()
    this.#logs.close()
    this.#state?.close()
    this.#memory.close()
  }

  #services(): ConsoleServices {
    const { options, log } = this.#parts
    const logs = this.#state && {
      files: this.#logs,
      dir: options.logDir,
      format: {
        withTimestamps: options.stampsGuests,
        replacesEscape: options.replacesEscape,
      },
      time: this.#time,
      states: this.#state.states,
      listing: this.#listing,
    }
    const journal = options.logsGuests ? this.#journal : undefined
    return {
      rings: this.#rings,
      openLog: logs && ((console, name, isNew) => new GuestLog(logs, console, name, isNew)),
      openJournal: journal && ((fields) => new JournalLog(journal, fields, options.replacesEscape)),
      historyBytes: () => historyShare(this.#consoles.size),
      tty: options.tty,
      overflow: options.overflow,
      lendDescriptors: (count) => this.#logs.lend(count),
      publishTty: (domid, slavePath) => this.#consoles.publishTty(domid, slavePath),
      counters: this.#counters,
      log,
    }
  }

  #openHypervisorLog(): HypervisorLog {
    const { hypervisor, options, log } = this.#parts
    const fields = journalFields({ identifier: 'xen' })
    const sinks = {
      files: this.#logs,
      path: options.logsToFiles ? join(options.logDir, 'hypervisor.log') : undefined,
      journal: this.#journal && new JournalLog(this.#journal, fields, options.replacesEscape),
    }
    const { stampsHypervisor } = options
    return new HypervisorLog(hypervisor.domains, sinks, stampsHypervisor, this.#time, log)
  }

  #openJournal(): Journal {
    const { options, clock, log } = this.#parts
    const connect = () => openDatagrams(options.journalPath)
    return new Journal({ connect, losses: this.#counters, clock, log })
  }

  /** All descriptors but a reserve; each pty takes two of the logs' away. */
  #openLogsAllowed(): number {
    const { options, log } = this.#parts
    const limit = raiseOpenFilesLimit()
    const room = Math.max(1, limit - Math.min(OTHER_DESCRIPTORS, Math.floor(limit / 2)))
    const openLogs = Math.min(options.maxOpenLogs, room)
    const consolesWithPty = Math.floor(room / PTY_AND_LOG)
    log.info({ descriptors: limit, openLogs, consolesWithPty }, 'room for logs and terminals')
    return openLogs
  }
}
