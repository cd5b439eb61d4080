import { XENSTORE_PAYLOAD_MAX } from './ops.ts'
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
  /** Where the message begins that is being put together. */
  #begun = 0

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

  /** Begins a message whose payload is put together in place; `end` completes it. */
  begin(type: number, reqId: number, txId: number): void {
    this.#makeRoom(HEADER_BYTES)
    const buffer = this.#buffer
    const at = this.#used
    buffer.writeUInt32LE(type, at + HEADER_TYPE)
    buffer.writeUInt32LE(reqId, at + HEADER_REQ_ID)
    buffer.writeUInt32LE(txId, at + HEADER_TX_ID)
    this.#begun = at
    this.#used = at + HEADER_BYTES
  }

  /** Appends UTF-8 text to the message that was begun. */
  addText(text: string): void {
    // No character of a JavaScript string takes more than three bytes.
    this.#makeRoom(text.length * 3)
    this.#used += this.#buffer.write(text, this.#used, 'utf8')
  }

  /** Appends text and its NUL to the message that was begun. */
  addString(text: string): void {
    this.addText(text)
    this.#makeRoom(1)
    this.#buffer[this.#used++] = 0
  }

  /** Appends bytes to the message that was begun. */
  addBytes(bytes: Uint8Array): void {
    this.#makeRoom(bytes.length)
    this.#buffer.set(bytes, this.#used)
    this.#used += bytes.length
  }

  /** Completes the message that was begun. @returns false: too long, and taken back */
  end(): boolean {
    const length = this.#used - this.#begun - HEADER_BYTES
    if (length > XENSTORE_PAYLOAD_MAX) {
      this.#used = this.#begun
      return false
    }
    this.#buffer.writeUInt32LE(length, this.#begun + HEADER_LEN)
    return true
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
