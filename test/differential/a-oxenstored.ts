import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Simulator } from '../../native/simulator/control.ts'
import { startStockDaemon } from '../stock/stock-daemon.ts'
import { aFolder } from '../support/a-socket-peer.ts'
import { TappedGuests } from '../support/a-tapped-guest.ts'
import { LIMITS } from './a-lixs.ts'
import type { DaemonUnderTest } from './daemon.ts'
import { TappedMachine } from './tapped-machine.ts'

/** Debian's OCaml daemon, on a simulated machine of its own, with the limits that lixs has here. */
export async function anOxenstored(): Promise<DaemonUnderTest> {
  const folder = aFolder()
  const simulator = await Simulator.start({ runDir: folder.path, xen: '4.17' })
  const settings = join(folder.path, 'limits.conf')
  writeFileSync(settings, SETTINGS.map(([name, value]) => `${name} = ${value}\n`).join(''))
  const daemon = await startStockDaemon('oxenstored', {
    simulatorSocket: simulator.socketPath,
    runDir: folder.path,
    args: ['--config-file', settings],
  })
  const guests = await TappedGuests.on(simulator)
  return {
    name: 'oxenstored',
    socketPath: daemon.socketPath,
    repliesFirst: true,
    forgetsReleased: true,
    machine: new TappedMachine(guests),
    ended: daemon.ended,
    async stop() {
      await daemon.stop()
      guests.close()
      await simulator.stop()
      folder.remove()
    },
  }
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
