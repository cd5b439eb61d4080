/**
 * A simulated machine with lixs and native guests of all sorts, made without a toolstack, for a console
 * daemon of the test's choice: consoled as a process of its own, or its Daemon in this one.
 */
import { randomUUID } from 'node:crypto'
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { XenstoreClient } from '../../lixs/client/client.ts'
import type { DomainSpec, Domid, Hypervisor } from '../../native/hypervisor.ts'
import { Simulator } from '../../native/simulator/control.ts'
import { openSimulator } from '../../native/simulator/hypervisor.ts'
import { type ProgramProcess, startLixs, startProgram } from '../support/a-program.ts'
import { aFolder } from '../support/a-socket-peer.ts'
import { NewsLog } from '../support/news-log.ts'

const MEMORY_KIB = 4096

/** A guest with a console. */
export interface BesiegingGuest {
  readonly domid: Domid
  readonly logPath: string
}

export class ConsoleSiege {
  readonly simulator: Simulator
  readonly store: XenstoreClient
  readonly xen: Hypervisor
  readonly news = new NewsLog()
  readonly #lixs: ProgramProcess
  readonly #folder: ReturnType<typeof aFolder>
  #consoled: ProgramProcess | undefined
  #made = 0

  static async begin(): Promise<ConsoleSiege> {
    const folder = aFolder()
    const simulator = await Simulator.start({ runDir: folder.path, xen: '4.17' })
    const storePath = join(folder.path, 'store.sock')
    const machine = ['--hypervisor', 'sim', '--simulator', simulator.socketPath]
    const lixs = startLixs(['--no-fork', ...machine, '--socket-path', storePath])
    await lixs.said(/"msg":"serving"/)
    const siege = new ConsoleSiege(simulator, lixs, await XenstoreClient.connect(storePath), folder)
    await simulator.onNews((words) => siege.news.add(words))
    return siege
  }

  private constructor(
    simulator: Simulator,
    lixs: ProgramProcess,
    store: XenstoreClient,
    folder: ReturnType<typeof aFolder>,
  ) {
    this.simulator = simulator
    this.store = store
    this.#lixs = lixs
    this.#folder = folder
    this.xen = openSimulator(simulator.socketPath, () => undefined)
    writeFileSync(this.#kernel, '#!xcl-guest\n')
  }

  get #kernel(): string {
    return this.path('kernel')
  }

  get storePath(): string {
    return this.path('store.sock')
  }

  get controlPath(): string {
    return this.path('control.sock')
  }

  get attachPath(): string {
    return this.path('consoled.sock')
  }

  /** A place in the folder of all. */
  path(name: string): string {
    return join(this.#folder.path, name)
  }

  /** Of consoled, wherever it runs. */
  get arguments(): readonly string[] {
    return [
      ...['--no-fork', '--hypervisor', 'sim', '--simulator', this.simulator.socketPath],
      ...['--log', 'guest', '--log-dir', this.path('logs'), '--attach', this.attachPath],
    ]
  }

  /** Starts consoled as a process of its own; settles when it serves. */
  async startConsoled(more: readonly string[] = []): Promise<ProgramProcess> {
    const args = [...this.arguments, ...more]
    const consoled = startProgram('consoled', args, { XENSTORED_PATH: this.storePath })
    this.#consoled = consoled
    await consoled.said(/"msg":"serving consoles"/)
    return consoled
  }

  /**
   * Makes a guest and has it run.
   * @param script what it does: `flood-console`
   */
  async guest(script: string): Promise<BesiegingGuest> {
    const { builder, domains } = this.xen
    const name = `g${++this.#made}`
    const spec = aSpec()
    const domid = await builder.create(spec)
    const ports = await builder.prepare(domid, spec)
    const cmdline = `script=${script}`
    const image = { kernel: this.#kernel, ramdisk: undefined, cmdline }
    const { storeGfn, consoleGfn } = await builder.build(domid, spec, ports, image)
    const home = `/local/domain/${domid}`
    await this.store.mkdir(home)
    await this.store.setPerms(home, [`n${domid}`])
    await Promise.all([
      this.store.write(`${home}/name`, name),
      this.store.write(`${home}/domid`, String(domid)),
      this.store.write(`${home}/console/ring-ref`, String(consoleGfn)),
      this.store.write(`${home}/console/port`, String(ports.consolePort)),
      this.store.write(`${home}/console/type`, 'xenconsoled'),
    ])
    await this.store.introduce(domid, storeGfn, ports.storePort)
    domains.unpause(domid)
    return { domid, logPath: join(this.path('logs'), `guest-${name}.log`) }
  }

  async stop(): Promise<void> {
    this.store.close()
    this.xen.close()
    const programs = [this.#lixs, this.#consoled].filter((program) => program !== undefined)
    for (const { child } of programs) child.kill('SIGKILL')
    await Promise.all(programs.map(({ ended }) => ended))
    await this.simulator.stop()
    this.#folder.remove()
  }
}

/** Bytes in the guest's log now. */
export function loggedBytes({ logPath }: BesiegingGuest): number {
  return statSync(logPath, { throwIfNoEntry: false })?.size ?? 0
}

function aSpec(): DomainSpec {
  return {
    type: 'pvh',
    uuid: randomUUID(),
    vcpus: 1,
    memoryKiB: MEMORY_KIB,
    maxMemoryKiB: MEMORY_KIB,
    maxEvtchnPort: 127,
    maxGrantFrames: -1,
    maxMaptrackFrames: -1,
  }
}
