import { ByteRing } from '../byte-ring.ts'

/**
 * Kept of a guest whose log cannot be written: about what a terminal shows. With a full disk under all the
 * consoles that there may be this is 128 MiB.
 */
export const UNWRITTEN_BYTES = 4096

/**
 * What a guest said last, while its raw log does not end with it or has a gap before it: viewers are shown
 * this, for what the log ends with would be taken for the latest.
 */
export class Unwritten {
  readonly #bytes = new ByteRing(UNWRITTEN_BYTES)
  /** Bytes at the end that the guest printed, without a gap. */
  #unbroken = 0

  /**
   * @param logged what the log ends with
   * @param lost what should have followed it
   */
  constructor(logged: Uint8Array, lost: Uint8Array) {
    this.#bytes.append(logged, 0, logged.length)
    this.append(lost, 0, lost.length)
  }

  append(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes.append(bytes, start, end)
    this.#unbroken = Math.min(this.#unbroken + end - start, UNWRITTEN_BYTES)
  }

  /** The guest's ring goes on somewhere else. */
  jump(): void {
    this.#unbroken = 0
  }

  tail(maxBytes: number): Buffer {
    const kept = this.#bytes.copy()
    return kept.subarray(Math.max(0, kept.length - maxBytes))
  }

  /** As `GuestLog.exactTail`. */
  exactTail(length: number, maxBytes: number): Buffer | undefined {
    return length > this.#unbroken ? undefined : this.tail(length).subarray(0, maxBytes)
  }
}
