import type { Handover } from '../../native/handover.ts'
import type { ConnectionId, RingSet } from '../../native/ring-set.ts'
import { PAUSE_LIVE_UPDATE, pause, unpause } from '../connection/pauses.ts'
import { XS_TRANSACTION_START } from '../wire/ops.ts'

/**
 * Requests that wait until a live update is over, one way or the other: new transactions, and whatever the
 * same connection asks behind one. They go back to where they came from, so that the order stays.
 *
 * Who has a transaction open may start another one: its END may stand behind that START.
 */
export class HeldRequests {
  readonly #rings: Pick<RingSet, 'connections' | 'resume'>
  readonly #handover: Handover | undefined
  readonly #hasTransaction: (connection: ConnectionId) => boolean
  readonly #held = new Set<ConnectionId>()
  /** Is anything to be held at all? Asked for each request. */
  isOn = false

  constructor(
    rings: Pick<RingSet, 'connections' | 'resume' | 'handover'>,
    hasTransaction: (connection: ConnectionId) => boolean,
  ) {
    this.#rings = rings
    this.#handover = rings.handover
    this.#hasTransaction = hasTransaction
  }

  begin(): void {
    this.isOn = true
  }

  /** Nothing more is taken from the connection. */
  hold(connection: ConnectionId): void {
    this.#held.add(connection)
    pause(this.#rings, connection, PAUSE_LIVE_UPDATE)
  }

  /**
   * @param bytes holds the message at start … end, header included
   * @returns false: it is to be served
   */
  takes(
    connection: ConnectionId,
    type: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): boolean {
    const mustWait =
      this.#held.has(connection) ||
      (type === XS_TRANSACTION_START && !this.#hasTransaction(connection))
    if (!mustWait || this.#handover === undefined) return false
    this.hold(connection)
    this.#handover.putBack(connection, bytes.subarray(start, end))
    return true
  }

  /** Everything goes on. */
  end(): void {
    this.isOn = false
    for (const connection of this.#held) {
      unpause(this.#rings, connection, PAUSE_LIVE_UPDATE)
      this.#rings.resume(connection)
    }
    this.#held.clear()
  }
}
