/**
 * Requests that wait because they would spoil a guarded transaction (store/guards.ts).
 *
 * A request that has to wait goes back to where it came from, and nothing more is read from its
 * connection: so a connection's own order stays, nobody else waits, and with the connection goes all
 * that was to be done. It is asked anew when the transaction has ended, or after 50 ms, when the
 * transaction is guarded no more. Only unprivileged connections ever wait.
 *
 * Guests that hold each other up this way would be a lever of its own. So a request waits for other
 * guests once only, and a guest whose transaction has made others wait has none guarded for nine times
 * as long.
 */
import type { ConnectionId, RingSet } from '../../native/ring-set.ts'
import type { Exchange } from '../process/exchange.ts'
import { findNul } from '../process/payload.ts'
import { takeNodePath } from '../process/request-path.ts'
import type { Services } from '../process/services.ts'
import type { Change, Guards } from '../store/guards.ts'
import { XS_MKDIR, XS_RM, XS_SET_PERMS, XS_TRANSACTION_END, XS_WRITE } from '../wire/ops.ts'
import { HEADER_BYTES } from '../wire/packet.ts'
import { PAUSE_GUARD, pause, unpause } from './pauses.ts'
import type { Timers } from './timers.ts'

/**
 * For so long a transaction is guarded once somebody waits for it; a privileged one that was not done by
 * then twice as long the next time, up to 16 times.
 */
const GUARDED_MS = 50
const DOUBLED_AT_MOST = 4
/** A guest's transaction that nobody waits for is guarded so long: it may have been left open. */
const LEFT_OPEN_MS = 1000
/** A guest's transactions make others wait for a tenth of the time at most. */
const REST_TIMES = 9

const LETTER_T = 0x54

const CHANGES: ReadonlyMap<number, Change> = new Map([
  [XS_WRITE, 'write'],
  [XS_MKDIR, 'mkdir'],
  [XS_RM, 'rm'],
  [XS_SET_PERMS, 'setPerms'],
])

/** Those who wait for one transaction. */
interface Waiting {
  readonly connections: ConnectionId[]
  /** Whose transaction it is; undefined: a privileged connection's. */
  readonly guest: number | undefined
  readonly sinceMs: number
  readonly cancelTimer: () => void
}

export class Deferrals {
  readonly #rings: Pick<RingSet, 'connections' | 'resume' | 'handover'>
  readonly #guards: Guards
  readonly #timers: Timers
  /** By slot of the transaction. */
  readonly #waiting = new Map<number, Waiting>()
  /** Ends the guard of a guest's transaction, by slot. */
  readonly #guestTimers = new Map<number, () => void>()
  /** Until when a guest's connection has no transaction guarded. */
  readonly #restsUntilMs = new Map<number, number>()
  /** Those whose next request has waited already. */
  readonly #hasWaited = new Set<ConnectionId>()

  constructor(
    rings: Pick<RingSet, 'connections' | 'resume' | 'handover'>,
    guards: Guards,
    timers: Timers,
  ) {
    this.#rings = rings
    this.#guards = guards
    this.#timers = timers
    guards.onEnd = (slot) => this.#goOn(slot)
    guards.mayGuardGuest = (connection) => this.#hasRested(connection)
    guards.onGuestGuarded = (slot) => {
      this.#guestTimers.set(
        slot,
        timers.after(LEFT_OPEN_MS, () => guards.end(slot)),
      )
    }
  }

  /** Is anything guarded? Asked for each request. */
  get isOn(): boolean {
    return !this.#guards.isEmpty || this.#hasWaited.size > 0
  }

  /** @returns false: the request is to be served */
  takes(services: Services, exchange: Exchange): boolean {
    const { handover } = this.#rings
    if (exchange.who.isPrivileged || handover === undefined) return false
    if (this.#guards.isEmpty) {
      this.#hasWaited.delete(exchange.connection)
      return false
    }
    const slot = this.#guardAgainst(services, exchange)
    if (slot === 0) return false
    const { connection, bytes, start, end } = exchange
    this.#waitingFor(slot).connections.push(connection)
    pause(this.#rings, connection, PAUSE_GUARD)
    handover.putBack(connection, bytes.subarray(start - HEADER_BYTES, end))
    return true
  }

  stop(): void {
    for (const { cancelTimer } of this.#waiting.values()) cancelTimer()
    for (const cancel of this.#guestTimers.values()) cancel()
    this.#waiting.clear()
    this.#guestTimers.clear()
  }

  #guardAgainst(services: Services, exchange: Exchange): number {
    const { connection, type, txId, bytes, start, end } = exchange
    const isExempt = this.#hasWaited.delete(connection)
    if (type === XS_TRANSACTION_END) {
      // Only a commit changes anything.
      if (bytes[start] !== LETTER_T) return 0
      const slot = services.store.findTransaction(connection, txId >>> 0)
      return slot === 0 ? 0 : this.#guards.againstCommit(connection, isExempt, slot)
    }
    const change = CHANGES.get(type)
    if (change === undefined || txId !== 0) return 0
    const pathEnd = findNul(bytes, start, end)
    if (pathEnd < 0 || !takeNodePath(services, exchange, start, pathEnd)) return 0
    return this.#guards.against(connection, isExempt, services.path, change)
  }

  #hasRested(connection: number): boolean {
    const untilMs = this.#restsUntilMs.get(connection)
    if (untilMs === undefined) return true
    if (this.#timers.nowMs() < untilMs) return false
    this.#restsUntilMs.delete(connection)
    return true
  }

  #waitingFor(slot: number): Waiting {
    const known = this.#waiting.get(slot)
    if (known !== undefined) return known
    const guest = this.#guards.guestOf(slot)
    const doubled = Math.min(this.#guards.furtherTriesOf(slot), DOUBLED_AT_MOST)
    const forMs = guest === undefined ? GUARDED_MS * 2 ** doubled : GUARDED_MS
    const waiting = {
      connections: [],
      guest,
      sinceMs: this.#timers.nowMs(),
      cancelTimer: this.#timers.after(forMs, () => this.#guards.end(slot)),
    }
    this.#waiting.set(slot, waiting)
    return waiting
  }

  #goOn(slot: number): void {
    this.#guestTimers.get(slot)?.()
    this.#guestTimers.delete(slot)
    const waiting = this.#waiting.get(slot)
    if (waiting === undefined) return
    this.#waiting.delete(slot)
    waiting.cancelTimer()
    const { guest } = waiting
    if (guest !== undefined) {
      const nowMs = this.#timers.nowMs()
      this.#restsUntilMs.set(guest, nowMs + REST_TIMES * (nowMs - waiting.sinceMs))
    }
    for (const connection of waiting.connections) {
      // The number may be somebody else's by now, who does not wait.
      if (!unpause(this.#rings, connection, PAUSE_GUARD)) continue
      if (guest !== undefined) this.#hasWaited.add(connection)
      this.#rings.resume(connection)
    }
  }
}
