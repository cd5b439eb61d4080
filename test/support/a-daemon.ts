import { join } from 'node:path'
import { XenstoreClient } from '../../lixs/client/client.ts'
import { systemTimers, type Timers } from '../../lixs/connection/timers.ts'
import { Daemon, RING_OPTIONS } from '../../lixs/daemon.ts'
import { DEFAULT_QUOTAS, type Quotas } from '../../lixs/store/quota.ts'
import { Decoder } from '../../lixs/wire/decoder.ts'
import { encodePacket } from '../../lixs/wire/encoder.ts'
import type { Packet } from '../../lixs/wire/packet.ts'
import type { DomainInfo, Domid } from '../../native/hypervisor.ts'
import { GNTTAB_RESERVED_XENSTORE, VIRQ_DOM_EXC } from '../../native/hypervisor.ts'
import { type GuestEnd, type Loopback, openLoopback } from '../../native/loopback.ts'
import { makeLog } from '../../native/os/log.ts'
import { StateMemory } from '../../native/os/state-memory.ts'
import type { RingSet } from '../../native/ring-set.ts'
import { aDomain, SMALL_CAPACITY } from './a-conversation.ts'
import { aFolder } from './a-socket-peer.ts'
import { aTrace, type TraceLines } from './a-trace.ts'
import { statesOf } from './domain-states.ts'

const RING_BYTES = 1024
const RSP = 1024
const REQ_CONS = 2048 / 4
const REQ_PROD = 2052 / 4
const RSP_CONS = 2056 / 4
const RSP_PROD = 2060 / 4
const RING_ERROR = 2072 / 4

/** A daemon in this process, on a socket in a folder of its own, over loopback rings. */
export interface RunningDaemon {
  readonly socketPath: string
  readonly loopback: Loopback
  readonly rings: RingSet
  /** Domains that the hypervisor knows; the test changes them. */
  readonly domains: Map<number, DomainInfo>
  /** What is traced: nothing, until it is opened. */
  readonly traced: TraceLines
  connect(): Promise<XenstoreClient>
  /** A domain with a ring, not yet introduced. */
  guest(domid: number): RingGuest
  /** The kernel of the domain that the daemon runs in. */
  self(): RingGuest
  /** A domain is gone: Xen forgets it and says that something happened. */
  die(domid: number): void
  stop(): void
}

export interface DaemonOptions {
  readonly quotas?: Partial<Quotas>
  readonly isDom0Served?: boolean
  /** The system's unless told. */
  readonly timers?: Timers
  /** As real time, which native code reads for itself; 20 s unless told. */
  readonly eventTimeoutMs?: number
  /** Gets each line of the log. */
  readonly log?: (line: string) => void
}

export function aDaemon(options: DaemonOptions = {}): RunningDaemon {
  const folder = aFolder()
  const { trace, traced } = aTrace()
  const socketPath = join(folder.path, 'socket')
  const memory = StateMemory.anonymous()
  const loopback = openLoopback()
  const self = new RingGuest(loopback.self())
  const domains = new Map<number, DomainInfo>([[0, aDomain(0)]])
  const rings = loopback.rings('xenstore', {
    memory,
    maxConnections: 1000,
    maxQueuedBytes: 2 ** 24,
    virqs: RING_OPTIONS.virqs,
  })
  const daemon = new Daemon(
    {
      memory,
      rings,
      domains: {
        info: (domid: Domid) => domains.get(domid),
        states: () => statesOf(domains.values()),
        changed: () => undefined,
      },
      quotas: { ...DEFAULT_QUOTAS, ...options.quotas },
      capacity: SMALL_CAPACITY,
      timers: options.timers ?? systemTimers,
      ...makeLog(
        { name: 'lixs', level: options.log === undefined ? 'fatal' : 'info' },
        { write: options.log ?? (() => undefined) },
      ),
      trace,
    },
    {
      socketPath,
      eventTimeoutMs: options.eventTimeoutMs ?? 20_000,
      keepOrphans: false,
      privilegedDomid: undefined,
      isDom0Served: options.isDom0Served ?? false,
    },
  )
  const clients: XenstoreClient[] = []
  return {
    socketPath,
    loopback,
    rings,
    domains,
    traced,
    async connect() {
      const client = await XenstoreClient.connect(socketPath)
      clients.push(client)
      return client
    },
    guest(domid) {
      domains.set(domid, aDomain(domid))
      return new RingGuest(loopback.guest(domid as Domid, GNTTAB_RESERVED_XENSTORE))
    },
    self: () => self,
    die(domid) {
      domains.delete(domid)
      loopback.removeDomain(domid as Domid)
      loopback.fireVirq(VIRQ_DOM_EXC)
    },
    stop() {
      for (const client of clients) client.close()
      daemon.stop()
      memory.close()
      folder.remove()
    },
  }
}

