import { XenstoreClient } from '../../lixs/client/client.ts'
import { Simulator } from '../../native/simulator/control.ts'
import { aFolder } from '../support/a-socket-peer.ts'
import {
  type TappedGuest,
  type TappedGuestOptions,
  TappedGuests,
} from '../support/a-tapped-guest.ts'
import { type StockDaemon, type StockDaemonName, startStockDaemon } from './stock-daemon.ts'

/** A stock daemon on a simulated machine of its own, without any program of ours. */
export class StockMachine {
  readonly simulator: Simulator
  readonly daemon: StockDaemon
  readonly guests: TappedGuests
  readonly #folder: ReturnType<typeof aFolder>
  readonly #clients: XenstoreClient[] = []

  private constructor(
    simulator: Simulator,
    daemon: StockDaemon,
    guests: TappedGuests,
    folder: ReturnType<typeof aFolder>,
  ) {
    this.simulator = simulator
    this.daemon = daemon
    this.guests = guests
    this.#folder = folder
  }

  static async start(name: StockDaemonName): Promise<StockMachine> {
    const folder = aFolder()
    const simulator = await Simulator.start({ runDir: folder.path, xen: '4.17' })
    const simulatorSocket = simulator.socketPath
    const daemon = await startStockDaemon(name, { simulatorSocket, runDir: folder.path })
    return new StockMachine(simulator, daemon, await TappedGuests.on(simulator), folder)
  }

  /** A folder of its own, which goes with the machine. */
  get runDir(): string {
    return this.#folder.path
  }

  /** A connection to the daemon's socket, closed with the machine. */
  async store(): Promise<XenstoreClient> {
    const client = await XenstoreClient.connect(this.daemon.socketPath)
    this.#clients.push(client)
    return client
  }

  /** A tapped guest with a directory of its own, which is its own, introduced. */
  async guest(store: XenstoreClient, options: TappedGuestOptions = {}): Promise<TappedGuest> {
    const guest = await this.guests.make(options)
    const home = `/local/domain/${guest.domid}`
    await store.mkdir(home)
    await store.setPerms(home, [`n${guest.domid}`])
    await store.introduce(guest.domid, guest.gfn, guest.port)
    return guest
  }

  /** The guest's kernel as a client, closed with the machine. */
  async kernel(guest: TappedGuest): Promise<XenstoreClient> {
    const client = await guest.client()
    this.#clients.push(client)
    return client
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.close()
    await this.daemon.stop()
    this.guests.close()
    await this.simulator.stop()
    this.#folder.remove()
  }
}
