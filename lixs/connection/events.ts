import {
  CONNECTION_QUEUED_EVENTS,
  CONNECTION_WORDS,
  type ConnectionId,
  OUTPUT_CAUSE_SHIFT,
  OUTPUT_COALESCE,
  OUTPUT_EVENT,
  type RingSet,
} from '../../native/ring-set.ts'
import type { Counters } from '../counters.ts'
import type { EventSink } from '../store/store.ts'
import type { Trace } from '../trace.ts'
import { XENSTORE_PAYLOAD_MAX, XS_WATCH_EVENT } from '../wire/ops.ts'
import { HEADER_BYTES } from '../wire/packet.ts'
import type { Connections } from './connections.ts'
import type { Timers } from './timers.ts'

/** Between two looks at events that unprivileged connections leave lying. */
const LOOK_EVERY_MS = 1000

/**
 * Watch events on their way out.
 *
 * An event for an unprivileged connection that does not take it is discarded after a while, and at
 * once when too many wait already. Only connections that have events waiting are looked at, and only
 * while there are any is there a timer: events that nobody leaves lying cost nothing.
 *
 * @see XSA-326
 */
export class Events implements EventSink {
  readonly #rings: RingSet
  readonly #timers: Timers
  readonly #counters: Counters
  readonly #trace: Trace
  /** 0: events wait for ever. */
  readonly #timeoutMs: number
  #connections: Connections | undefined
  /** Unprivileged connections that may have events waiting. */
  readonly #watched = new Set<number>()
  #cancelTimer: (() => void) | undefined
  /** The unprivileged connection whose request is served; 0: nobody's. */
  cause = 0

  constructor(rings: RingSet, timers: Timers, counters: Counters, trace: Trace, timeoutMs: number) {
    this.#rings = rings
    this.#timers = timers
    this.#counters = counters
    this.#trace = trace
    this.#timeoutMs = timeoutMs
  }

  /** The store fires into this, the connections need the store: so they come later. */
  serve(connections: Connections): void {
    this.#connections = connections
  }

  watchEvent(
    connection: number,
    path: Uint8Array,
    pathStart: number,
    pathEnd: number,
    token: Uint8Array,
    tokenStart: number,
    tokenEnd: number,
    isSpecial: boolean,
  ): void {
    const length = pathEnd - pathStart + tokenEnd - tokenStart + 2
    const mayBeDropped = this.#connections?.isPrivileged(connection) === false
    const hasNoRoom =
      mayBeDropped &&
      this.#connections?.hasRoomForEvent(connection, HEADER_BYTES + length) === false
    const isDropped = length > XENSTORE_PAYLOAD_MAX || hasNoRoom
    if (this.#trace.isOn) {
      const tokenText = [token, tokenStart, tokenEnd] as const
      this.#trace.event(connection, isDropped, path, pathStart, pathEnd, ...tokenText)
    }
    if (isDropped) {
      this.#counters.eventDropped()
      return
    }
    this.#counters.event()
    const { output } = this.#rings
    const kind = isSpecial ? OUTPUT_EVENT : OUTPUT_EVENT | OUTPUT_COALESCE
    const flags = kind | (this.cause << OUTPUT_CAUSE_SHIFT)
    let at = output.begin(connection as ConnectionId, XS_WATCH_EVENT, 0, 0, flags)
    const into = output.bytes
    for (let i = pathStart; i < pathEnd; i++) into[at++] = path[i] as number
    into[at++] = 0
    for (let i = tokenStart; i < tokenEnd; i++) into[at++] = token[i] as number
    into[at] = 0
    output.end(length)
    if (mayBeDropped) this.#watch(connection)
  }

  /** Events of a daemon before wait for the connection: their time begins anew. */
  taken(connection: ConnectionId): void {
    if (this.#connections?.isPrivileged(connection) === false) this.#watch(connection)
  }

  stop(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }

  #watch(connection: number): void {
    if (this.#timeoutMs === 0) return
    this.#watched.add(connection)
    if (this.#cancelTimer === undefined) this.#lookLater()
  }

  #lookLater(): void {
    this.#cancelTimer = this.#timers.after(Math.min(LOOK_EVERY_MS, this.#timeoutMs), () => {
      this.#cancelTimer = undefined
      this.#look()
      if (this.#watched.size > 0) this.#lookLater()
    })
  }

  #look(): void {
    for (const id of this.#watched) {
      // The number may have gone to somebody else meanwhile, whose events wait for ever.
      const isWatched = this.#connections?.isPrivileged(id) === false
      if (isWatched && this.#expire(id as ConnectionId) > 0) continue
      this.#watched.delete(id)
    }
  }

  /** @returns how many events still wait */
  #expire(id: ConnectionId): number {
    const words = this.#rings.connections
    const at = id * CONNECTION_WORDS + CONNECTION_QUEUED_EVENTS
    const before = words[at] as number
    const left = this.#rings.expireEvents(id, this.#timeoutMs)
    const expired = before - (words[at] as number)
    if (expired > 0) {
      this.#counters.eventsExpired(expired)
      if (this.#trace.isOn) this.#trace.object(id, `${expired} events expired`)
    }
    return left
  }
}
