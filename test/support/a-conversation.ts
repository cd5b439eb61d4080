import { Daemon, type DaemonSettings } from '../../lixs/daemon.ts'
import { DEFAULT_QUOTAS, type Quotas } from '../../lixs/store/quota.ts'
import type { StoreCapacity } from '../../lixs/store/tables.ts'
import { opName } from '../../lixs/wire/ops.ts'
import type { DomainInfo, Domid } from '../../native/hypervisor.ts'
import { VIRQ_DOM_EXC } from '../../native/hypervisor.ts'
import { makeLog } from '../../native/os/log.ts'
import { StateMemory } from '../../native/os/state-memory.ts'
import { BATCH_OPENED, BATCH_VIRQ, type ConnectionId } from '../../native/ring-set.ts'
import { aTrace, type TraceLines } from './a-trace.ts'
import { statesOf } from './domain-states.ts'
import { type Incoming, type Sent, TestRings } from './test-rings.ts'
import { TestTimers } from './test-timers.ts'

const OPS = new Map(Array.from({ length: 27 }, (_, type) => [opName(type), type]))

/**
 * Room for what one test does. A test's heap is big, and V8 collects it anew whenever so much memory
 * is reserved: with a daemon's own capacity each test would take a second.
 */
export const SMALL_CAPACITY: StoreCapacity = {
  connections: 1024,
  nodes: 16_384,
  watches: 4096,
  permLists: 4096,
  transactions: 1024,
  transactionNodes: 16_384,
  arenaBytes: 2 ** 23,
}

/** Text with `|` for NUL, to bytes. */
function bytesOf(text: string): Buffer {
  return Buffer.from(text.replaceAll('|', '\0'), 'latin1')
}

/** A message as one line: `READ value|`; events without the name of their type: `EVENT path|token|`. */
function line({ type, payload }: Sent): string {
  const name = opName(type) === 'WATCH_EVENT' ? 'EVENT' : opName(type)
  return `${name} ${payload.toString('latin1').replaceAll('\0', '|')}`.trimEnd()
}

/** Number of an operation: by name, or the number itself. */
function typeOf(op: string | number): number {
  const type = typeof op === 'number' ? op : OPS.get(op)
  if (type === undefined) throw new Error(`no operation ${op}`)
  return type
}

/** One peer of the daemon: a tool at a socket, or a guest at its ring. */
export class Peer {
  readonly id: ConnectionId
  readonly #rings: TestRings

  constructor(rings: TestRings, id: ConnectionId) {
    this.#rings = rings
    this.id = id
  }

  /** A request, to be delivered together with others. */
  request(op: string | number, payload = '', txId = 0): Incoming {
    return { connection: this.id, type: typeOf(op), txId, reqId: 77, payload: bytesOf(payload) }
  }

  /** Sends one request; gives everything that came for this peer since the last time, as lines. */
  ask(op: string | number, payload = '', txId = 0): string[] {
    this.#rings.deliver(this.request(op, payload, txId))
    return this.heard()
  }

  /** The only answer to one request; what it caused besides would make the test fail. */
  answer(op: string | number, payload = '', txId = 0): string {
    return this.ask(op, payload, txId).join('\n')
  }

  /** Starts a transaction. @returns its id */
  start(): number {
    return Number(this.answer('TRANSACTION_START', '|').replace(/\D/g, ''))
  }

  /** What has come since the last time, as lines. */
  heard(): string[] {
    return this.messages().map(line)
  }

  /** What has come since the last time. */
  messages(): Sent[] {
    const messages = this.#rings.sent.get(this.id) ?? []
    this.#rings.sent.set(this.id, [])
    return messages
  }
}

/** What Xen is to say of a domain. */
export function aDomain(domid: number, state: Partial<DomainInfo> = {}): DomainInfo {
  return {
    domid: domid as Domid,
    uuid: '00000000-0000-0000-0000-000000000000',
    isDying: false,
    isShutdown: false,
    shutdownReason: undefined,
    isPaused: false,
    isBlocked: false,
    isRunning: true,
    isHvm: false,
    memoryKiB: 1024,
    outstandingKiB: 0,
    maxMemoryKiB: 1024,
    vcpus: 1,
    cpuTimeNs: 0,
    cpupool: 0,
    ...state,
  }
}

