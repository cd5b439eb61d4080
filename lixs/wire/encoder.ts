import { HEADER_BYTES, HEADER_LEN, HEADER_REQ_ID, HEADER_TX_ID, HEADER_TYPE } from './packet.ts'

const FIRST_BYTES = 4096

/**
 * Puts messages one behind the other, so that many requests leave in one write.
 *
 * The buffer is handed out by `take` and never touched again: who writes it to a socket needs no
 * copy.
 */
export class Encoder {
  #buffer: Buffer = Buffer.allocUnsafe(FIRST_BYTES)
  #used = 0

  get isEmpty(): boolean {
    return this.#used === 0
  }

  /** Appends one message; the parts become its payload, one behind the other. */
  add(type: number, reqId: number, txId: number, parts: readonly Uint8Array[]): void {
    let length = 0
    for (const part of parts) length += part.length
    this.#makeRoom(HEADER_BYTES + length)
    const buffer = this.#buffer
    let at = this.#used
    buffer.writeUInt32LE(type, at + HEADER_TYPE)
    buffer.writeUInt32LE(reqId, at + HEADER_REQ_ID)
    buffer.writeUInt32LE(txId, at + HEADER_TX_ID)
    buffer.writeUInt32LE(length, at + HEADER_LEN)
    at += HEADER_BYTES
    for (const part of parts) {
      buffer.set(part, at)
      at += part.length
    }
    this.#used = at
  }

  /** Everything added since the last time. */
  take(): Buffer {
    const taken = this.#buffer.subarray(0, this.#used)
    this.#buffer = Buffer.allocUnsafe(FIRST_BYTES)
    this.#used = 0
    return taken
  }

  #makeRoom(bytes: number): void {
    const needed = this.#used + bytes
    if (needed <= this.#buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2))
    larger.set(this.#buffer.subarray(0, this.#used))
    this.#buffer = larger
  }
}

/** One message by itself. */
export function encodePacket(
  type: number,
  reqId: number,
  txId: number,
  ...parts: readonly Uint8Array[]
): Buffer {
  const encoder = new Encoder()
  encoder.add(type, reqId, txId, parts)
  return encoder.take()
}
