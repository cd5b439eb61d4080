import { Simulator } from '../../native/simulator/control.ts'
import { type StockDaemonName, startStockDaemon } from '../stock/stock-daemon.ts'
import { aFolder } from '../support/a-socket-peer.ts'
import { TappedGuests } from '../support/a-tapped-guest.ts'
import type { DaemonUnderTest } from './daemon.ts'
import { TappedMachine } from './tapped-machine.ts'

/**
 * One of Debian's daemons, on a simulated machine of its own.
 *
 * @param argsIn its arguments; it may be given files, in a folder that goes with it
 */
export async function aStockDaemon(
  name: StockDaemonName,
  argsIn: (folder: string) => readonly string[],
): Promise<DaemonUnderTest> {
  const folder = aFolder()
  const simulator = await Simulator.start({ runDir: folder.path, xen: '4.17' })
  const daemon = await startStockDaemon(name, {
    simulatorSocket: simulator.socketPath,
    runDir: folder.path,
    args: argsIn(folder.path),
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
