import { LIMITS } from './a-lixs.ts'
import { aStockDaemon } from './a-stock-daemon.ts'
import type { DaemonUnderTest } from './daemon.ts'

/** Debian's C daemon, on a simulated machine of its own, with the limits that lixs has here. */
export function aXenstored(): Promise<DaemonUnderTest> {
  return aStockDaemon('xenstored', () => XENSTORED_LIMITS)
}

/** xenstored 4.17 takes one watch and one transaction more than it is told. */
const XENSTORED_LIMITS = [
  ...['--entry-nb', LIMITS.nodes],
  ...['--watch-nb', LIMITS.watches - 1],
  ...['--transaction', LIMITS.transactions - 1],
  ...['--perm-nb', LIMITS.permissions],
].map(String)
