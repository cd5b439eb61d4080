import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Simulator } from '../../native/simulator/control.ts'
import { type StockDaemonName, startStockDaemon } from '../stock/stock-daemon.ts'
import { aFolder } from '../support/a-socket-peer.ts'
import { TappedGuests } from '../support/a-tapped-guest.ts'
import { LIMITS } from './a-lixs.ts'
import type { DaemonUnderTest } from './daemon.ts'
import { TappedMachine } from './tapped-machine.ts'

/** One of Debian's daemons, on a simulated machine of its own, with the limits that lixs has here. */
export async function aStockDaemon(name: StockDaemonName): Promise<DaemonUnderTest> {
  const folder = aFolder()
  const simulator = await Simulator.start({ runDir: folder.path, xen: '4.17' })
  const daemon = await startStockDaemon(name, {
    simulatorSocket: simulator.socketPath,
    runDir: folder.path,
    args: name === 'xenstored' ? XENSTORED_LIMITS : configuration(folder.path),
  })
  const guests = await TappedGuests.on(simulator)
  return {
    name,
    socketPath: daemon.socketPath,
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

/** xenstored 4.17 takes one watch and one transaction more than it is told. */
const XENSTORED_LIMITS = [
  ...['--entry-nb', LIMITS.nodes],
  ...['--watch-nb', LIMITS.watches - 1],
  ...['--transaction', LIMITS.transactions - 1],
  ...['--perm-nb', LIMITS.permissions],
].map(String)

function configuration(folder: string): string[] {
  const path = join(folder, 'oxenstored.conf')
  const lines = [
    'xenstored-kva = /proc/xen/xsd_kva',
    'xenstored-port = /proc/xen/xsd_port',
    'quota-activate = true',
    'quota-maxsize = 2048',
    'perms-activate = true',
    'merge-activate = true',
    'persistent = false',
  ]
  writeFileSync(path, `${lines.join('\n')}\n`)
  return ['--config-file', path]
}
