import { Simulator } from '../../native/simulator/control.ts'
import { startStockDaemon } from '../stock/stock-daemon.ts'
import { aFolder } from '../support/a-socket-peer.ts'
import { TappedGuests } from '../support/a-tapped-guest.ts'
import { LIMITS } from './a-lixs.ts'
import type { DaemonUnderTest } from './daemon.ts'
import { TappedMachine } from './tapped-machine.ts'

/** Debian's C daemon, on a simulated machine of its own, with the limits that lixs has here. */
export async function aXenstored(): Promise<DaemonUnderTest> {
  const folder = aFolder()
  const simulator = await Simulator.start({ runDir: folder.path, xen: '4.17' })
  const daemon = await startStockDaemon('xenstored', {
    simulatorSocket: simulator.socketPath,
    runDir: folder.path,
    args: XENSTORED_LIMITS,
  })
  const guests = await TappedGuests.on(simulator)
  return {
    name: 'xenstored',
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
