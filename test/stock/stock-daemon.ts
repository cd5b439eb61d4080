/**
 * Debian's own XenStore daemons on a simulated machine: the C one and the OCaml one of Xen 4.17, unmodified.
 *
 * ```ts
 * const daemon = await startStockDaemon('oxenstored', { simulatorSocket, runDir })
 * const store = await XenstoreClient.connect(daemon.socketPath)
 * ```
 */
import { copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { stockPackages } from './stock-packages.ts'
import { type StockEnd, StockProcess } from './stock-process.ts'

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

export interface StockDaemon {
  readonly name: StockDaemonName
  readonly socketPath: string
  /** Of the process that runs, or ran last. */
  readonly pid: number
  /** Settled when the process that runs now has ended, for whatever reason. */
  readonly ended: Promise<StockEnd>
  /** Another process, which knows nothing of what the last one had; that one is ended first if it runs. */
  restart(): Promise<void>
  /** May be called again, and when it has ended by itself. */
  stop(): Promise<StockEnd>
}

/**
 * Settles when its socket can be connected to.
 * @throws Error with what the daemon says when it does not come up
 */
export async function startStockDaemon(
  name: StockDaemonName,
  { simulatorSocket, runDir, args = [], env = {} }: StockDaemonOptions,
): Promise<StockDaemon> {
  const { configuration } = stockPackages()
  const settings = join(runDir, 'etc')
  for (const folder of [settings, join(runDir, 'log')]) mkdirSync(folder, { recursive: true })
  copyFileSync(join(configuration, 'oxenstored.conf'), join(settings, 'oxenstored.conf'))
  const started = await StockProcess.start({
    name,
    args: ['--no-fork', ...args],
    simulatorSocket,
    runDir,
    env,
  })
  return {
    name,
    socketPath: join(runDir, 'socket'),
    get pid() {
      return started.pid
    },
    get ended() {
      return started.ended
    },
    restart: () => started.restart(),
    stop: () => started.stop(),
  }
}
