import { XENSTORE_PAYLOAD_MAX } from './ops.ts'
import {
  HEADER_BYTES,
  HEADER_LEN,
  HEADER_REQ_ID,
  HEADER_TX_ID,
  HEADER_TYPE,
  type Packet,
} from './packet.ts'

/** A peer announced a payload longer than XENSTORE_PAYLOAD_MAX: the stream cannot be followed. */
export class OversizedPacket extends Error {
  override readonly name = 'OversizedPacket'
  readonly len: number

  constructor(len: number) {
    super(`a message of ${len} bytes; at most ${XENSTORE_PAYLOAD_MAX} are allowed`)
    this.len = len
  }
}

/** Makes messages of a byte stream that comes in arbitrary fragments. */
export class Decoder {
  /** The beginning of a message whose end has not come yet. */
  #partial: Buffer = Buffer.alloc(0)

  /**
   * Takes the next bytes of the stream and gives every message that is complete with them.
   *
   * @throws OversizedPacket; the decoder is of no use afterwards
   */
  push(fragment: Uint8Array): Packet[] {
    // A copy, so that payloads may be kept when the caller uses the fragment's memory again.
    const bytes = Buffer.concat([this.#partial, fragment])
    const packets: Packet[] = []
    let at = 0
    while (bytes.length - at >= HEADER_BYTES) {
      const len = bytes.readUInt32LE(at + HEADER_LEN)
      if (len > XENSTORE_PAYLOAD_MAX) throw new OversizedPacket(len)
      const end = at + HEADER_BYTES + len
      if (end > bytes.length) break
      packets.push({
        type: bytes.readUInt32LE(at + HEADER_TYPE),
        reqId: bytes.readUInt32LE(at + HEADER_REQ_ID),
        txId: bytes.readUInt32LE(at + HEADER_TX_ID),
        payload: bytes.subarray(at + HEADER_BYTES, end),
      })
      at = end
    }
    this.#partial = bytes.subarray(at)
    return packets
  }
}
