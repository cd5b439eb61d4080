/** A simulated machine with a store and guests that print; a console daemon is started on it, one at a time. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { XenstoreClient } from '../../lixs/client/client.ts'
import type { Domid, EvtchnPort, Hypervisor } from '../../native/hypervisor.ts'
import { Simulator } from '../../native/simulator/control.ts'
import { openSimulator } from '../../native/simulator/hypervisor.ts'
import { makeDomain, writeKernel } from '../domains.ts'
import { DaemonProcess } from '../start/daemon-process.ts'

const LIXS = join(import.meta.dirname, '../../dist/bin/lixs')
const STOP_MS = 2000
const MEMORY_MIB = 128 * 1024
/** What libxl writes. */
const LIMIT_BYTES = 1_048_576
/** Guests that are made between two words to whoever waits. */
const PIECE = 200

/** A guest that prints when it is asked to. */
export interface ConsoleGuest {
  readonly domid: Domid
  readonly uuid: string
  readonly name: string
  /** Of its console. */
  readonly port: EvtchnPort
  /** When the store was asked to introduce it; `performance.now()`. */
  readonly introducedMs: number
}

export class ConsoleHost {
  readonly simulator: Simulator
  readonly storeSocket: string
  /** A folder of its own. */
  readonly runDir: string
  /** All that are there, in the order in which they were made. */
  readonly guests: ConsoleGuest[] = []
  readonly #lixs: DaemonProcess
  readonly #store: XenstoreClient
  readonly #xen: Hypervisor
  readonly #kernel: string
  #made = 0

  private constructor(
    simulator: Simulator,
    lixs: DaemonProcess,
    store: XenstoreClient,
    runDir: string,
    storeSocket: string,
  ) {
    this.simulator = simulator
    this.runDir = runDir
    this.storeSocket = storeSocket
    this.#lixs = lixs
    this.#store = store
    this.#xen = openSimulator(simulator.socketPath, () => undefined)
    this.#kernel = writeKernel(runDir)
  }

  /** @param runDir is made @throws Error with what does not come up */
  static async start(runDir: string): Promise<ConsoleHost> {
    mkdirSync(runDir, { recursive: true })
    const simulator = await Simulator.start({ runDir, xen: '4.17', memoryMiB: MEMORY_MIB })
    const storeSocket = join(runDir, 'store.sock')
    const logFile = join(runDir, 'lixs.log')
    const machine = ['--hypervisor', 'sim', '--simulator', simulator.socketPath]
    const args = ['--no-fork', ...machine, '--socket-path', storeSocket]
    const env = { PATH: process.env.PATH }
    const lixs = new DaemonProcess('lixs', LIXS, args, { logFile, cwd: runDir, env })
    await lixs.serves(storeSocket)
    if (!lixs.isRunning) {
      await simulator.stop()
      throw new Error(`lixs did not start; see ${logFile}`)
    }
    const store = await XenstoreClient.connect(storeSocket)
    return new ConsoleHost(simulator, lixs, store, runDir, storeSocket)
  }

  /** Makes guests until there are so many. */
  async growTo(count: number, onProgress: (made: number) => void): Promise<void> {
    while (this.guests.length < count) {
      const piece = Math.min(PIECE, count - this.guests.length)
      await Promise.all(Array.from({ length: piece }, () => this.addGuest()))
      onProgress(this.guests.length)
    }
  }

  /** One that runs, and has said nothing; the store's clients are told of it last. */
  async addGuest(): Promise<ConsoleGuest> {
    const name = `g${++this.#made}`
    const made = await makeDomain(this.#xen.builder, this.#kernel, 'script=print')
    const { domid, uuid, ports, image } = made
    const home = `/local/domain/${domid}`
    const keys = {
      name,
      'console/ring-ref': image.consoleGfn,
      'console/port': ports.consolePort,
      'console/type': 'xenconsoled',
      'console/limit': LIMIT_BYTES,
    }
    await Promise.all(
      Object.entries(keys).map(([key, value]) =>
        this.#store.write(`${home}/${key}`, String(value)),
      ),
    )
    const introducedMs = performance.now()
    await this.#store.introduce(domid, image.storeGfn, ports.storePort)
    this.#xen.domains.unpause(domid)
    const guest = { domid, uuid, name, port: ports.consolePort, introducedMs }
    this.guests.push(guest)
    return guest
  }

  /** Ends a guest; the store and the console daemon hear of it from Xen. */
  async removeGuest(guest: ConsoleGuest): Promise<void> {
    this.guests.splice(this.guests.indexOf(guest), 1)
    await this.#store.rm(`/local/domain/${guest.domid}`)
    await this.#xen.domains.destroy(guest.domid)
  }

  /** Event channels that all programs on the machine have bound. */
  async portsHeld(): Promise<number> {
    const { portsHeld = 0 } = await this.simulator.stats()
    return portsHeld
  }

  async stop(): Promise<void> {
    this.#store.close()
    this.#xen.close()
    await this.#lixs.stop(STOP_MS)
    await this.simulator.stop()
  }
}
