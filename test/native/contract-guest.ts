/**
 * One guest under the contract's care: a few keys for it to read, what it has written, what it has
 * printed. The smallest store and console that a guest gets along with; nothing of lixs or consoled.
 */
import type {
  BuiltImage,
  DomainPorts,
  DomainSpec,
  Domid,
  Hypervisor,
} from '../../native/hypervisor.ts'
import { GNTTAB_RESERVED_CONSOLE, GNTTAB_RESERVED_XENSTORE } from '../../native/hypervisor.ts'
import { StateMemory } from '../../native/os/state-memory.ts'
import {
  BATCH_DATA,
  BATCH_VIRQ,
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

const XS_READ = 2
const XS_WRITE = 11
const XS_ERROR = 16

/** The daemons' half of the contract's machine: one set of each kind, and what came in. */
export class ContractRings {
  readonly store: RingSet
  readonly consoles: RingSet
  readonly virqs: number[] = []
  readonly keys = new Map<string, string>()
  readonly written = new Map<string, string>()
  printed = ''
  requests = 0
  #changed: () => void = () => {}

  constructor(xen: Hypervisor, virqs: readonly number[]) {
    const memory = StateMemory.anonymous(2 ** 30)
    const options = { memory, maxConnections: 64, maxQueuedBytes: 2 ** 22 }
    this.store = xen.rings('xenstore', { ...options, virqs })
    this.consoles = xen.rings('console', { ...options, virqs: [] })
    this.store.onBatch((batch) => this.#serveStore(batch))
    this.consoles.onBatch((batch) => this.#readConsole(batch))
  }

  attach(domid: Domid, ports: DomainPorts): { store: ConnectionId; console: ConnectionId } {
    const store = this.store.attach(
      domid,
      { kind: 'gref', gref: GNTTAB_RESERVED_XENSTORE },
      ports.storePort,
      0,
    )
    const page = { kind: 'gref', gref: GNTTAB_RESERVED_CONSOLE } as const
    return { store, console: this.consoles.attach(domid, page, ports.consolePort, 0) }
  }

  type(connection: ConnectionId, text: string): void {
    const { output } = this.consoles
    const bytes = Buffer.from(text)
    output.bytes.set(bytes, output.begin(connection, BATCH_DATA, 0, 0, 0))
    output.end(bytes.length)
    this.consoles.flush()
  }

  /** Waits for the next thing to come in until the condition holds. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve
      })
    }
  }

  close(): void {
    this.store.close()
    this.consoles.close()
  }

  #serveStore(batch: Batch): void {
    const { words, bytes } = batch
    for (let at = 0; at < batch.length; ) {
      const len = words[at + RECORD_LEN] as number
      const type = words[at + RECORD_TYPE] as number
      if (type === BATCH_VIRQ) this.virqs.push(words[at + RECORD_REQ_ID] as number)
      if (type >= 0) {
        this.requests++
        const payload = Buffer.from(
          bytes.subarray((at + RECORD_WORDS) * 4, (at + RECORD_WORDS) * 4 + len),
        )
        this.#answer(
          words[at + RECORD_CONNECTION] as ConnectionId,
          type,
          words[at + RECORD_REQ_ID] as number,
          words[at + RECORD_TX_ID] as number,
          payload,
        )
      }
      at += RECORD_WORDS + ((len + 3) >> 2)
    }
    this.#changed()
  }

  #answer(id: ConnectionId, type: number, reqId: number, txId: number, payload: Buffer): void {
    const cut = payload.indexOf(0)
    const path = payload.subarray(0, cut).toString('latin1')
    if (type === XS_WRITE) this.written.set(path, payload.subarray(cut + 1).toString('latin1'))
    const value = type === XS_READ ? this.keys.get(path) : 'OK\0'
    const { output } = this.store
    const reply = Buffer.from(value ?? 'ENOENT\0')
    const replyType = value === undefined ? XS_ERROR : type
    output.bytes.set(reply, output.begin(id, replyType, reqId, txId, 0))
    output.end(reply.length)
  }

  #readConsole(batch: Batch): void {
    const { words, bytes } = batch
    for (let at = 0; at < batch.length; ) {
      const len = words[at + RECORD_LEN] as number
      const from = (at + RECORD_WORDS) * 4
      if (words[at + RECORD_TYPE] === BATCH_DATA) {
        this.printed += Buffer.from(bytes.subarray(from, from + len)).toString('latin1')
      }
      at += RECORD_WORDS + ((len + 3) >> 2)
    }
    this.#changed()
  }
}

/** What every contract guest is, but for its type. */
export function contractSpec(type: 'pv' | 'pvh', memoryKiB: number): DomainSpec {
  return {
    type,
    uuid: '00112233-4455-6677-8899-aabbccddeeff',
    vcpus: 1,
    memoryKiB,
    maxMemoryKiB: memoryKiB,
    maxEvtchnPort: 127,
    maxGrantFrames: 4,
    maxMaptrackFrames: 0,
  }
}

export interface ContractDomain {
  readonly domid: Domid
  readonly ports: DomainPorts
  readonly image: BuiltImage
}

/** Creates, prepares and builds; the domain is paused then. */
export async function makeDomain(
  xen: Hypervisor,
  spec: DomainSpec,
  kernel: string,
): Promise<ContractDomain> {
  const domid = await xen.builder.create(spec)
  const ports = await xen.builder.prepare(domid, spec)
  const image = await xen.builder.build(domid, spec, ports, {
    kernel,
    ramdisk: undefined,
    cmdline: 'nonce=contract',
  })
  return { domid, ports, image }
}
