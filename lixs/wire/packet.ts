/**
 * Layout of a message: a header of four little-endian 32-bit words, then the payload.
 *
 * ```
 * byte 0     4        8       12    16
 *      type  req_id   tx_id   len   payload of len bytes, 0 … XENSTORE_PAYLOAD_MAX
 * ```
 *
 * @see xen/include/public/io/xs_wire.h, struct xsd_sockmsg
 */
export const HEADER_BYTES = 16
export const HEADER_TYPE = 0
export const HEADER_REQ_ID = 4
export const HEADER_TX_ID = 8
export const HEADER_LEN = 12

/** A whole message, its payload in memory of its own. */
export interface Packet {
  readonly type: number
  readonly reqId: number
  readonly txId: number
  readonly payload: Uint8Array
}
