/**
 * Guests of a simulated machine whose kernel is the test: what the test writes to a socket goes into the
 * guest's store ring as it is, and what the daemon puts into the ring comes out of the socket. Any daemon may
 * be at the ring's other end, and no toolstack is needed.
 *
 * ```ts
 * const guests = await TappedGuests.on(simulator)
 * const guest = await guests.make()
 * await store.introduce(guest.domid, guest.gfn, guest.port)
 * const kernel = await guest.client()
 * await kernel.read('name')
 * ```
 */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { XenstoreClient } from '../../lixs/client/client.ts'
import type { DomainPorts, DomainSpec, Domid, Gfn, Hypervisor } from '../../native/hypervisor.ts'
import type { Simulator } from '../../native/simulator/control.ts'
import { openSimulator } from '../../native/simulator/hypervisor.ts'
import { NewsLog } from './news-log.ts'

/** The words of a store ring, by Xen's names for them (struct xenstore_domain_interface). */
export interface RingWords {
  readonly req_cons: number
  readonly req_prod: number
  readonly rsp_cons: number
  readonly rsp_prod: number
  readonly server_features: number
  readonly connection: number
  readonly error: number
}

export interface TappedGuestOptions {
  /** The number it is to have; without it Xen goes on from the last one. */
  readonly domid?: number
  readonly type?: DomainSpec['type']
}

/** Makes tapped guests on a machine, with a handle of its own to it. */
export class TappedGuests {
  readonly simulator: Simulator
  readonly xen: Hypervisor
  readonly news = new NewsLog()
  readonly #folder: string
  /** Runs the machine's native guests, as PV and as PVH. */
  readonly kernel: string
  /** How many domains of each number there were. */
  readonly #made = new Map<number, number>()

  private constructor(simulator: Simulator) {
    this.simulator = simulator
    this.xen = openSimulator(simulator.socketPath, () => {})
    this.#folder = dirname(simulator.socketPath)
    this.kernel = join(this.#folder, 'tap-kernel')
    writeFileSync(this.kernel, '#!xcl-guest\n')
  }

  static async on(simulator: Simulator): Promise<TappedGuests> {
    const guests = new TappedGuests(simulator)
    await simulator.onNews((words) => guests.news.add(words))
    return guests
  }

  /**
   * A domain that runs, and that no daemon knows of yet. Guests with a number of their own are made one after
   * another, since Xen is told the number of whatever domain comes next.
   * @throws Error when the number is taken
   */
  async make({ domid, type = 'pvh' }: TappedGuestOptions = {}): Promise<TappedGuest> {
    const { builder, domains } = this.xen
    if (domid !== undefined) await this.simulator.command(`domid next=${domid}`)
    const spec = specOf(type)
    const made = await builder.create(spec)
    if (domid !== undefined && made !== domid) {
      await domains.destroy(made)
      throw new Error(`domain ${domid} is still there`)
    }
    const ports = await builder.prepare(made, spec)
    const image = { kernel: this.kernel, ramdisk: undefined, cmdline: 'script=tap' }
    const { storeGfn } = await builder.build(made, spec, ports, image)
    domains.unpause(made)
    const generation = (this.#made.get(made) ?? 0) + 1
    this.#made.set(made, generation)
    const tapPath = join(this.#folder, `tap-${made}-${generation}.sock`)
    return new TappedGuest(this, { domid: made, generation }, storeGfn, ports.storePort, tapPath)
  }

  /** Gives the handle back; the guests stay. */
  close(): void {
    this.xen.close()
  }
}

export class TappedGuest {
  readonly domid: Domid
  /** What INTRODUCE is to be given. */
  readonly gfn: Gfn
  readonly port: DomainPorts['storePort']
  readonly #guests: TappedGuests
  readonly #tapPath: string
  /** 1 for the first domain of that number. */
  readonly #generation: number
  #tap: Promise<unknown> | undefined

  constructor(
    guests: TappedGuests,
    { domid, generation }: { readonly domid: Domid; readonly generation: number },
    gfn: Gfn,
    port: DomainPorts['storePort'],
    tapPath: string,
  ) {
    this.#guests = guests
    this.domid = domid
    this.#generation = generation
    this.gfn = gfn
    this.port = port
    this.#tapPath = tapPath
  }

  /**
   * The guest's end of its ring. One connection is served at a time, the next one when the one before has
   * gone; the stream goes on where that one left it. A socket that is not read stalls the reply ring soon.
   */
  async connect(): Promise<Socket> {
    const socket = connect(await this.tap())
    await once(socket, 'connect')
    // A guest that ends with something unread ends it with an error, which `close` tells as well.
    socket.on('error', () => {})
    return socket
  }

  /** The guest's kernel as a client of the store; close it before another connection is to be served. */
  async client(): Promise<XenstoreClient> {
    return XenstoreClient.connect(await this.tap())
  }

  /** @returns the path at which `connect` connects */
  async tap(): Promise<string> {
    this.#tap ??= this.#guests.simulator.command(`tap ${this.domid} ${this.#tapPath}`)
    await this.#tap
    return this.#tapPath
  }

  async ring(): Promise<RingWords> {
    return await this.#ringCommand('')
  }

  /** Sets words of the ring in the order given, whatever they mean, and tells the daemon and the tap. */
  async setRing(words: Partial<RingWords>): Promise<RingWords> {
    return await this.#ringCommand(
      Object.entries(words)
        .map(([name, value]) => ` ${name}=${value >>> 0}`)
        .join(''),
    )
  }

  /** It shuts down by itself; it stays in Xen, as every domain that has, until `destroy`. */
  async shutDown(how: 'crash' | 'poweroff' | 'reboot'): Promise<void> {
    await this.#guests.simulator.command(`die domid=${this.domid} how=${how}`)
  }

  /**
   * Xen destroys it. It stays, dying, as long as a daemon has its page mapped.
   * @see gone
   */
  async destroy(): Promise<void> {
    await this.#guests.xen.domains.destroy(this.domid)
  }

  /** Settles when nothing of it is left and its number is free; all of that number are to be made here. */
  async gone(): Promise<void> {
    const { news } = this.#guests
    await news.saidTimes(new RegExp(`^gone ${this.domid} `), this.#generation)
  }

  async #ringCommand(settings: string): Promise<RingWords> {
    const lines = await this.#guests.simulator.command(`ring ${this.domid}${settings}`)
    const words = new Map(lines.map((line) => [line.split('=')[0], Number(line.split('=')[1])]))
    const word = (name: keyof RingWords): number => words.get(name) ?? 0
    return {
      req_cons: word('req_cons'),
      req_prod: word('req_prod'),
      rsp_cons: word('rsp_cons'),
      rsp_prod: word('rsp_prod'),
      server_features: word('server_features'),
      connection: word('connection'),
      error: word('error'),
    }
  }
}

function specOf(type: DomainSpec['type']): DomainSpec {
  return {
    type,
    uuid: randomUUID(),
    vcpus: 1,
    memoryKiB: 4096,
    maxMemoryKiB: 4096,
    maxEvtchnPort: 127,
    maxGrantFrames: -1,
    maxMaptrackFrames: -1,
  }
}
