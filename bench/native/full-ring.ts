/**
 * A guest whose ring is full of requests again and again, at next to no cost of its own: 32 of them, 32 bytes each,
 * fill a ring of 1,024 bytes, so they are written once, and then only the producer moves on.
 */
import type { GuestEnd } from '../../native/loopback.ts'

/** Requests in a ring. */
export const FULL = 32
const REQUEST_BYTES = 32
const PAYLOAD_BYTES = 16
const RING_BYTES = 1024
const REPLIES = 1024
/** Words of struct xenstore_domain_interface. */
const REQ_CONS = 2048 / 4
const REQ_PROD = 2052 / 4
const RSP_CONS = 2056 / 4
const RSP_PROD = 2060 / 4
/** A daemon that has not come round by then never will. */
const TURNS_MAX = 100_000

export class FullRing {
  readonly #end: GuestEnd
  readonly #words: Int32Array
  readonly #bytes: Buffer

  constructor(end: GuestEnd) {
    this.#end = end
    this.#words = new Int32Array(end.page)
    this.#bytes = Buffer.from(end.page)
  }

  /**
   * Puts the requests there. The ring must have been emptied.
   * @param payloadOf the i-th one's, 16 bytes
   */
  prepare(type: number, payloadOf: (i: number) => string): void {
    for (let i = 0; i < FULL; i++) {
      const payload = Buffer.from(payloadOf(i), 'latin1')
      if (payload.length !== PAYLOAD_BYTES) throw new Error(`${payload.length} bytes of payload`)
      const at = i * REQUEST_BYTES
      this.#bytes.writeUInt32LE(type, at)
      this.#bytes.writeUInt32LE(i, at + 4)
      this.#bytes.writeUInt32LE(0, at + 8)
      this.#bytes.writeUInt32LE(payload.length, at + 12)
      this.#bytes.set(payload, at + 16)
    }
  }

  /** Asks all of it once more. */
  ask(): void {
    Atomics.store(this.#words, REQ_PROD, (this.#word(REQ_PROD) + RING_BYTES) | 0)
    this.#end.kick()
  }

  /** Has the daemon taken all requests? */
  get isTaken(): boolean {
    return this.#word(REQ_CONS) === this.#word(REQ_PROD)
  }

  /** Bytes of replies and events that wait here. */
  get waiting(): number {
    return (this.#word(RSP_PROD) - this.#word(RSP_CONS)) >>> 0
  }

  /** Type of the first message that waits. */
  get firstType(): number {
    return this.#bytes.readUInt32LE(REPLIES + ((this.#word(RSP_CONS) >>> 0) % RING_BYTES))
  }

  /** Takes everything that waits, without a look; and notifies, when there may be more. */
  take(hasMore = false): void {
    Atomics.store(this.#words, RSP_CONS, this.#word(RSP_PROD))
    if (hasMore) this.#end.kick()
  }

  #word(index: number): number {
    return Atomics.load(this.#words, index)
  }
}

/** Lets the loop of events turn until something is so. @throws Error when it never is */
export async function turnUntil(isSo: () => boolean): Promise<void> {
  for (let turns = 0; !isSo(); turns++) {
    if (turns === TURNS_MAX) throw new Error('the rings stand still')
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
}
