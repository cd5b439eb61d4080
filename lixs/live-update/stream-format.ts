/**
 * The stream in which a XenStore daemon hands its state to the next one, as upstream's daemons do.
 *
 * ```
 * header    "xenstore"   version, flags      u32 each, big endian; flag 0: records are big endian
 * records   type, length                     u32 each, as all that follows little endian
 *           body                             padded with zeros to 8 bytes; the length counts the padding
 * ```
 *
 * In this order: GLOBAL, quotas, each connection with its watches, nodes (parents before children, "/"
 * first), special nodes (C xenstored 4.17: before all other nodes), domains, END.
 *
 * @see docs/designs/xenstore-migration.md in Xen's tree
 */

export const STREAM_MAGIC = 'xenstore'
export const HEADER_LENGTH = 16
export const RECORD_HEADER_LENGTH = 8
/** Without features of domains, depths of watches and quotas that differ from the command line. */
export const VERSION_PLAIN = 1
export const VERSION_FULL = 2
export const FLAG_BIG_ENDIAN = 1

export const RECORD_END = 0
export const RECORD_GLOBAL = 1
export const RECORD_CONNECTION = 2
export const RECORD_WATCH = 3
// 4 is a transaction: nobody writes one, and it is passed over like all that is not known.
export const RECORD_NODE = 5
export const RECORD_GLOBAL_QUOTA = 6
export const RECORD_DOMAIN = 7
export const RECORD_WATCH_EXTENDED = 8

/** Bodies without their strings and byte rows. */
export const GLOBAL_LENGTH = 8
export const CONNECTION_LENGTH = 24
export const WATCH_LENGTH = 8
export const WATCH_EXTENDED_LENGTH = 12
export const NODE_LENGTH = 16
export const PERM_LENGTH = 4
export const QUOTA_HEADER_LENGTH = 4

export const CONNECTION_RING = 0
export const CONNECTION_SOCKET = 1
/** Of a ring that has none. */
export const NO_TARGET = 0x7ff4
/** Of a permission. */
export const PERM_STALE = 1
/** A depth that is none: all levels. */
export const UNLIMITED_DEPTH = 0xffff
/** What fits into a field of 16 bits. */
export const FIELD_MAX = 0xffff

/** With the zeros behind. */
export function padded(length: number): number {
  return (length + 7) & ~7
}
