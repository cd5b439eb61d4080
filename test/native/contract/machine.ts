/**
 * The machine under the contract's care and its one guest: a few keys for it to read, what it has
 * written, what it has printed. The smallest store and console that a guest gets along with; nothing of
 * lixs or consoled.
 */
import assert from 'node:assert/strict'
import { setTimeout } from 'node:timers/promises'
import type {
  BuiltImage,
  DomainInfo,
  DomainPorts,
  DomainSpec,
  Domid,
  Hypervisor,
} from '../../../native/hypervisor.ts'
import { GNTTAB_RESERVED_CONSOLE, GNTTAB_RESERVED_XENSTORE } from '../../../native/hypervisor.ts'
import { StateMemory } from '../../../native/os/state-memory.ts'
import {
  BATCH_DATA,
  BATCH_VIRQ,
  type Batch,
  CONNECTION_DOMID,
  CONNECTION_WORDS,
  type ConnectionId,
  type RingSet,
} from '../../../native/ring-set.ts'
import { XenError } from '../../../native/xen-error.ts'
import { type BatchRecord, recordsOf } from '../batch-records.ts'

/** What the claims are made about. */
export interface ContractMachine {
  readonly xen: Hypervisor
  /** The daemons' end of things; holds VIRQ_DOM_EXC. */
  readonly rings: ContractRings
  readonly kernels: { readonly pv: string; readonly pvh: string }
}

/** One thing that callers may rely on. */
export interface Claim {
  readonly name: string
  readonly body: () => void | Promise<void>
}

/** A domid that no domain of the contract gets. */
export const NOBODY = 32000 as Domid
export const STORE_PAGE = { kind: 'gref', gref: GNTTAB_RESERVED_XENSTORE } as const
export const CONSOLE_PAGE = { kind: 'gref', gref: GNTTAB_RESERVED_CONSOLE } as const

const XS_READ = 2
const XS_WRITE = 11
const XS_ERROR = 16

/** The daemons' half of the contract's machine: one set of each kind, and what came in. */
export class ContractRings {
  readonly store: RingSet
  readonly consoles: RingSet
  readonly virqs: number[] = []
  /** What a guest reads; each reads its own domid. */
  readonly keys = new Map([['name', 'contract']])
  readonly written = new Map<string, string>()
  /** What all consoles have printed, and what each has. */
  printed = ''
  readonly printedOn = new Map<ConnectionId, string>()
  requests = 0
  #changed: () => void = () => {}

  constructor(xen: Hypervisor, virqs: readonly number[], maxConnections = 64) {
    const memory = StateMemory.anonymous(2 ** 30)
    const options = { memory, maxConnections, maxQueuedBytes: 2 ** 22 }
    this.store = xen.rings('xenstore', { ...options, virqs })
    this.consoles = xen.rings('console', { ...options, virqs: [] })
    this.store.onBatch((batch) => this.#serveStore(batch))
    this.consoles.onBatch((batch) => this.#readConsole(batch))
  }

  attach(domid: Domid, ports: DomainPorts): { store: ConnectionId; console: ConnectionId } {
    return {
      store: this.store.attach(domid, STORE_PAGE, ports.storePort, 0),
      console: this.consoles.attach(domid, CONSOLE_PAGE, ports.consolePort, 0),
    }
  }

  type(connection: ConnectionId, text: string): void {
    this.typeOnAll([connection], text)
  }

  /** The same text on many consoles, in one flush. */
  typeOnAll(connections: readonly ConnectionId[], text: string): void {
    const { output } = this.consoles
    const bytes = Buffer.from(text)
    for (const connection of connections) {
      output.bytes.set(bytes, output.begin(connection, BATCH_DATA, 0, 0, 0))
      output.end(bytes.length)
    }
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
    for (const record of recordsOf(batch)) {
      if (record.type === BATCH_VIRQ) this.virqs.push(record.reqId)
      if (record.type >= 0) {
        this.requests++
        this.#answer(record)
      }
    }
    this.#changed()
  }

  #answer({ connection: id, type, reqId, txId, payload }: BatchRecord): void {
    const cut = payload.indexOf(0)
    const path = payload.subarray(0, cut).toString('latin1')
    if (type === XS_WRITE) this.written.set(path, payload.subarray(cut + 1).toString('latin1'))
    const value = type === XS_READ ? this.#valueFor(id, path) : 'OK\0'
    const { output } = this.store
    const reply = Buffer.from(value ?? 'ENOENT\0')
    const replyType = value === undefined ? XS_ERROR : type
    output.bytes.set(reply, output.begin(id, replyType, reqId, txId, 0))
    output.end(reply.length)
  }

  #valueFor(id: ConnectionId, path: string): string | undefined {
    if (path !== 'domid') return this.keys.get(path)
    return String(this.store.connections[id * CONNECTION_WORDS + CONNECTION_DOMID])
  }

  #readConsole(batch: Batch): void {
    for (const { connection, type, payload } of recordsOf(batch)) {
      if (type !== BATCH_DATA) continue
      const text = payload.toString('latin1')
      this.printed += text
      this.printedOn.set(connection, (this.printedOn.get(connection) ?? '') + text)
    }
    this.#changed()
  }
}

/** As little memory as the guest's kernel can be built in. */
const MEMORY_KIB = { pv: 1024, pvh: 4096 }

/** What every contract guest is, but for its type. */
export function contractSpec(type: 'pv' | 'pvh', memoryKiB = MEMORY_KIB[type]): DomainSpec {
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

/** Makes a guest, attaches its rings and waits until it has said READY. */
export async function readyGuest(machine: ContractMachine, type: 'pv' | 'pvh') {
  const { xen, rings, kernels } = machine
  const domain = await makeDomain(xen, contractSpec(type), kernels[type])
  const ids = rings.attach(domain.domid, domain.ports)
  rings.printed = ''
  xen.domains.unpause(domain.domid)
  await rings.until(() => /READY [^\n]*\n/.test(rings.printed))
  return { ...domain, ids }
}

/** Waits until Xen says of the domain, after some VIRQ_DOM_EXC, what is awaited. */
export async function untilDomain(
  { xen, rings }: Pick<ContractMachine, 'xen' | 'rings'>,
  domid: Domid,
  isSo: (info: DomainInfo | undefined) => boolean,
): Promise<void> {
  while (!isSo(xen.domains.info(domid))) {
    rings.virqs.length = 0
    if (isSo(xen.domains.info(domid))) return
    await rings.until(() => rings.virqs.length > 0)
  }
}

/** Xen gives memory back a moment after the domain has gone, and nothing tells when. */
export async function untilFree({ xen }: ContractMachine, wantedKiB: number): Promise<void> {
  while (xen.domains.host().freeMemoryKiB < wantedKiB) await setTimeout(20)
}

/** Fails unless `body` fails with a XenError of this code. */
export async function refuses(code: string, body: () => unknown): Promise<XenError> {
  try {
    await body()
  } catch (error) {
    assert.ok(error instanceof XenError, `no XenError but ${String(error)}`)
    assert.equal(error.code, code, `${error.op}: ${error.message}`)
    return error
  }
  throw new Error(`nothing failed; ${code} was due`)
}
