/** One of Debian's daemons as a process: a library is loaded before Xen's, and answers out of the simulated machine. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { stockPackages } from './stock-packages.ts'
import { stockPreload } from './stock-preload.ts'

export interface StockProgram {
  /** In the folder of Xen's daemons. */
  readonly name: string
  readonly args: readonly string[]
  /** Of the machine that it runs on. */
  readonly simulatorSocket: string
  /** An existing folder; takes the place of those that only root may write. */
  readonly runDir: string
  /** More of its environment; a library of LD_PRELOAD comes behind ours. */
  readonly env: Readonly<Record<string, string>>
}

/** How its process ended. */
export interface StockEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** The last of what it wrote to standard output and standard error. */
  readonly said: string
}

const MAX_SAID = 16_384

export class StockProcess {
  readonly name: string
  readonly #spawn: () => ChildProcess
  #child: ChildProcess | undefined
  #ended: Promise<StockEnd> = Promise.resolve({ code: null, signal: null, said: '' })

  private constructor(name: string, spawn: () => ChildProcess) {
    this.name = name
    this.#spawn = spawn
  }

  /**
   * Settles when the daemon listens, or waits for what happens on its machine.
   * @throws Error with what it says when it does not come up
   */
  static async start({
    name,
    args,
    simulatorSocket,
    runDir,
    env,
  }: StockProgram): Promise<StockProcess> {
    const packages = stockPackages()
    const preload = await stockPreload(packages)
    const started = new StockProcess(name, () =>
      spawn(join(packages.binaries, name), args, {
        stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
        env: {
          ...env,
          LD_LIBRARY_PATH: packages.libraries,
          LD_PRELOAD: [preload, env.LD_PRELOAD ?? ''].join(' '),
          XCL_SIMULATOR: simulatorSocket,
          XCL_STOCK_RUN_DIR: runDir,
        },
      }),
    )
    await started.#start()
    return started
  }

  /** Of the process that runs, or ran last. */
  get pid(): number {
    const { pid } = this.#child ?? {}
    if (pid === undefined) throw new Error(`${this.name} is not started`)
    return pid
  }

  /** Settled when the process that runs now has ended, for whatever reason. */
  get ended(): Promise<StockEnd> {
    return this.#ended
  }

  /** Another process, which knows nothing of what the last one had; that one is ended first if it runs. */
  async restart(): Promise<void> {
    await this.stop()
    await this.#start()
  }

  /** May be called again, and when it has ended by itself. */
  async stop(): Promise<StockEnd> {
    this.#child?.kill('SIGKILL')
    return await this.#ended
  }

  async #start(): Promise<void> {
    const child = this.#spawn()
    this.#child = child
    this.#ended = endOf(child)
    const serves = child.stdio[3] as Readable | null
    if (serves === null) throw new Error(`${this.name} cannot say when it serves`)
    // The library writes a line there once the daemon serves, and closes it.
    const [ready] = await Promise.race([once(serves, 'data'), this.#ended.then(() => [undefined])])
    serves.destroy()
    if (ready !== undefined) return
    const { code, signal, said } = await this.#ended
    throw new Error(`${this.name} did not start (${code ?? signal}): ${said.trim()}`)
  }
}

function endOf(child: ChildProcess): Promise<StockEnd> {
  let said = ''
  for (const output of [child.stdout, child.stderr]) {
    output?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-MAX_SAID)
    })
  }
  return new Promise((resolve, reject) => {
    child.once('close', (code, signal) => resolve({ code, signal, said }))
    child.once('error', reject)
  })
}
