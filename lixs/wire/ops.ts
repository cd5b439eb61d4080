/**
 * Operation numbers and names of the XenStore protocol.
 *
 * @see xen/include/public/io/xs_wire.h, enum xsd_sockmsg_type
 */

/** Longest payload of a message, in both directions (xs_wire.h). */
export const XENSTORE_PAYLOAD_MAX = 4096

export const XS_CONTROL = 0
export const XS_DIRECTORY = 1
export const XS_READ = 2
export const XS_GET_PERMS = 3
export const XS_WATCH = 4
export const XS_UNWATCH = 5
export const XS_TRANSACTION_START = 6
export const XS_TRANSACTION_END = 7
export const XS_INTRODUCE = 8
export const XS_RELEASE = 9
export const XS_GET_DOMAIN_PATH = 10
export const XS_WRITE = 11
export const XS_MKDIR = 12
export const XS_RM = 13
export const XS_SET_PERMS = 14
export const XS_WATCH_EVENT = 15
export const XS_ERROR = 16
export const XS_IS_DOMAIN_INTRODUCED = 17
export const XS_RESUME = 18
export const XS_SET_TARGET = 19
export const XS_RESET_WATCHES = 21
export const XS_DIRECTORY_PART = 22
export const XS_GET_FEATURE = 23
export const XS_SET_FEATURE = 24
export const XS_GET_QUOTA = 25
export const XS_SET_QUOTA = 26

/** Names by number, as Xen's headers spell them; numbers without a name are not served. */
const OP_NAMES: readonly string[] = [
  'CONTROL',
  'DIRECTORY',
  'READ',
  'GET_PERMS',
  'WATCH',
  'UNWATCH',
  'TRANSACTION_START',
  'TRANSACTION_END',
  'INTRODUCE',
  'RELEASE',
  'GET_DOMAIN_PATH',
  'WRITE',
  'MKDIR',
  'RM',
  'SET_PERMS',
  'WATCH_EVENT',
  'ERROR',
  'IS_DOMAIN_INTRODUCED',
  'RESUME',
  'SET_TARGET',
  'RESTRICT',
  'RESET_WATCHES',
  'DIRECTORY_PART',
  'GET_FEATURE',
  'SET_FEATURE',
  'GET_QUOTA',
  'SET_QUOTA',
]

/** Numbers from 0 that have a name. */
export const OP_COUNT = OP_NAMES.length

/** Name of an operation for people and logs; `op 99` for a number that has none. */
export function opName(type: number): string {
  return OP_NAMES[type] ?? `op ${type}`
}
