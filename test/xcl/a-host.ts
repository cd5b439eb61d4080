import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import type {
  BuiltImage,
  DomainInfo,
  DomainPorts,
  DomainSpec,
  Domid,
  EvtchnPort,
  Gfn,
  Gref,
  Hypervisor,
  ShutdownReason,
} from '../../native/hypervisor.ts'
import { XenError } from '../../native/xen-error.ts'
import type { DiskSpec } from '../../xcl/config/disk-spec.ts'
import type { DomainConfig } from '../../xcl/config/domain-config.ts'
import type { VifSpec } from '../../xcl/config/vif-spec.ts'
import { Journal } from '../../xcl/daemon/journal.ts'
import { Xcld } from '../../xcl/daemon/xcld.ts'
import { aDomain } from '../support/a-conversation.ts'
import { aDaemon, type RunningDaemon } from '../support/a-daemon.ts'
import { aFolder } from '../support/a-socket-peer.ts'
import { statesOf } from '../support/domain-states.ts'
import { TestDom0 } from './device/a-dom0.ts'

const XENSTORE_GREF = 1 as Gref
const STORE_GFN = 4321 as Gfn
const CONSOLE_GFN = 8765 as Gfn
const CONSOLE_PORT = 2 as EvtchnPort

/** Calls of the hypervisor that a test can make fail, or act before. */
type Call = 'create' | 'prepare' | 'build' | 'unpause' | 'pause' | 'destroy'

/**
 * The seam in memory, for xcl's policy: it notes the calls, keeps the list of domains that lixs sees,
 * and gives each domain a page and a port in lixs's loopback, so that INTRODUCE is the real one.
 */
class TestHypervisor implements Pick<Hypervisor, 'domains' | 'builder' | 'devices'> {
  readonly calls: string[] = []
  /** Errno with which the call fails. */
  readonly failing = new Map<Call, string>()
  /** Runs, and is waited for, before the call does its work. */
  readonly before = new Map<Call, (about: Domid | string) => void | Promise<void>>()
  /** Without it, INTRODUCE cannot map the ring. */
  givesRings = true
  /** The one `prepare` gave last. */
  storePort = 0 as EvtchnPort
  readonly #daemon: RunningDaemon
  #lastDomid = 0

  constructor(daemon: RunningDaemon) {
    this.#daemon = daemon
  }

  readonly domains: Hypervisor['domains'] = {
    info: (domid) => this.#daemon.domains.get(domid),
    list: () => {
      this.calls.push('list')
      return [...this.#daemon.domains.values()]
    },
    states: () => {
      this.calls.push('states')
      return statesOf(this.#daemon.domains.values())
    },
    changed: () => undefined,
    host: () => ({
      version: '4.17.0',
      totalMemoryKiB: 2 ** 22,
      freeMemoryKiB: 2 ** 21,
      cpus: 1,
      caps: '',
    }),
    pause: (domid) => {
      this.#sync('pause', domid)
      this.change(domid, { isPaused: true })
    },
    unpause: (domid) => {
      this.#sync('unpause', domid)
      this.change(domid, { isPaused: false })
    },
    destroy: async (domid) => {
      await this.#async('destroy', domid)
      if (!this.#daemon.domains.has(domid)) {
        throw new XenError('xc_domain_destroy', 'ESRCH', 3, `dom ${domid}: ESRCH`, domid)
      }
      this.#daemon.die(domid)
    },
    readConsoleRing: () => {
      throw new Error('not asked for by xcl')
    },
  }

  readonly dom0 = new TestDom0()
  readonly devices: Hypervisor['devices'] = this.dom0.devices

  readonly builder: Hypervisor['builder'] = {
    create: async (spec: DomainSpec): Promise<Domid> => {
      await this.#async('create', spec.uuid)
      const domid = ++this.#lastDomid as Domid
      const memoryKiB = spec.memoryKiB
      const { vcpus, uuid } = spec
      this.#daemon.domains.set(domid, {
        ...aDomain(domid),
        uuid,
        vcpus,
        memoryKiB,
        isPaused: true,
        isRunning: false,
      })
      return domid
    },
    prepare: async (domid: Domid): Promise<DomainPorts> => {
      await this.#async('prepare', domid)
      const ring = this.givesRings ? this.#daemon.loopback.guest(domid, XENSTORE_GREF) : undefined
      this.storePort = ring?.port ?? (1 as EvtchnPort)
      return { storePort: this.storePort, consolePort: CONSOLE_PORT }
    },
    build: async (domid: Domid): Promise<BuiltImage> => {
      await this.#async('build', domid)
      return { storeGfn: STORE_GFN, consoleGfn: CONSOLE_GFN }
    },
  }

  change(domid: Domid, how: Partial<DomainInfo>): void {
    const info = this.#daemon.domains.get(domid)
    if (info !== undefined) this.#daemon.domains.set(domid, { ...info, ...how })
  }

