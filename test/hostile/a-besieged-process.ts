/**
 * lixs as a process of its own on a simulated machine, and guests whose kernels are the test (taps): for what
 * needs another process at the other side of the ring, and a memory that can be asked for.
 */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { XenstoreClient } from '../../lixs/client/client.ts'
import { Simulator, type SimulatorOptions } from '../../native/simulator/control.ts'
import { type ProgramProcess, startLixs } from '../support/a-program.ts'
import { aFolder } from '../support/a-socket-peer.ts'
import { type TappedGuest, TappedGuests } from '../support/a-tapped-guest.ts'

/** What of the daemon's figures must be as before when all attackers have gone. */
const KEPT = /^(domains|nodes|watches|transactions|accessRecords|permLists|blocks) .*$/gm

export class BesiegedProcess {
  readonly simulator: Simulator
  readonly tool: XenstoreClient
  readonly lixs: ProgramProcess
  readonly #guests: TappedGuests
  readonly #folder: ReturnType<typeof aFolder>
  #log = ''

  static async start(options: Partial<SimulatorOptions> = {}): Promise<BesiegedProcess> {
    const folder = aFolder()
    const simulator = await Simulator.start({ runDir: folder.path, xen: '4.17', ...options })
    const socketPath = join(folder.path, 'store.sock')
    const machine = ['--hypervisor', 'sim', '--simulator', simulator.socketPath]
    const lixs = startLixs(['--no-fork', ...machine, '--socket-path', socketPath])
    await lixs.said(/"msg":"serving"/)
    const tool = await XenstoreClient.connect(socketPath)
    const guests = await TappedGuests.on(simulator)
    return new BesiegedProcess(simulator, tool, lixs, guests, folder)
  }

  private constructor(
    simulator: Simulator,
    tool: XenstoreClient,
    lixs: ProgramProcess,
    guests: TappedGuests,
    folder: ReturnType<typeof aFolder>,
  ) {
    this.simulator = simulator
    this.tool = tool
    this.lixs = lixs
    this.#guests = guests
    this.#folder = folder
    lixs.child.stderr?.on('data', (text: string) => {
      this.#log += text
    })
  }

  /** What lixs has logged so far. */
  get log(): string {
    return this.#log
  }

  /** A guest with a home of its own, introduced. */
  async guest(domid?: number): Promise<TappedGuest> {
    const guest = await this.#guests.make(domid === undefined ? {} : { domid })
    const home = `/local/domain/${guest.domid}`
    await this.tool.mkdir(home)
    await this.tool.setPerms(home, [`n${guest.domid}`])
    await this.tool.introduce(guest.domid, guest.gfn, guest.port)
    return guest
  }

  /** The guest's kernel as a client that knows what it is to be answered. */
  async victim(): Promise<Victim> {
    const guest = await this.guest()
    return Victim.begin(await guest.client())
  }

  /** Xen takes it away; settles when the daemon has noticed, and given its page back. */
  async destroy(guest: TappedGuest): Promise<void> {
    await guest.destroy()
    await guest.gone()
  }

  /** Lines of the daemon's figures. */
  async kept(): Promise<readonly string[]> {
    return (await this.tool.control('stats')).match(KEPT) ?? []
  }

  /** Memory that lixs has at the moment. */
  residentKiB(): number {
    const status = readFileSync(`/proc/${this.lixs.child.pid}/status`, 'latin1')
    return Number(/^VmRSS:\s*([0-9]+) kB/m.exec(status)?.[1])
  }

  async stop(): Promise<void> {
    this.tool.close()
    this.#guests.close()
    this.lixs.child.kill('SIGTERM')
    await this.lixs.ended
    await this.simulator.stop()
    this.#folder.remove()
  }
}

/** A guest that only wants to be served, and is sure of what it is told. */
export class Victim {
  readonly #client: XenstoreClient
  readonly #told: AsyncIterator<string>
  #rounds = 0

  static async begin(client: XenstoreClient): Promise<Victim> {
    const watch = await client.watch('data/round')
    const victim = new Victim(client, watch[Symbol.asyncIterator]())
    expect((await victim.#told.next()).value).toBe('data/round')
    return victim
  }

  private constructor(client: XenstoreClient, told: AsyncIterator<string>) {
    this.#client = client
    this.#told = told
  }

  /** Writes, is told of it, reads, and commits a transaction; all of it is as it should be. */
  async isServed(): Promise<void> {
    const round = String(++this.#rounds)
    await this.#client.write('data/round', round)
    expect((await this.#told.next()).value).toBe('data/round')
    expect(await this.#client.read('data/round')).toBe(round)
    await this.#client.transaction((tx) => {
      tx.write('data/in', round)
      tx.mkdir(`data/${round}`)
    })
    expect(await this.#client.directory('data')).toEqual(['round', 'in', round])
    await this.#client.rm(`data/${round}`)
  }

  close(): void {
    this.#client.close()
  }
}

/** Writes the same bytes again and again, for as long as the peer takes them; `stop` ends it. */
export async function pour(guest: TappedGuest, bytes: Uint8Array, isRead: boolean) {
  const socket = await guest.connect()
  let received = 0
  let isOver = false
  if (isRead) {
    socket.on('data', (data) => {
      received += data.length
    })
  }
  const write = (): void => {
    while (!isOver && socket.write(bytes));
  }
  socket.on('drain', write)
  write()
  return {
    /** Bytes that came back. */
    received: () => received,
    async stop(): Promise<void> {
      isOver = true
      socket.destroy()
      await once(socket, 'close')
    },
  }
}
