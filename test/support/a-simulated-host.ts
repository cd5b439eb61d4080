/**
 * A whole host in a folder of its own: the simulated machine, lixs, consoled and xcld as processes,
 * started from their sources, with every path of theirs in the folder. `stop` ends all of them and
 * takes the folder away; if the test's own process dies, the machine goes with it, and they with that.
 */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { XenstoreClient } from '../../lixs/client/client.ts'
import { Simulator, type SimulatorOptions } from '../../native/simulator/control.ts'
import { type Outcome, type RunOptions, XcldClient } from '../../xcl/daemon/client.ts'
import { Journal } from '../../xcl/daemon/journal.ts'
import { type Ending, type ProgramProcess, startProgram } from './a-program.ts'
import { aFolder } from './a-socket-peer.ts'
import { NewsLog } from './news-log.ts'
import { StoreProxy } from './store-proxy.ts'
import { storeText } from './store-text.ts'

export interface SimulatedHostOptions extends Partial<Omit<SimulatorOptions, 'runDir'>> {
  /** More arguments for a program. */
  readonly args?: Partial<Record<ProgramName, readonly string[]>>
  /** xcld reaches the store through `storeProxy`. */
  readonly hasStoreProxy?: boolean
  /** Another daemon of the store takes the place of lixs. */
  readonly startStore?: (place: StorePlace) => Promise<ForeignStore>
}

/** Where a daemon of the store is to run. */
export interface StorePlace {
  readonly simulatorSocket: string
  /** An existing folder of its own. */
  readonly runDir: string
}

/** A daemon of the store that is no program of ours, and listens. */
export interface ForeignStore {
  readonly socketPath: string
  stop(): Promise<unknown>
}

/** All that a guest may leave behind. */
export interface Traces {
  /** Every node. */
  readonly store: readonly string[]
  /** Of xcld's journal: what they say, and the uuid. */
  readonly records: readonly string[]
  readonly domains: number | undefined
  readonly freeMemoryKiB: number | undefined
  /** Pages that the machine has given to anybody, and that programs have mapped. */
  readonly pages: number | undefined
  readonly pagesHeld: number | undefined
  /** Event channels that programs have bound. */
  readonly portsHeld: number | undefined
  /** Of dom0: disks that are open for guests, and interfaces on bridges. */
  readonly disksOpen: number | undefined
  readonly bridgePorts: number | undefined
}

export type ProgramName = 'lixs' | 'consoled' | 'xcld'

/** In the order in which one needs the other. */
const PROGRAMS: readonly ProgramName[] = ['lixs', 'consoled', 'xcld']
const SERVES: Readonly<Record<ProgramName, RegExp>> = {
  lixs: /"msg":"serving"/,
  consoled: /"msg":"serving consoles"/,
  xcld: /"msg":"serving"/,
}

export class SimulatedHost {
  readonly folder = aFolder()
  readonly news = new NewsLog()
  /** A kernel that runs the machine's native guest, as PV and as PVH. */
  readonly kernel = join(this.folder.path, 'kernel')
  readonly #options: SimulatedHostOptions
  readonly #programs = new Map<ProgramName, ProgramProcess>()
  readonly #clients: XenstoreClient[] = []
  #simulator: Simulator | undefined
  #storeProxy: StoreProxy | undefined
  #foreignStore: ForeignStore | undefined

  /** @throws Error with what a program says when it does not come up; nothing runs then */
  static async start(options: SimulatedHostOptions = {}): Promise<SimulatedHost> {
    const host = new SimulatedHost(options)
    try {
      await host.#start()
      return host
    } catch (error) {
      await host.stop()
      throw error
    }
  }

  private constructor(options: SimulatedHostOptions) {
    this.#options = options
  }