/** A daemon with its peers, all in this process; every answer is there when `ask` returns. */
export interface Conversation {
  readonly rings: TestRings
  readonly timers: TestTimers
  readonly quotas: Quotas
  /** Domains that Xen knows; the test changes them. */
  readonly domains: Map<number, DomainInfo>
  /** What Xen says of changed domains when it is asked next, if it does: domid, state, domid, … */
  readonly changes: number[]
  /** How often the daemon has asked for all domains, and for one. */
  readonly asked: { states: number; info: number }
  /** Lines that were logged. */
  readonly logged: string[]
  /** What is traced: nothing, until it is opened. */
  readonly traced: TraceLines
  /** A new socket. */
  tool(): Peer
  /** A guest that exists and was introduced. */
  guest(domid: number): Peer
  /** Something happened to some domain. */
  virq(): void
  /** The page that Prometheus gets. */
  metrics(): string
  end(): void
}

/**
 * Do requests of conversations begun from now on come with the node that native code finds at their path? As a
 * rule they do; without, every path is looked at, as it is where a batch has removed nodes.
 */
export function hintRequests(areHinted: boolean): void {
  areRequestsHinted = areHinted
}

let areRequestsHinted = true

interface ConversationOptions extends Partial<DaemonSettings> {
  readonly quotas?: Partial<Quotas>
  readonly hasHypervisor?: boolean
  /** Xen 4.21 and later: it says which domains changed. */
  readonly saysWhich?: boolean
}

/** A fresh daemon over rings that the test plays. */
export function aConversation(options: ConversationOptions = {}): Conversation {
  const memory = StateMemory.anonymous()
  const rings = new TestRings()
  rings.areHinted = areRequestsHinted
  const timers = new TestTimers()
  rings.nowMs = () => timers.nowMs()
  const quotas: Quotas = { ...DEFAULT_QUOTAS, ...options.quotas }
  const domains = new Map<number, DomainInfo>([[0, aDomain(0)]])
  const changes: number[] = []
  const asked = { states: 0, info: 0 }
  const logged: string[] = []
  const { log, levels } = makeLog(
    { name: 'lixs', level: 'debug' },
    { write: (text: string) => logged.push(text) },
  )
  const { trace, traced } = aTrace()
  const control = {
    info: (domid: Domid) => {
      asked.info++
      return domains.get(domid)
    },
    states: () => {
      asked.states++
      return statesOf(domains.values())
    },
    changed: () => {
      return options.saysWhich === true ? Int32Array.from(changes.splice(0)) : undefined
    },
  }
  const daemon = new Daemon(
    {
      memory,
      rings,
      domains: options.hasHypervisor === false ? undefined : control,
      quotas,
      capacity: SMALL_CAPACITY,
      timers,
      log,
      levels,
      trace,
    },
    {
      socketPath: '/nowhere/socket',
      eventTimeoutMs: 20_000,
      keepOrphans: false,
      privilegedDomid: undefined,
      isDom0Served: false,
      ...options,
    },
  )
  const tool = (): Peer => {
    const id = rings.acceptSocket()
    rings.deliver({ connection: id, type: BATCH_OPENED })
    return new Peer(rings, id)
  }
  let introducer: Peer | undefined
  return {
    rings,
    timers,
    quotas,
    domains,
    changes,
    asked,
    logged,
    traced,
    tool,
    guest(domid) {
      domains.set(domid, aDomain(domid))
      introducer ??= tool()
      const said = introducer.answer('INTRODUCE', `${domid}|1000|5|`)
      if (said !== 'INTRODUCE OK|') throw new Error(said)
      const id = rings.connections.findIndex(
        (word, i) => i % 32 === 1 && word === domid && rings.connections[i - 1] === 2,
      )
      return new Peer(rings, Math.floor(id / 32) as ConnectionId)
    },
    virq: () => rings.deliver({ connection: -1, type: BATCH_VIRQ, reqId: VIRQ_DOM_EXC }),
    metrics: () => daemon.metrics(),
    end() {
      daemon.stop()
      memory.close()
    },
  }
}
