/**
 * Paths as bytes: checked once, cut into components once, never turned into strings.
 *
 * ```
 * request:   device/vif/0            home domid 7
 * bytes:     /local/domain/7/device/vif/0
 * starts:     1     7      14 16     23  27   29    the last one: length + 1
 * ```
 *
 * Component `i` lies in `bytes[starts[i] … starts[i + 1] - 1)`. A special path has its `@` in the
 * first component. The root has no component.
 *
 * @see docs/misc/xenstore.txt, "Store paths"; tools/xenstored/core.c, is_valid_nodename
 */
import type { Domid } from '../../native/hypervisor.ts'

const SLASH = 0x2f
const AT = 0x40
const NUL = 0
const DIGIT_0 = 0x30
const DIGIT_9 = 0x39
const HOME = Buffer.from('/local/domain/', 'latin1')
/** XENSTORE_PAYLOAD_MAX, and the longest home prefix. */
const MAX_BYTES = 4096 + HOME.length + 6
const MAX_COMPONENTS = MAX_BYTES / 2 + 2

const IS_PATH_BYTE = new Uint8Array(256)
for (const byte of Buffer.from(
  'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-/_@',
  'latin1',
)) {
  IS_PATH_BYTE[byte] = 1
}

/** One checked path; made once and filled again and again by `parsePath`. */
export class ParsedPath {
  /** Not 0: the node at the path, which exists; then neither bytes nor components are there. */
  node = 0
  /** The absolute path, or the special one. */
  readonly bytes = new Uint8Array(MAX_BYTES)
  length = 0
  isRelative = false
  isSpecial = false
  /** Bytes of the home prefix that a relative path was given; 0 otherwise. */
  prefixLength = 0
  readonly starts = new Int32Array(MAX_COMPONENTS)
  count = 0

  /** First byte of component `i`; for `i === count` one past the end of the last one, plus one. */
  startOf(i: number): number {
    return this.starts[i] as number
  }

  endOf(i: number): number {
    return (this.starts[i + 1] as number) - 1
  }

  /** It is that of a node that is known already. */
  name(node: number): void {
    this.node = node
    this.isSpecial = false
  }
}

/**
 * Checks a path and cuts it.
 *
 * @param start first byte of the path in `bytes`
 * @param end one past its last byte; the NUL of the request does not belong to it
 * @param homeDomid relative paths begin at `/local/domain/<homeDomid>/`
 * @param maxLength longest path, without a leading `/local/domain/<1 to 5 digits>/`; 0 = any
 * @returns false when the path is not valid (EINVAL); `into` must not be used then
 */
export function parsePath(
  bytes: Uint8Array,
  start: number,
  end: number,
  homeDomid: Domid,
  into: ParsedPath,
  maxLength: number,
): boolean {
  into.node = 0
  if (end <= start || end - start > 4096) return false
  const first = bytes[start] as number
  const out = into.bytes
  let length = 0
  into.isSpecial = first === AT
  into.isRelative = first !== SLASH && first !== AT
  if (into.isRelative) length = writeHome(out, homeDomid)
  into.prefixLength = length
  for (let i = start; i < end; i++) {
    const byte = bytes[i] as number
    if (IS_PATH_BYTE[byte] === 0) return false
    out[length++] = byte
  }
  into.length = length
  if (maxLength !== 0 && length - homeLength(out, length) > maxLength) return false
  return cut(into)
}

/** Finds the components. @returns false for an empty one (`//`, trailing `/`) */
function cut(path: ParsedPath): boolean {
  const { bytes, starts, length } = path
  path.count = 0
  if (length === 1 && bytes[0] === SLASH) return true
  if (bytes[length - 1] === SLASH) return false
  let count = 0
  if (path.isSpecial) starts[count++] = 0
  for (let i = 0; i < length; i++) {
    if (bytes[i] !== SLASH) continue
    if (bytes[i + 1] === SLASH) return false
    starts[count++] = i + 1
  }
  starts[count] = length + 1
  path.count = count
  return true
}

function writeHome(out: Uint8Array, domid: number): number {
  for (let i = 0; i < HOME.length; i++) out[i] = HOME[i] as number
  let digits = 1
  for (let rest = domid; rest >= 10; rest = Math.floor(rest / 10)) digits++
  let rest = domid
  for (let i = HOME.length + digits - 1; i >= HOME.length; i--) {
    out[i] = DIGIT_0 + (rest % 10)
    rest = Math.floor(rest / 10)
  }
  out[HOME.length + digits] = SLASH
  return HOME.length + digits + 1
}

/** Length of a leading `/local/domain/<1 to 5 digits>/`, which path-max does not count; else 0. */
function homeLength(bytes: Uint8Array, length: number): number {
  for (let i = 0; i < HOME.length; i++) {
    if ((i < length ? bytes[i] : NUL) !== HOME[i]) return 0
  }
  let i = HOME.length
  while (i < length && i < HOME.length + 6) {
    const byte = bytes[i] as number
    if (byte < DIGIT_0 || byte > DIGIT_9) break
    i++
  }
  const digits = i - HOME.length
  if (digits === 0 || digits > 5 || i >= length || bytes[i] !== SLASH) return 0
  return i + 1
}
