import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { type ConsoleMachine, Daemon } from '../../consoled/daemon.ts'
import type { Options } from '../../consoled/options.ts'
import { XenstoreClient } from '../../lixs/client/client.ts'
import { systemTimers } from '../../lixs/connection/timers.ts'
import { RING_OPTIONS, Daemon as StoreDaemon } from '../../lixs/daemon.ts'
import { quotasWith } from '../../lixs/quota-settings.ts'
import { type DomainInfo, type Domid, type Gref, VIRQ_DOM_EXC } from '../../native/hypervisor.ts'
import { type Loopback, openLoopback } from '../../native/loopback.ts'
import { makeLog } from '../../native/os/log.ts'
import { StateMemory } from '../../native/os/state-memory.ts'
import { aTrace } from '../support/a-trace.ts'
import { statesOf } from '../support/domain-states.ts'
import { StoreProxy } from '../support/store-proxy.ts'
import { ConsoleGuest } from './console-guest.ts'
import { ManualClock } from './manual-clock.ts'

const silent = pino({ level: 'silent' })

/** The domains that the machine says there are. */
class TestDomains {
  readonly #infos = new Map<number, DomainInfo>()
  /** First domid of each list that was asked for, and the domids that were asked for. */
  readonly lists: number[] = []
  readonly infos: number[] = []
  /** What Xen has said so far. */
  hypervisorLog = ''

