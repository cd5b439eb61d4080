import {
  HEADER_LENGTH,
  padded,
  RECORD_END,
  RECORD_HEADER_LENGTH,
  STREAM_MAGIC,
} from './stream-format.ts'

const CHUNK_BYTES = 1 << 20

/** Takes the stream, piece by piece; a piece is valid during the call only. */
export type StreamSink = (piece: Uint8Array) => void

/** Writes records one after the other, in pieces of a megabyte: no state is held twice. */
export class StreamWriter {
  readonly #sink: StreamSink
  readonly #chunk = Buffer.alloc(CHUNK_BYTES)
  #used = 0
  /** Bytes of the record at hand that are still to come. */
  #left = 0
  #padding = 0

  constructor(sink: StreamSink) {
    this.#sink = sink
  }

  /** @param magic eight letters */
  begin(version: number, magic = STREAM_MAGIC): void {
    this.#reserve(HEADER_LENGTH)
    this.#chunk.write(magic, this.#used, 'latin1')
    this.#chunk.writeUInt32BE(version, this.#used + 8)
    this.#chunk.writeUInt32BE(0, this.#used + 12)
    this.#used += HEADER_LENGTH
  }

  /** @param length of the body, without padding */
  beginRecord(type: number, length: number): void {
    this.#reserve(RECORD_HEADER_LENGTH)
    this.#chunk.writeUInt32LE(type, this.#used)
    this.#chunk.writeUInt32LE(padded(length), this.#used + 4)
    this.#used += RECORD_HEADER_LENGTH
    this.#left = length
    this.#padding = padded(length) - length
  }

  /** Fills up with zeros. @throws Error when the body is not as long as was said */
  endRecord(): void {
    if (this.#left !== 0) throw new Error(`a record lacks ${this.#left} bytes`)
    for (let i = this.#padding; i > 0; i--) this.u8(0)
    this.#left = 0
  }

  u8(value: number): void {
    this.#reserve(1)
    this.#chunk[this.#used] = value
    this.#took(1)
  }

  u16(value: number): void {
    this.#reserve(2)
    this.#chunk.writeUInt16LE(value, this.#used)
    this.#took(2)
  }

  u32(value: number): void {
    this.#reserve(4)
    this.#chunk.writeUInt32LE(value >>> 0, this.#used)
    this.#took(4)
  }

  f64(value: number): void {
    this.#reserve(8)
    this.#chunk.writeDoubleLE(value, this.#used)
    this.#took(8)
  }

  bytes(from: Uint8Array, start = 0, end = from.length): void {
    for (let at = start; at < end; ) {
      if (this.#used === CHUNK_BYTES) this.flush()
      const part = Math.min(end - at, CHUNK_BYTES - this.#used)
      if (part > 64) this.#chunk.set(from.subarray(at, at + part), this.#used)
      else for (let i = 0; i < part; i++) this.#chunk[this.#used + i] = from[at + i] as number
      this.#took(part)
      at += part
    }
  }

  /** With its NUL. */
  text(value: string): void {
    this.bytes(Buffer.from(`${value}\0`, 'latin1'))
  }

  end(): void {
    this.beginRecord(RECORD_END, 0)
  }

  /** To be called at the end, too. */
  flush(): void {
    if (this.#used > 0) this.#sink(this.#chunk.subarray(0, this.#used))
    this.#used = 0
  }

  #reserve(bytes: number): void {
    if (this.#used + bytes > CHUNK_BYTES) this.flush()
  }

  #took(bytes: number): void {
    this.#used += bytes
    this.#left -= bytes
  }
}
