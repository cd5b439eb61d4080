/**
 * The rings of all consoles, behind one event-channel handle and one batch loop.
 *
 * Knows which console a connection of the ring set belongs to, takes batches apart and hands each
 * guest's bytes to its console; keyboard bytes go the other way.
 */
import {
  type Domid,
  type EvtchnPort,
  type Gfn,
  GNTTAB_RESERVED_CONSOLE,
} from '../../native/hypervisor.ts'
import {
  BATCH_BROKEN,
  BATCH_DATA,
  BATCH_DRAINED,
  BATCH_DROPPED,
  BATCH_EMPTIED,
  BATCH_EVENTS,
  BATCH_VIRQ,
  type Batch,
  CONNECTION_EVENTS,
  CONNECTION_LOCAL_PORT,
  CONNECTION_OUTPUT_INDEX,
  CONNECTION_PAUSED,
  CONNECTION_QUEUED_BYTES,
  CONNECTION_WORDS,
  type ConnectionId,
  PAUSED_DEAF,
  RECORD_CONNECTION,
  RECORD_LEN,
  RECORD_REQ_ID,
  RECORD_TYPE,
  RECORD_WORDS,
  type RingSet,
} from '../../native/ring-set.ts'
import { XenError } from '../../native/xen-error.ts'
import type { Clock } from '../clock.ts'
import { RateLimit } from './rate-limit.ts'

/** Bits of CONNECTION_PAUSED: who holds a guest up. Who is past his allowance is not listened to either. */
const HELD_BY_USER = 1
const HELD_BY_RATE = PAUSED_DEAF

/** Drained consoles given up in one turn of the loop: some milliseconds, in which nobody else is served. */
const GIVEN_UP_PER_TURN = 64

/** Whoever a ring belongs to. Nothing here may throw: other guests share the batch. */
export interface RingUser {
  /**
   * The guest printed; the bytes are valid during the call only. They leave the ring after the batch: who
   * is killed before finds them again, at the same place.
   * @param position ring index (u32) of the byte at `start`
   */
  ringOutput(bytes: Uint8Array, start: number, end: number, position: number): void
  /** The guest has read everything that waited for it. */
  ringDrained(): void
  /** The ring was given up: no memory is left for what is typed. */
  ringBroken(): void
}

/** Whoever does something once for all consoles of a batch. */
export interface BatchListener {
  /** @param bytes the memory that all output of the batch lies in */
  batchBegins(bytes: Uint8Array): void
  /** Everybody's output was handed over; when this returns, it leaves the rings. */
  batchEnds(): void
}

/** Told what happens; each call costs an addition or two. */
export interface RingCounters {
  batch(nowMs: number): void
  turnEnded(nowMs: number): void
  output(bytes: number): void
  quietEvents(count: number): void
  input(bytes: number): void
  typedDropped(bytes: number): void
  hold(): void
  connect(): void
  brokenRing(): void
}

export class ConsoleRings {
  readonly #set: RingSet
  readonly #onVirq: (virq: number) => void
  readonly #listeners: readonly BatchListener[]
  readonly #counters: RingCounters | undefined
  /** By connection. */
  readonly #users: (RingUser | undefined)[] = []
  readonly #rate: RateLimit
  /** Who waits for the last output, by connection. */
  readonly #drains = new Map<ConnectionId, () => void>()
  /** Those whose last output was handed over, in order. */
  #emptied: ConnectionId[] = []
  #isGivingUp = false

