/**
 * Debian's own console daemon on a simulated machine: xenconsoled of Xen 4.17, unmodified. Every guest gets a
 * pseudo terminal, whose path is in the store, and a log where guests are logged.
 */
import { mkdirSync } from 'node:fs'
import { StockProcess } from './stock-process.ts'

export interface StockConsoledOptions {
  /** Of the machine that it runs on. */
  readonly simulatorSocket: string
  /** Where a store daemon listens. */
  readonly storeSocket: string
  /** An existing folder; takes the place of those that only root may write. */
  readonly runDir: string
  /** Made if it is not there. */
  readonly logDir: string
  /** More arguments, or others: `--log=all`. */
  readonly args?: readonly string[]
}

/**
 * Settles when it serves all guests that were there.
 * @throws Error with what the daemon says when it does not come up
 */
export async function startStockConsoled(options: StockConsoledOptions): Promise<StockProcess> {
  const { simulatorSocket, storeSocket, runDir, logDir, args = [] } = options
  mkdirSync(logDir, { recursive: true })
  return await StockProcess.start({
    name: 'xenconsoled',
    args: ['--interactive', '--log=guest', `--log-dir=${logDir}`, ...args],
    simulatorSocket,
    runDir,
    env: { XENSTORED_PATH: storeSocket },
  })
}