  #sync(call: Call, about: Domid): void {
    this.calls.push(`${call} ${about}`)
    this.#failIfTold(call)
  }

  async #async(call: Call, about: Domid | string): Promise<void> {
    this.calls.push(typeof about === 'number' ? `${call} ${about}` : call)
    await this.before.get(call)?.(about)
    this.#failIfTold(call)
  }

  #failIfTold(call: Call): void {
    const code = this.failing.get(call)
    if (code !== undefined) throw new XenError(`test_${call}`, code, 1, `${call}: ${code}`)
  }
}

/** A host with a real lixs, xcld's parts around the hypervisor above, and time that a test moves. */
export class TestHost {
  readonly folder = aFolder()
  readonly daemon = aDaemon()
  readonly hypervisor = new TestHypervisor(this.daemon)
  xcld: Xcld
  readonly #storeSocket: string
  /** Calls put off by xcld; `pass` makes them. */
  readonly #later = new Map<() => void, number>()
  nowMs = 1_000_000

  constructor(options: { readonly storeSocket?: string } = {}) {
    this.#storeSocket = options.storeSocket ?? this.daemon.socketPath
    this.xcld = this.#newXcld()
  }

  /** As after a kill: the next xcld finds what the last one left on disk and in Xen. */
  async killXcld(): Promise<void> {
    await this.stopXcld()
    this.#later.clear()
    this.xcld = this.#newXcld()
    await this.xcld.start()
    await this.toolstack.store.client()
  }

  /** What cannot be undone has had its time. */
  async stopXcld(): Promise<void> {
    const stopped = this.xcld.stop()
    this.pass()
    await stopped
  }

  #newXcld(): Xcld {
    return new Xcld(
      {
        hypervisor: this.hypervisor,
        log: pino({ level: 'silent' }),
        clock: () => this.nowMs,
        wallClock: () => Date.UTC(2026, 0, 31, 12, 5),
        after: (ms, call) => {
          // A call that is put off twice is two calls.
          const once = (): void => call()
          this.#later.set(once, ms)
          return () => this.#later.delete(once)
        },
      },
      {
        socket: this.socket,
        storeSocket: this.#storeSocket,
        consoledSocket: join(this.folder.path, 'consoled.sock'),
        consoleLogDir: join(this.folder.path, 'logs'),
        stateDir: join(this.folder.path, 'state'),
      },
    )
  }

  get toolstack() {
    return this.xcld.toolstack
  }

  get socket(): string {
    return join(this.folder.path, 'xcld.sock')
  }

  /** Time passes: what was put off, by so many ms at most, is done. */
  pass(maxMs = Number.POSITIVE_INFINITY): void {
    for (const [call, ms] of [...this.#later]) {
      if (ms > maxMs) continue
      this.#later.delete(call)
      call()
    }
  }

  /** A guest shuts itself down; lixs hears of it and says so. */
  shutDown(domid: Domid, shutdownReason: ShutdownReason): void {
    this.hypervisor.change(domid, { isShutdown: true, shutdownReason })
    this.daemon.loopback.fireVirq(3)
  }

  /** Uuids of the domains in the journal: as the next xcld will find it. */
  records(which: 'halfMade' | 'domains' | 'restarts'): string[] {
    const journal = new Journal(join(this.folder.path, 'state'))
    const { records, broken } = journal[which]()
    journal.close()
    return [...records, ...broken].map(({ uuid }) => uuid)
  }

  async stop(): Promise<void> {
    await this.stopXcld()
    this.daemon.stop()
    this.folder.remove()
  }

  /** A configuration whose kernel exists (it is never read). */
  config(changes: Partial<DomainConfig> = {}): DomainConfig {
    const kernel = join(this.folder.path, 'kernel')
    mkdirSync(this.folder.path, { recursive: true })
    writeFileSync(kernel, '')
    return {
      name: 'demo',
      uuid: undefined,
      type: 'pv',
      kernel,
      ramdisk: undefined,
      cmdline: '',
      memoryKiB: 1024,
      maxMemoryKiB: 1024,
      vcpus: 1,
      maxVcpus: 1,
      maxGrantFrames: -1,
      maxMaptrackFrames: -1,
      maxEvtchnPort: 1023,
      vifs: [],
      disks: [],
      onPoweroff: 'destroy',
      onReboot: 'restart',
      onCrash: 'destroy',
      onWatchdog: 'destroy',
      onSoftReset: 'destroy',
      ...changes,
    }
  }
}

/** A network card as a configuration has it. */
export function aVif(changes: Partial<VifSpec> = {}): VifSpec {
  const rest = { ip: undefined, rate: undefined, isTrusted: true }
  return { devid: 0, mac: undefined, bridge: 'xenbr0', ...rest, ...changes }
}

/** A disk as a configuration has it. */
export function aDisk(changes: Partial<DiskSpec> = {}): DiskSpec {
  return {
    vdev: 'xvda',
    devid: 51712,
    target: '/img/a',
    isReadOnly: false,
    isDiscardEnabled: true,
    isDirectIoSafe: false,
    isTrusted: true,
    ...changes,
  }
}

/** Waits until it holds; the event loop turns in between. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve))
}
