/**
 * Debian's own XenStore daemons on a simulated machine: the C one and the OCaml one of Xen 4.17, unmodified.
 * A library is loaded before Xen's, and answers out of the machine.
 *
 * ```ts
 * const daemon = await startStockDaemon('oxenstored', { simulatorSocket, runDir })
 * const store = await XenstoreClient.connect(daemon.socketPath)
 * ```
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { stockPackages } from './stock-packages.ts'
import { stockPreload } from './stock-preload.ts'

export const STOCK_DAEMONS = ['xenstored', 'oxenstored'] as const
export type StockDaemonName = (typeof STOCK_DAEMONS)[number]

export interface StockDaemonOptions {
  /** Of the machine that it runs on, which no other store daemon may serve at the time. */
  readonly simulatorSocket: string
  /** An existing folder; takes the place of /var/run/xenstored and of its folders for logs and settings. */
  readonly runDir: string
  /** More arguments: `--quota transactions=20`. */
  readonly args?: readonly string[]
  /** More of its environment; a library of LD_PRELOAD comes behind ours. */
  readonly env?: Readonly<Record<string, string>>
}

/** How its process ended. */
export interface StockDaemonEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** The last of what it wrote to standard output and standard error. */
  readonly said: string
}

const MAX_SAID = 16_384

/**
 * Settles when its socket can be connected to.
 * @throws Error with what the daemon says when it does not come up
 */
export async function startStockDaemon(
  name: StockDaemonName,
  options: StockDaemonOptions,
): Promise<StockDaemon> {
  const { binaries, libraries, configuration, ...others } = stockPackages()
  const preload = await stockPreload({ binaries, libraries, configuration, ...others })
  const settings = join(options.runDir, 'etc')
  for (const folder of [settings, join(options.runDir, 'log')])
    mkdirSync(folder, { recursive: true })
  copyFileSync(join(configuration, 'oxenstored.conf'), join(settings, 'oxenstored.conf'))
  const daemon = new StockDaemon(name, options, () =>
    spawn(join(binaries, name), ['--no-fork', ...(options.args ?? [])], {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      env: {
        ...options.env,
        LD_LIBRARY_PATH: libraries,
        LD_PRELOAD: [preload, options.env?.LD_PRELOAD ?? ''].join(' '),
        XCL_SIMULATOR: options.simulatorSocket,
        XCL_STOCK_RUN_DIR: options.runDir,
      },
    }),
  )
  await daemon.start()
  return daemon
}

export class StockDaemon {
  readonly name: StockDaemonName
  readonly socketPath: string
  readonly #spawn: () => ChildProcess
  #child: ChildProcess | undefined
  #ended: Promise<StockDaemonEnd> = Promise.resolve({ code: null, signal: null, said: '' })

  constructor(name: StockDaemonName, { runDir }: StockDaemonOptions, spawn: () => ChildProcess) {
    this.name = name
    this.socketPath = join(runDir, 'socket')
    this.#spawn = spawn
  }

  /** Of the process that runs, or ran last. */
  get pid(): number {
    const { pid } = this.#child ?? {}
    if (pid === undefined) throw new Error(`${this.name} is not started`)
    return pid
  }

  /** Settled when the process that runs now has ended, for whatever reason. */
  get ended(): Promise<StockDaemonEnd> {
    return this.#ended
  }

  /** Once only; afterwards `restart`. */
  async start(): Promise<void> {
    const child = this.#spawn()
    this.#child = child
    this.#ended = endOf(child)
    const listens = child.stdio[3] as Readable | null
    if (listens === null) throw new Error(`${this.name} cannot say when it listens`)
    // The library writes a line there once the daemon listens, and closes it.
    const [ready] = await Promise.race([once(listens, 'data'), this.#ended.then(() => [undefined])])
    listens.destroy()
    if (ready !== undefined) return
    const { code, signal, said } = await this.#ended
    throw new Error(`${this.name} did not start (${code ?? signal}): ${said.trim()}`)
  }

  /** Another process, which knows nothing of what the last one had; that one is ended first if it runs. */
  async restart(): Promise<void> {
    await this.stop()
    await this.start()
  }

  /** May be called again, and when it has ended by itself. */
  async stop(): Promise<StockDaemonEnd> {
    this.#child?.kill('SIGKILL')
    return await this.#ended
  }
}

function endOf(child: ChildProcess): Promise<StockDaemonEnd> {
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
