import type { ConnectionId } from '../../native/ring-set.ts'
import type { Clock } from '../clock.ts'

/** What a console may say in a period; more waits in its ring until the period ends. */
export const EVENTS_PER_PERIOD = 30
export const PERIOD_MS = 200

/**
 * Keeps a guest that prints without end from taking the loop: past its allowance its console is held
 * until the period ends. The periods are the same for all, so that one timer is enough for all that
 * are held; nobody held, no timer.
 *
 * @see xen tools/console/daemon/io.c: RATE_LIMIT_ALLOWANCE, RATE_LIMIT_PERIOD
 */
export class RateLimit {
  readonly #clock: Clock
  readonly #setHeld: (connection: ConnectionId, isHeld: boolean) => void
  /** By connection: the period of its last event, and its events in that period. */
  readonly #periods: number[] = []
  readonly #counts: number[] = []
  #period = 0
  #held: ConnectionId[] = []
  #cancel: (() => void) | undefined

  /** @param setHeld called again with false when the period ends, also if the connection has gone */
  constructor(clock: Clock, setHeld: (connection: ConnectionId, isHeld: boolean) => void) {
    this.#clock = clock
    this.#setHeld = setHeld
  }

  /** How many are held now. */
  get held(): number {
    return this.#held.length
  }

  /** Events counted from now on belong to this moment: the clock is read once a batch. */
  beginBatch(): void {
    this.#period = Math.floor(this.#clock.nowMs() / PERIOD_MS)
  }

  /** @param events so many at once */
  count(connection: ConnectionId, events = 1): void {
    const isFirst = this.#periods[connection] !== this.#period
    const before = isFirst ? 0 : (this.#counts[connection] as number)
    this.#periods[connection] = this.#period
    this.#counts[connection] = before + events
    if (before >= EVENTS_PER_PERIOD || before + events < EVENTS_PER_PERIOD) return
    this.#held.push(connection)
    this.#setHeld(connection, true)
    const leftMs = (this.#period + 1) * PERIOD_MS - this.#clock.nowMs()
    this.#cancel ??= this.#clock.after(leftMs, () => this.#release())
  }

  /** The connection has another user from now on, who has said nothing yet. */
  reset(connection: ConnectionId): void {
    this.#periods[connection] = -1
  }

  close(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  #release(): void {
    const held = this.#held
    this.#held = []
    this.#cancel = undefined
    for (const connection of held) {
      // Timers may come a little early, while the clock still says the old period.
      this.reset(connection)
      this.#setHeld(connection, false)
    }
  }
}
