import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LIMITS } from './a-lixs.ts'
import { aStockDaemon } from './a-stock-daemon.ts'
import type { DaemonUnderTest } from './daemon.ts'

/** Debian's OCaml daemon, on a simulated machine of its own, with the limits that lixs has here. */
export async function anOxenstored(): Promise<DaemonUnderTest> {
  const daemon = await aStockDaemon('oxenstored', (folder) => {
    const settings = join(folder, 'limits.conf')
    writeFileSync(settings, SETTINGS.map(([name, value]) => `${name} = ${value}\n`).join(''))
    return ['--config-file', settings]
  })
  return { ...daemon, repliesFirst: true, forgetsReleased: true }
}

/**
 * All of Debian's own that matter here, with other limits: a file that is named takes the place of the
 * whole, and the daemon does not start without the last two.
 */
const SETTINGS = [
  ['merge-activate', true],
  ['perms-activate', true],
  ['perms-watch-activate', true],
  ['quota-activate', true],
  ['quota-maxentity', LIMITS.nodes],
  ['quota-maxsize', 2048],
  ['quota-maxwatch', LIMITS.watches - 1],
  ['quota-transaction', LIMITS.transactions - 1],
  ['quota-path-max', 2048],
  ['quota-maxrequests', 1024],
  ['quota-maxoutstanding', 1024],
  ['quota-maxwatchevents', 1024],
  // Whom others' transactions fail for is not kept waiting.
  ['conflict-burst-limit', '1000000.0'],
  ['conflict-max-history-seconds', '0.05'],
  ['conflict-rate-limit-is-aggregate', false],
  ['persistent', false],
  ['xenstored-kva', '/proc/xen/xsd_kva'],
  ['xenstored-port', '/proc/xen/xsd_port'],
] as const