  constructor(
    set: RingSet,
    clock: Clock,
    onVirq: (virq: number) => void,
    listeners: readonly BatchListener[] = [],
    counters?: RingCounters,
  ) {
    this.#set = set
    this.#onVirq = onVirq
    this.#listeners = listeners
    this.#counters = counters
    this.#rate = new RateLimit(clock, (connection, isHeld) => {
      if (isHeld) counters?.hold()
      // Whoever was held may have been detached meanwhile.
      if (this.#users[connection] !== undefined) this.#hold(connection, HELD_BY_RATE, isHeld)
    })
  }

  /** Serves from now on. */
  start(): void {
    this.#set.onBatch(
      (batch) => this.#take(batch),
      (batch) => {
        this.#counters?.turnEnded(batch.nowMs)
        // Only now has what they printed left their rings: who comes back with his must not be heard twice.
        if (this.#emptied.length > 0 && !this.#isGivingUp) this.#giveUpSome()
      },
    )
  }

  /**
   * Maps the ring by its grant, which domain builders since Xen 4.2 leave in entry 0 of the grant
   * table; by its frame where there is no such grant (a restored guest's, for one).
   *
   * @throws XenError of the second try
   */
  attach(domid: Domid, gfn: Gfn, port: EvtchnPort, user: RingUser): ConnectionId {
    const connection = this.#map(domid, gfn, port)
    this.#users[connection] = user
    this.#rate.reset(connection)
    this.#counters?.connect()
    return connection
  }

  /** Consoles that are held because they are past their allowance. */
  get held(): number {
    return this.#rate.held
  }

  /** Events that have come on event channels; begins anew at 2^32. */
  get events(): number {
    return (this.#set.connections[CONNECTION_EVENTS] as number) >>> 0
  }

  /** Ring index (u32) of the first byte of output that is still to come. */
  outputIndex(connection: ConnectionId): number {
    return (this.#set.connections[wordOf(connection, CONNECTION_OUTPUT_INDEX)] as number) >>> 0
  }

  /** False: the guest's port is not the other end of ours any more. It costs a hypercall. */
  isBound(connection: ConnectionId): boolean {
    return this.#set.isBound(connection)
  }

  /**
   * Binds the port anew; the ring stays mapped, and what the guest has written stays in it. What waits to be
   * read by the guest is dropped.
   *
   * @returns false: there is none to bind; the ring is still drained when its console ends
   */
  rebind(connection: ConnectionId, port: EvtchnPort): boolean {
    this.#set.reattach(connection, port)
    return this.#set.connections[wordOf(connection, CONNECTION_LOCAL_PORT)] !== 0
  }

  /** Unmaps the ring; what the guest has written and nobody has taken yet stays there. */
  detach(connection: ConnectionId): void {
    this.#users[connection] = undefined
    this.#drains.delete(connection)
    this.#set.detach(connection)
  }

  /**
   * Takes what is in the ring, told of or not, and calls then. For a guest that has died: what it
   * wrote last it may not have had time to announce. Others go on being served meanwhile, and it may take
   * as long as they have something to say; what it prints from now on may come as well, or not.
   */
  drain(connection: ConnectionId, done: () => void): void {
    this.#drains.set(connection, done)
    this.#set.drain(connection)
  }

  /**
   * Types into the guest; what does not fit into its ring waits.
   * @param bytes no more than OUTPUT_PAYLOAD_ROOM: a console types less at a time, by what may wait for a guest
   */
  send(connection: ConnectionId, bytes: Uint8Array): void {
    const output = this.#set.output
    this.#counters?.input(bytes.length)
    output.bytes.set(bytes, output.begin(connection, BATCH_DATA, 0, 0, 0))
    output.end(bytes.length)
    // At once, in a batch as well: whoever types next asks what waits.
    this.#set.flush()
  }

  /** Typed bytes that the guest has not read yet and that do not fit into its ring. */
  waitingBytes(connection: ConnectionId): number {
    return this.#set.connections[wordOf(connection, CONNECTION_QUEUED_BYTES)] as number
  }

  /** While held up, the guest's output stays in its ring. */
  setHeldUp(connection: ConnectionId, isHeldUp: boolean): void {
    this.#hold(connection, HELD_BY_USER, isHeldUp)
  }

  /** Whoever is being drained is so until its end; nobody else's ring may be attached any more. */
  close(): void {
    // Nobody comes after this who could read what the dead have left.
    for (let before = Number.POSITIVE_INFINITY; this.#drains.size < before; ) {
      before = this.#drains.size
      if (before > 0) this.#set.serveNow()
      while (this.#emptied.length > 0) this.#giveUpSome()
    }
    this.#rate.close()
    this.#set.close()
  }

  #giveUpSome(): void {
    for (const connection of this.#emptied.splice(0, GIVEN_UP_PER_TURN)) {
      const done = this.#drains.get(connection)
      this.#drains.delete(connection)
      done?.()
    }
    this.#isGivingUp = this.#emptied.length > 0
    if (this.#isGivingUp) setImmediate(() => this.#giveUpSome())
  }

  #hold(connection: ConnectionId, who: number, isHeld: boolean): void {
    const { connections } = this.#set
    const at = wordOf(connection, CONNECTION_PAUSED)
    const holders = connections[at] as number
    connections[at] = isHeld ? holders | who : holders & ~who
    if (!isHeld) this.#set.resume(connection)
  }

  #map(domid: Domid, gfn: Gfn, port: EvtchnPort): ConnectionId {
    try {
      return this.#set.attach(domid, { kind: 'gref', gref: GNTTAB_RESERVED_CONSOLE }, port, 0)
    } catch (error) {
      if (!(error instanceof XenError)) throw error
      return this.#set.attach(domid, { kind: 'gfn', gfn }, port, 0)
    }
  }

  #take(batch: Batch): void {
    const words = batch.words
    this.#counters?.batch(batch.nowMs)
    this.#rate.beginBatch()
    for (const listener of this.#listeners) listener.batchBegins(batch.bytes)
    for (let at = 0; at < batch.length; ) {
      const connection = words[at + RECORD_CONNECTION] as number
      const type = words[at + RECORD_TYPE] as number
      const length = words[at + RECORD_LEN] as number
      const payload = at + RECORD_WORDS
      const user = connection < 0 ? undefined : this.#users[connection]
      if (type === BATCH_VIRQ) this.#onVirq(words[at + RECORD_REQ_ID] as number)
      else if (user === undefined) {
        // Detached while this batch was under way.
      } else if (type === BATCH_DATA) {
        this.#rate.count(connection as ConnectionId)
        this.#counters?.output(length)
        const position = (words[at + RECORD_REQ_ID] as number) >>> 0
        user.ringOutput(batch.bytes, payload * 4, payload * 4 + length, position)
      } else if (type === BATCH_EVENTS) {
        const events = words[at + RECORD_REQ_ID] as number
        this.#counters?.quietEvents(events)
        this.#rate.count(connection as ConnectionId, events)
      } else if (type === BATCH_DRAINED) user.ringDrained()
      else if (type === BATCH_EMPTIED) this.#emptied.push(connection as ConnectionId)
      else if (type === BATCH_DROPPED) {
        this.#counters?.typedDropped(words[at + RECORD_REQ_ID] as number)
      } else if (type === BATCH_BROKEN) {
        this.#counters?.brokenRing()
        user.ringBroken()
      }
      at = payload + ((length + 3) >> 2)
    }
    for (const listener of this.#listeners) listener.batchEnds()
  }
}

/** Where a word of a connection's record lies in `connections`. */
function wordOf(connection: ConnectionId, field: number): number {
  return connection * CONNECTION_WORDS + field
}