/** A guest at its end of a ring, as a small kernel would be. */
export class RingGuest {
  readonly end: GuestEnd
  readonly words: Int32Array
  readonly #bytes: Uint8Array
  readonly #decoder = new Decoder()
  readonly #heard: Packet[] = []

  constructor(end: GuestEnd) {
    this.end = end
    this.words = new Int32Array(end.page)
    this.#bytes = new Uint8Array(end.page)
  }

  get ringError(): number {
    return Atomics.load(this.words, RING_ERROR)
  }

  /** Bytes that can be put into the ring now. */
  get room(): number {
    const used = Atomics.load(this.words, REQ_PROD) - Atomics.load(this.words, REQ_CONS)
    return RING_BYTES - (used >>> 0)
  }

  /** Puts a whole message, or any other bytes, into the ring, waiting for room; then notifies. */
  async put(bytes: Uint8Array): Promise<void> {
    let at = 0
    while (at < bytes.length) {
      const prod = Atomics.load(this.words, REQ_PROD)
      const room = RING_BYTES - ((prod - Atomics.load(this.words, REQ_CONS)) >>> 0)
      const part = Math.min(room, bytes.length - at)
      for (let i = 0; i < part; i++) {
        this.#bytes[((prod >>> 0) + i) % RING_BYTES] = bytes[at + i] as number
      }
      Atomics.store(this.words, REQ_PROD, prod + part)
      at += part
      this.end.kick()
      if (part === 0) await turn()
    }
  }

  send(type: number, payload: string, txId = 0): Promise<void> {
    return this.put(encodePacket(type, 1, txId, Buffer.from(payload.replaceAll('|', '\0'))))
  }

  /** The next message of the daemon, once it is there. */
  async next(): Promise<Packet> {
    for (;;) {
      this.drain()
      const packet = this.#heard.shift()
      if (packet !== undefined) return packet
      await turn()
    }
  }

  /** Messages of the daemon that are there by now. */
  takeAll(): Packet[] {
    this.drain()
    return this.#heard.splice(0)
  }

  /** Sends and gives the payload of the next message as text, `|` for NUL. */
  async ask(type: number, payload: string, txId = 0): Promise<string> {
    await this.send(type, payload, txId)
    const packet = await this.next()
    return Buffer.from(packet.payload).toString('latin1').replaceAll('\0', '|')
  }

  /** Takes out of the ring what is there. */
  drain(): void {
    const cons = Atomics.load(this.words, RSP_CONS)
    const used = (Atomics.load(this.words, RSP_PROD) - cons) >>> 0
    if (used === 0) return
    const taken = new Uint8Array(used)
    for (let i = 0; i < used; i++) {
      taken[i] = this.#bytes[RSP + (((cons >>> 0) + i) % RING_BYTES)] as number
    }
    Atomics.store(this.words, RSP_CONS, cons + used)
    this.#heard.push(...this.#decoder.push(taken))
    this.end.kick()
  }

  /** Says that so many bytes are in the ring, whatever is in it. */
  claim(bytes: number): void {
    Atomics.store(this.words, REQ_PROD, Atomics.load(this.words, REQ_CONS) + bytes)
    this.end.kick()
  }
}

/** Lets the event loop turn once. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
