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
import { spreadOf } from '../report/median.ts'

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

/** Median ns of one operation. */
export interface SimulatorBench {
  readonly results: readonly {
    readonly name: string
    readonly fewNs: number
    readonly manyNs: number
  }[]
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

/** @param guests how many the machine has in the second column */
export async function benchSimulator(guests: number): Promise<SimulatorBench> {
  const folder = mkdtempSync(join(tmpdir(), 'xcl-bench-'))
  const kernel = join(folder, 'kernel')
  writeFileSync(kernel, '#!xcl-guest\n')
  const simulator = await Simulator.start({ runDir: folder, xen: '4.21' })
  const xen = openHypervisor('sim', {
    simulator: simulator.socketPath,
    onGone() {
      throw new Error('the simulated machine has gone')
    },
  })
  const daemon = new Daemon(xen, guests + 1)
  try {
    const console = await makeGuest(xen, daemon, kernel)
    const few = await measure(xen, daemon, kernel, console)
    for (let i = 1; i < guests; i++) await makeGuest(xen, daemon, kernel)
    const many = await measure(xen, daemon, kernel, console)
    const results = [...few].map(([name, fewNs]) => ({ name, fewNs, manyNs: many.get(name) ?? 0 }))
    return { results }
  } finally {
    daemon.close()
    xen.close()
    await simulator.stop()
    rmSync(folder, { recursive: true })
  }
}

async function build(xen: Hypervisor, kernel: string) {
  const domid = await xen.builder.create(SPEC)
  const ports = await xen.builder.prepare(domid, SPEC)
  await xen.builder.build(domid, SPEC, ports, { kernel, ramdisk: undefined, cmdline: '' })
  return { domid, ports }
}

async function makeGuest(xen: Hypervisor, daemon: Daemon, kernel: string): Promise<ConnectionId> {
  const { domid, ports } = await build(xen, kernel)
  const console = daemon.attach(domid, ports)
  xen.domains.unpause(domid)
  await daemon.until('READY')
  return console
}

async function measure(
  xen: Hypervisor,
  daemon: Daemon,
  kernel: string,
  console: ConnectionId,
): Promise<Map<string, number>> {
  const figures = new Map<string, number>()
  const time = async (name: string, times: number, work: () => Promise<void>) => {
    const rounds: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const started = process.hrtime.bigint()
      await work()
      rounds.push(Number(process.hrtime.bigint() - started) / times)
    }
    figures.set(name, spreadOf(rounds).median)
  }
  await time('call', CALLS, async () => {
    for (let i = 0; i < CALLS; i++) xen.domains.info(DOM0)
  })
  await time('request and reply', WRITES, () =>
    daemon.command(console, `spin-write ${WRITES}`, 'DONE'),
  )
  await time('build and destroy', DOMAINS, async () => {
    for (let i = 0; i < DOMAINS; i++) {
      const { domid } = await build(xen, kernel)
      await xen.domains.destroy(domid)
    }
  })
  return figures
}
