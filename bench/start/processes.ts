/**
 * The four processes of a run: the simulated machine and our three daemons on it, as they would run
 * on a host, with every path of theirs in the run's own folders.
 *
 * None is left alone: if one ends, all end. That also holds when we are killed: the machine dies with
 * us (PR_SET_PDEATHSIG), and the daemons end when their machine has gone.
 */
import { join } from 'node:path'
import { Simulator } from '../../native/simulator/control.ts'
import { DaemonProcess, type Ending, endingText } from './daemon-process.ts'
import type { LogDirectory } from './log-directory.ts'
import { type Usage, usageOf } from './proc.ts'
import type { RunDirectory } from './run-directory.ts'

/** How long one of them may take to end in order, and how long the others' ends are waited for. */
const STOP_MS = 2000
/** Who ends because another did does so within this time: the first cause is to be named. */
const SETTLE_MS = 200

export const PROCESS_NAMES = ['lixs', 'consoled', 'xcld', 'simulator'] as const
export type ProcessName = (typeof PROCESS_NAMES)[number]

/** The same question of each process. */
export function forEachProcess<T>(of: (name: ProcessName) => T): Record<ProcessName, T> {
  const [lixs, consoled, xcld, simulator] = PROCESS_NAMES
  return {
    [lixs]: of(lixs),
    [consoled]: of(consoled),
    [xcld]: of(xcld),
    [simulator]: of(simulator),
  }
}

/** One of them ended, and nobody had asked it to. */
export interface ProcessFailure {
  readonly name: ProcessName
  readonly pid: number
  readonly ending: Ending
  readonly logFile: string
}

/** What a run needs to know to start them. */
export interface ProcessesOptions {
  readonly runDir: RunDirectory
  readonly logs: LogDirectory
  /** Folder with the programs. */
  readonly binDir: string
  readonly xen: '4.17' | '4.21'
  readonly memoryMiB: number
}

interface Running {
  readonly pid: number
  readonly logFile: string
  ending: Ending | undefined
}

export class Processes {
  /** Settles, if ever, when one has ended that should not have; names the one it began with. */
  readonly failed: Promise<ProcessFailure>
  readonly #options: ProcessesOptions
  readonly #running = new Map<ProcessName, Running>()
  readonly #daemons: DaemonProcess[] = []
  #simulator: Simulator | undefined
  #isStopping = false
  #fail: (failure: ProcessFailure) => void = () => undefined

  constructor(options: ProcessesOptions) {
    this.#options = options
    this.failed = new Promise((resolve) => {
      this.#fail = resolve
    })
  }

  /** Settles when all serve. When one ends before it does, `failed` says so and this never settles. */
  async start(): Promise<void> {
    const { runDir, logs, xen, memoryMiB } = this.#options
    const logFile = logs.daemon('simulator')
    const simulator = await Simulator.start({ runDir: runDir.path, xen, memoryMiB, logFile })
    this.#simulator = simulator
    this.#watch('simulator', simulator.pid, logFile, simulator.ended)
    const onMachine = ['--no-fork', '--hypervisor', 'sim', '--simulator', simulator.socketPath]
    const lixs = this.#spawn('lixs', [...onMachine, '--socket-path', this.storeSocket])
    await this.#serves(lixs, this.storeSocket)
    const consoled = this.#spawn('consoled', [
      ...onMachine,
      ...['--log', 'guest', '--log-dir', logs.path, '--attach', this.consoledSocket],
    ])
    const xcld = this.#spawn('xcld', [
      ...onMachine,
      ...['--socket', this.xcldSocket, '--state-dir', runDir.file('xcld')],
      ...['--store-socket', this.storeSocket, '--consoled-socket', this.consoledSocket],
    ])
    await Promise.all([
      this.#serves(consoled, this.consoledSocket),
      this.#serves(xcld, this.xcldSocket),
    ])
  }

  get simulator(): Simulator {
    if (this.#simulator === undefined) throw new Error('the simulated machine is not started')
    return this.#simulator
  }

  get storeSocket(): string {
    return this.#options.runDir.file('store.sock')
  }

  get consoledSocket(): string {
    return this.#options.runDir.file('consoled.sock')
  }

  get xcldSocket(): string {
    return this.#options.runDir.file('xcld.sock')
  }

  pidOf(name: ProcessName): number {
    return this.#running.get(name)?.pid ?? 0
  }

  /** What each has used since it began. */
  usage(): Record<ProcessName, Usage> {
    return forEachProcess(
      (name) => usageOf(this.pidOf(name)) ?? { cpuTicks: 0, rssKiB: 0, sharedKiB: 0 },
    )
  }

  /** Ends all of them, in the order in which one needs the other. */
  async stop(): Promise<void> {
    this.#isStopping = true
    for (const daemon of this.#daemons.toReversed()) await daemon.stop(STOP_MS)
    await this.#simulator?.stop()
  }

  /** At once, whatever they are doing; for a way out on which nothing can be waited for. */
  kill(): void {
    this.#isStopping = true
    for (const daemon of this.#daemons) daemon.kill()
    const machine = this.#running.get('simulator')
    if (machine !== undefined && machine.ending === undefined) process.kill(machine.pid, 'SIGKILL')
  }

  #spawn(name: 'lixs' | 'consoled' | 'xcld', args: readonly string[]): DaemonProcess {
    const { binDir, logs, runDir } = this.#options
    const logFile = logs.daemon(name)
    const daemon = new DaemonProcess(name, join(binDir, name), [...args, '--log-file', logFile], {
      logFile,
      cwd: runDir.path,
      // Only paths of this run: what the caller has set for a real host is not for these.
      env: { PATH: process.env.PATH, XENSTORED_PATH: this.storeSocket },
    })
    this.#daemons.push(daemon)
    this.#watch(name, daemon.pid, logFile, daemon.ended)
    return daemon
  }

  #watch(name: ProcessName, pid: number, logFile: string, ended: Promise<Ending>): void {
    const running: Running = { pid, logFile, ending: undefined }
    this.#running.set(name, running)
    ended.then((ending) => {
      running.ending = ending
      if (!this.#isStopping) setTimeout(() => this.#blame(name), SETTLE_MS)
    })
  }

  /** @param name the one whose end was seen first */
  #blame(name: ProcessName): void {
    // Daemons end when their machine has gone, and may be seen to do so before the machine is.
    const culprit = this.#running.get('simulator')?.ending === undefined ? name : 'simulator'
    const running = this.#running.get(culprit)
    if (running?.ending === undefined || this.#isStopping) return
    const { pid, ending, logFile } = running
    this.#fail({ name: culprit, pid, ending, logFile })
  }

  /** Of one that has ended, `failed` tells. */
  async #serves(daemon: DaemonProcess, socketPath: string): Promise<void> {
    await daemon.serves(socketPath)
    if (!daemon.isRunning) await new Promise<never>(() => undefined)
  }
}

/** `consoled (pid 4711) was ended by SIGKILL`. */
export function failureText({ name, pid, ending }: ProcessFailure): string {
  const process = pid === 0 ? name : `${name} (pid ${pid})`
  return `${process} ${endingText(ending)}`
}