  set(domid: number, more: Partial<DomainInfo> = {}): void {
    this.#infos.set(domid, {
      domid: domid as Domid,
      uuid: `00000000-0000-0000-0000-${String(domid).padStart(12, '0')}`,
      isDying: false,
      isShutdown: false,
      shutdownReason: undefined,
      isPaused: false,
      isBlocked: false,
      isRunning: true,
      isHvm: false,
      memoryKiB: 1024,
      outstandingKiB: 0,
      maxMemoryKiB: 1024,
      vcpus: 1,
      cpuTimeNs: 0,
      cpupool: 0,
      ...more,
    })
  }

  remove(domid: number): void {
    this.#infos.delete(domid)
  }

  info(domid: Domid): DomainInfo | undefined {
    this.infos.push(domid)
    return this.#infos.get(domid)
  }

  states(first = 0): Int32Array {
    this.lists.push(first)
    return statesOf([...this.#infos.values()].filter(({ domid }) => domid >= first))
  }

  changed(): undefined {
    return undefined
  }

  readConsoleRing(index: number): { bytes: Uint8Array; nextIndex: number } {
    const bytes = Buffer.from(this.hypervisorLog.slice(index), 'latin1')
    return { bytes, nextIndex: index + bytes.length }
  }
}

/** A host of which only Xen is missing: lixs and consoled, real, over loopback rings. */
export class TestHost {
  readonly dir = mkdtempSync(join(tmpdir(), 'consoled-'))
  readonly logDir = join(this.dir, 'logs')
  readonly attachPath = join(this.dir, 'attach.sock')
  readonly storePath = join(this.dir, 'store.sock')
  readonly loopback: Loopback = openLoopback()
  readonly domains = new TestDomains()
  readonly clock = new ManualClock()
  readonly options: Options
  readonly #memory = StateMemory.anonymous()
  #storeDaemon: StoreDaemon | undefined
  #storeMemory: StateMemory | undefined
  #consoled: Daemon | undefined
  #toolstack: XenstoreClient | undefined
  #proxy: StoreProxy | undefined

  constructor(options: Partial<Options>) {
    this.options = {
      hypervisor: 'sim',
      simulator: '/nowhere/simulator.sock',
      isForeground: true,
      pidFile: undefined,
      logFile: undefined,
      logLevel: 'info',
      logDir: this.logDir,
      logsGuests: true,
      logsHypervisor: false,
      logsToFiles: true,
      logsToJournal: false,
      journalPath: join(this.dir, 'journal'),
      metrics: undefined,
      stampsGuests: false,
      stampsHypervisor: false,
      replacesEscape: false,
      overflow: 'discard',
      attachPath: this.attachPath,
      tty: 'asked',
      maxOpenLogs: 16,
      maxLogBytes: Number.POSITIVE_INFINITY,
      keptLogs: 5,
      statePath: join(this.dir, 'consoled.state'),
      ...options,
    }
  }

  /** The store, as a toolstack sees it. */
  get store(): XenstoreClient {
    if (this.#toolstack === undefined) throw new Error('the store is not started')
    return this.#toolstack
  }

  get consoled(): Daemon {
    if (this.#consoled === undefined) throw new Error('consoled is not started')
    return this.#consoled
  }

  async startStore(): Promise<void> {
    const memory = StateMemory.anonymous()
    const rings = this.loopback.rings('xenstore', { ...RING_OPTIONS, memory })
    this.#storeMemory = memory
    this.#storeDaemon = new StoreDaemon(
      {
        memory,
        rings,
        domains: this.domains,
        quotas: quotasWith(new Map(), undefined),
        timers: systemTimers,
        ...makeLog({ name: 'lixs', level: 'fatal' }, { write: () => undefined }),
        trace: aTrace().trace,
      },
      {
        socketPath: this.storePath,
        eventTimeoutMs: 0,
        keepOrphans: false,
        privilegedDomid: undefined,
        isDom0Served: false,
      },
    )
    this.#toolstack = await XenstoreClient.connect(this.storePath)
  }

  stopStore(): void {
    this.#toolstack?.close()
    this.#storeDaemon?.stop()
    this.#storeMemory?.close()
    this.#storeDaemon = undefined
    this.#storeMemory = undefined
  }

  /** consoled sees a store that does not say which domain an event is about, as before Xen 4.22. */
  async startConsoledWithOldStore(): Promise<void> {
    const path = join(this.dir, 'old-store.sock')
    this.#proxy = await StoreProxy.listen(path, this.storePath)
    this.#proxy.refuseAll('GET_FEATURE', 'ENOSYS')
    await this.startConsoled(path)
  }

  async startConsoled(storePath = this.storePath): Promise<void> {
    const machine: ConsoleMachine = {
      domains: this.domains,
      rings: (kind, options) => this.loopback.rings(kind, options),
    }
    this.#consoled = new Daemon({
      hypervisor: machine,
      machine: 'loopback',
      storePath,
      options: this.options,
      clock: this.clock,
      log: silent,
    })
    await this.#consoled.start()
  }

  stop(): void {
    this.#consoled?.close()
    this.#proxy?.close()
    this.stopStore()
    this.#memory.close()
    rmSync(this.dir, { recursive: true })
  }

  /** Makes a domain and introduces it, without a console as yet. */
  async introduce(domid: number, name: string): Promise<ConsoleGuest> {
    this.domains.set(domid)
    const xenstore = this.loopback.guest(domid as Domid, 1 as Gref)
    const guest = new ConsoleGuest(this.loopback, domid)
    await this.store.write(`/local/domain/${domid}/name`, name)
    await this.store.introduce(domid, 1, xenstore.port)
    return guest
  }

  /** Writes the console's keys in one transaction, as libxl does. */
  async giveConsole(
    guest: ConsoleGuest,
    more: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const keys = {
      'ring-ref': String(guest.gfn),
      port: String(guest.port),
      limit: '1048576',
      type: 'xenconsoled',
      ...more,
    }
    await this.store.transaction((tx) => {
      for (const [key, value] of Object.entries(keys)) tx.write(this.key(guest, key), value)
    })
  }

  key(guest: ConsoleGuest, key: string): string {
    return `/local/domain/${guest.domid}/console/${key}`
  }

  /** Xen takes the domain away and says that some domain died; the last listing is long past. */
  kill(guest: ConsoleGuest): void {
    this.clock.advance(2000)
    this.domains.remove(guest.domid)
    this.loopback.removeDomain(guest.domid)
    this.loopback.fireVirq(VIRQ_DOM_EXC)
  }

  /** What the log of a guest holds; empty when there is none. */
  logged(name: string): string {
    try {
      return readFileSync(join(this.logDir, name), 'latin1')
    } catch {
      return ''
    }
  }
}
