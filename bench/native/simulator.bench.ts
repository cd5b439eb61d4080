/**
 * What the simulated machine itself costs: a call, an event there and back, a domain; with one guest
 * on the machine and with many, which must not differ by more than caches explain.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  DOM0,
  type DomainPorts,
  type DomainSpec,
  type Domid,
  GNTTAB_RESERVED_CONSOLE,
  GNTTAB_RESERVED_XENSTORE,
  type Hypervisor,
} from '../../native/hypervisor.ts'
import { openHypervisor } from '../../native/open-hypervisor.ts'
import { StateMemory } from '../../native/os/state-memory.ts'
import {
  BATCH_DATA,
  type Batch,
  type ConnectionId,
  RECORD_CONNECTION,
  RECORD_LEN,
  RECORD_REQ_ID,
  RECORD_TX_ID,
  RECORD_TYPE,
  RECORD_WORDS,
  type RingSet,
} from '../../native/ring-set.ts'
import { Simulator } from '../../native/simulator/control.ts'
import type { Found } from '../report/measure.ts'

const GUESTS = 10_000
const ROUNDS = 7
const CALLS = 5000
const WRITES = 5000
const DOMAINS = 200
const OK = Buffer.from('OK\0')
const SPEC: DomainSpec = {
  type: 'pvh',
  uuid: '00112233-4455-6677-8899-aabbccddeeff',
  vcpus: 1,
  memoryKiB: 4096,
  maxMemoryKiB: 4096,
  maxEvtchnPort: 127,
  maxGrantFrames: 4,
  maxMaptrackFrames: 0,
}

/** Says OK to every request, and hears what is printed. */
class Daemon {
  readonly store: RingSet
  readonly consoles: RingSet
  readonly #memory = StateMemory.anonymous(2 ** 32)
  #printed = ''
  #heard = () => {}

  constructor(xen: Hypervisor, maxConnections: number) {
    const options = { memory: this.#memory, maxConnections, maxQueuedBytes: 2 ** 24, virqs: [] }
    this.store = xen.rings('xenstore', options)
    this.consoles = xen.rings('console', options)
    this.store.onBatch((batch) => this.#answer(batch))
    this.consoles.onBatch((batch) => this.#read(batch))
  }

  attach(domid: Domid, { storePort, consolePort }: DomainPorts): ConnectionId {
    this.store.attach(domid, { kind: 'gref', gref: GNTTAB_RESERVED_XENSTORE }, storePort, 0)
    const page = { kind: 'gref', gref: GNTTAB_RESERVED_CONSOLE } as const
    return this.consoles.attach(domid, page, consolePort, 0)
  }

  /** Types a line and waits until something that is printed ends with `end`. */
  async command(id: ConnectionId, line: string, end: string): Promise<void> {
    const { output } = this.consoles
    const bytes = Buffer.from(`${line}\n`)
    output.bytes.set(bytes, output.begin(id, BATCH_DATA, 0, 0, 0))
    output.end(bytes.length)
    this.consoles.flush()
    await this.until(end)
  }

  async until(end: string): Promise<void> {
    this.#printed = ''
    while (!this.#printed.includes(end)) {
      await new Promise<void>((resolve) => {
        this.#heard = resolve
      })
    }
  }

  close(): void {
    this.store.close()
    this.consoles.close()
    this.#memory.close()
  }

  #answer({ words, length }: Batch): void {
    const { output } = this.store
    for (let at = 0; at < length; ) {
      const id = words[at + RECORD_CONNECTION] as ConnectionId
      const type = words[at + RECORD_TYPE] as number
      const reqId = words[at + RECORD_REQ_ID] as number
      output.bytes.set(OK, output.begin(id, type, reqId, words[at + RECORD_TX_ID] as number, 0))
      output.end(OK.length)
      at += RECORD_WORDS + (((words[at + RECORD_LEN] as number) + 3) >> 2)
    }
  }

  #read({ words, bytes, length }: Batch): void {
    for (let at = 0; at < length; ) {
      const len = words[at + RECORD_LEN] as number
      const from = (at + RECORD_WORDS) * 4
      this.#printed += Buffer.from(bytes.subarray(from, from + len)).toString('latin1')
      at += RECORD_WORDS + ((len + 3) >> 2)
    }
    this.#heard()
  }
}

/** A machine of its own, with so many guests. */
class Machine {
  readonly #folder: string
  readonly #simulator: Simulator
  readonly #xen: Hypervisor
  readonly #daemon: Daemon
  /** Of the first guest. */
  #console: ConnectionId | undefined