  async #start(): Promise<void> {
    writeFileSync(this.kernel, '#!xcl-guest\n')
    mkdirSync(this.logDir)
    const { args, hasStoreProxy, startStore, ...options } = this.#options
    if (hasStoreProxy) {
      this.#storeProxy = await StoreProxy.listen(this.#xcldStore, this.path('store.sock'))
    }
    this.#simulator = await Simulator.start({
      runDir: this.folder.path,
      xen: '4.17',
      ...options,
    })
    await this.simulator.onNews((words) => this.news.add(words))
    if (startStore !== undefined) await this.#startForeignStore(startStore)
    for (const name of PROGRAMS) {
      if (name !== 'lixs' || startStore === undefined) await this.startProgram(name)
    }
  }

  async #startForeignStore(start: (place: StorePlace) => Promise<ForeignStore>): Promise<void> {
    const place = { simulatorSocket: this.simulator.socketPath, runDir: this.path('store') }
    mkdirSync(place.runDir)
    this.#foreignStore = await start(place)
    symlinkSync(this.#foreignStore.socketPath, this.path('store.sock'))
  }

  get simulator(): Simulator {
    if (this.#simulator === undefined) throw new Error('the simulated machine is not started')
    return this.#simulator
  }

  get storeProxy(): StoreProxy {
    if (this.#storeProxy === undefined) throw new Error('the host has no proxy before its store')
    return this.#storeProxy
  }

  get #xcldStore(): string {
    return this.path(this.#options.hasStoreProxy ? 'store-proxy.sock' : 'store.sock')
  }

  /** Where consoled writes what guests print. */
  get logDir(): string {
    return this.path('logs')
  }

  /** A place in the host's folder. */
  path(...names: readonly string[]): string {
    return join(this.folder.path, ...names)
  }

  /** Settles when it serves. */
  async startProgram(name: ProgramName): Promise<void> {
    const started = startProgram(name, this.#arguments(name), {
      XENSTORED_PATH: this.path('store.sock'),
    })
    this.#programs.set(name, started)
    await started.said(SERVES[name])
  }

  program(name: ProgramName): ProgramProcess {
    const program = this.#programs.get(name)
    if (program === undefined) throw new Error(`${name} is not started`)
    return program
  }

  /** Settles when it has ended. */
  async killProgram(name: ProgramName, signal: NodeJS.Signals = 'SIGKILL'): Promise<Ending> {
    const { child, ended } = this.program(name)
    child.kill(signal)
    return await ended
  }

  /** Runs a command of `xcl`. */
  xcl(argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    const cwd = this.folder.path
    return new XcldClient(this.path('xcld.sock')).run(argv, { cwd, ...options })
  }

  /**
   * Creates a guest.
   * @param more lines of its configuration besides name, type, kernel and memory: `vcpus = 2`
   */
  create(
    name: string,
    more: readonly string[] = [],
    { argv = [], ...options }: RunOptions & { readonly argv?: readonly string[] } = {},
  ): Promise<Outcome> {
    const stdin = this.configuration(name, more)
    return this.xcl(['create', '--json', ...argv, '-'], { stdin, ...options })
  }

  /** Of a guest, as xl.cfg. */
  configuration(name: string, more: readonly string[] = []): string {
    const lines = [`name = "${name}"`, 'type = "pvh"', `kernel = "${this.kernel}"`, 'memory = 4']
    return [...lines, ...more].join('\n')
  }

  /** A connection to the store, closed when the host is stopped. */
  async store(): Promise<XenstoreClient> {
    const client = await XenstoreClient.connect(this.path('store.sock'))
    this.#clients.push(client)
    return client
  }

  /** What there is now; daemons that are still cleaning up may change it. */
  async traces(): Promise<Traces> {
    const store = await this.store()
    const [nodes, stats] = await Promise.all([storeText(store), this.simulator.stats()])
    store.close()
    const { domains, freeMemoryKiB, pages, pagesHeld, portsHeld, disksOpen, bridgePorts } = stats
    const journal = new Journal(this.path('xcld'))
    const records = (['halfMade', 'domains', 'restarts'] as const).flatMap((which) =>
      journal[which]().records.map(({ uuid }) => `${which} ${uuid}`),
    )
    journal.close()
    const machine = { domains, freeMemoryKiB, pages, pagesHeld, portsHeld }
    return { store: nodes, records, ...machine, disksOpen, bridgePorts }
  }

  /** Ends everything, also what hangs; may be called at any time. */
  async stop(): Promise<void> {
    for (const client of this.#clients) client.close()
    this.#storeProxy?.close()
    for (const { child } of this.#programs.values()) child.kill('SIGKILL')
    await Promise.all([...this.#programs.values()].map(({ ended }) => ended))
    await this.#foreignStore?.stop()
    await this.#simulator?.stop()
    this.folder.remove()
  }

  #arguments(name: ProgramName): string[] {
    const own = {
      lixs: ['--socket-path', this.path('store.sock')],
      consoled: [
        '--log',
        'guest',
        '--log-dir',
        this.logDir,
        '--attach',
        this.path('consoled.sock'),
      ],
      xcld: [
        ...['--socket', this.path('xcld.sock'), '--state-dir', this.path('xcld')],
        ...['--store-socket', this.#xcldStore],
        ...['--consoled-socket', this.path('consoled.sock')],
      ],
    }[name]
    const machine = ['--hypervisor', 'sim', '--simulator', this.simulator.socketPath]
    return ['--no-fork', ...machine, ...own, ...(this.#options.args?.[name] ?? [])]
  }
}