  private constructor(folder: string, simulator: Simulator, guests: number) {
    this.#folder = folder
    this.#simulator = simulator
    this.#xen = openHypervisor('sim', {
      simulator: simulator.socketPath,
      onGone() {
        throw new Error('the simulated machine has gone')
      },
    })
    this.#daemon = new Daemon(this.#xen, guests + 1)
  }

  static async start(guests: number): Promise<Machine> {
    const folder = mkdtempSync(join(tmpdir(), 'xcl-bench-'))
    const simulator = await Simulator.start({ runDir: folder, xen: '4.21' })
    const machine = new Machine(folder, simulator, guests)
    writeFileSync(machine.#kernel, '#!xcl-guest\n')
    for (let i = 0; i < guests; i++) await machine.#makeGuest()
    return machine
  }

  get #kernel(): string {
    return join(this.#folder, 'kernel')
  }

  call(): void {
    for (let i = 0; i < CALLS; i++) this.#xen.domains.info(DOM0)
  }

  async requestAndReply(): Promise<void> {
    if (this.#console === undefined) throw new Error('the machine has no guest')
    await this.#daemon.command(this.#console, `spin-write ${WRITES}`, 'DONE')
  }

  async buildAndDestroy(): Promise<void> {
    for (let i = 0; i < DOMAINS; i++) {
      const { domid } = await this.#build()
      await this.#xen.domains.destroy(domid)
    }
  }

  async stop(): Promise<void> {
    this.#daemon.close()
    this.#xen.close()
    await this.#simulator.stop()
    rmSync(this.#folder, { recursive: true })
  }

  async #makeGuest(): Promise<void> {
    const { domid, ports } = await this.#build()
    const console = this.#daemon.attach(domid, ports)
    this.#console ??= console
    this.#xen.domains.unpause(domid)
    await this.#daemon.until('READY')
  }

  async #build() {
    const { builder } = this.#xen
    const domid = await builder.create(SPEC)
    const ports = await builder.prepare(domid, SPEC)
    const image = { kernel: this.#kernel, ramdisk: undefined, cmdline: '' }
    await builder.build(domid, SPEC, ports, image)
    return { domid, ports }
  }
}

/** Of each round, what it costs with many guests on the machine by what it costs with one. */
export async function simulatorRounds(): Promise<Found[][]> {
  const machines: Machine[] = []
  try {
    const few = await Machine.start(1)
    machines.push(few)
    const many = await Machine.start(GUESTS)
    machines.push(many)
    const works = [
      ['call', CALLS, (machine: Machine) => machine.call()],
      ['request and reply', WRITES, (machine: Machine) => machine.requestAndReply()],
      ['build and destroy', DOMAINS, (machine: Machine) => machine.buildAndDestroy()],
    ] as const
    const rounds: Found[][] = []
    // The first round is not counted.
    for (let round = 0; round <= ROUNDS; round++) {
      const found: Found[] = []
      for (const [name, times, work] of works) {
        const before = await timed(() => work(few))
        const amount = await timed(() => work(many))
        const behind = await timed(() => work(few))
        const figure = (2 * amount) / (before + behind)
        found.push({ name, figure, amount: amount / times, unit: 'ns' })
      }
      if (round > 0) rounds.push(found)
    }
    return rounds
  } finally {
    for (const machine of machines) await machine.stop()
  }
}

/** @returns nanoseconds */
async function timed(work: () => unknown): Promise<number> {
  const started = process.hrtime.bigint()
  await work()
  return Number(process.hrtime.bigint() - started)
}
