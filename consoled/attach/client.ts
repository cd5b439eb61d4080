/**
 * What is said at consoled's socket: a line that asks, a line that answers, then bytes.
 *
 * ```
 * viewer:   attach <domid> [ro | exclusive] [exact] [tail=<bytes>] [from=<position>]
 *                          [uuid=<uuid>] [size=<columns>x<rows>] [by=<word>]
 * consoled: ok <position> [<bytes> | ?] | error <sentence>
 * then:     bytes of the console, first what it said last │ bytes for the guest (not with `ro`)
 *
 * anybody:  resize <domid> <columns>x<rows>        consoled: ok | error <sentence>
 * anybody:  logs <domid or name>                   consoled: ok (stamped | plain) <path> | error <sentence>
 * ```
 *
 * A position is the guest's own count of what it printed, modulo 2^32: the ring index. That of `ok` is
 * the first byte's that follows. Who counts what comes, and asks for `exact`, can come back with
 * `from`: where consoled still knows the bytes since, that is where it goes on, also when it was
 * restarted in between; else the answer says how many of them are left out, or `?` where nobody knows.
 * With `exact` nothing is left out on the way: a viewer that is too slow is disconnected and comes back, and
 * so is every one when the guest begins its ring anew, since positions are others then; who comes back with
 * the last of the old ones misses nothing. What it types while it is being disconnected is lost. Without, what is left out is told in the stream. Of a log whose
 * lines are stamped, what is shown first has no stamps.
 *
 * Several may type at once. `exclusive` is refused while somebody else may, and nobody else may while
 * it lasts; `by` is who the sentence names. With `uuid` another domain of the number is refused.
 * A log is `stamped` when consoled puts the time before its lines: of no other log a time can be trusted,
 * for the guest can have printed it.
 * `size` and `resize` set the size of the domain's pseudo terminal, where it has one.
 *
 * consoled closes the connection when the console vanishes. The escape character is the viewer's
 * business: it never crosses the socket.
 */
import type { Domid } from '../../native/hypervisor.ts'

export const ATTACH_SOCKET = '/run/xen/consoled.sock'
/** A longer first line is not a request. */
export const ATTACH_LINE_MAX = 512
/** What a viewer is shown first, unless it asks for less or more. */
export const DEFAULT_TAIL_BYTES = 16_384

/** Columns and rows of a terminal. */
export interface TerminalSize {
  readonly columns: number
  readonly rows: number
}

/** How somebody wants to look at a console. */
export interface AttachOptions {
  /** `exclusive`: alone. */
  readonly writes?: 'no' | 'shared' | 'exclusive'
  readonly isExact?: boolean
  /** Bytes shown first at most; consoled may know fewer. */
  readonly tailBytes?: number | undefined
  /** Position to go on from; then there is no tail. */
  readonly from?: number | undefined
  readonly uuid?: string | undefined
  readonly size?: TerminalSize | undefined
  /** Letters, digits and `:/._,-` */
  readonly by?: string | undefined
}

/** What consoled answered, once its line is complete. */
type AttachAnswer =
  | {
      readonly kind: 'ok'
      /** Bytes of the line; the console's follow. */
      readonly length: number
      /** What follows `ok`: the position, or what is said of a log. */
      readonly text: string
    }
  | { readonly kind: 'error'; readonly message: string }

export function attachRequest(domid: Domid, options: AttachOptions = {}): string {
  const { writes, isExact, tailBytes, from, uuid, size, by } = options
  const words = [
    ...(writes === 'no' ? ['ro'] : writes === 'exclusive' ? ['exclusive'] : []),
    ...(isExact ? ['exact'] : []),
    ...(tailBytes === undefined ? [] : [`tail=${tailBytes}`]),
    ...(from === undefined ? [] : [`from=${from}`]),
    ...(uuid === undefined ? [] : [`uuid=${uuid}`]),
    ...(size === undefined ? [] : [`size=${size.columns}x${size.rows}`]),
    ...(by === undefined ? [] : [`by=${by}`]),
  ]
  return `${['attach', domid, ...words].join(' ')}\n`
}

/** @param domain its number; the name of one that may be gone */
export function logsRequest(domain: Domid | string): string {
  return `logs ${domain}\n`
}

/** A log as consoled tells of it. */
export interface ToldLog {
  readonly path: string
  /** Undefined: not told. */
  readonly isStamped: boolean | undefined
}

/** @param text what followed `ok` */
export function toldLog(text: string): ToldLog {
  const [, how, path] = /^(stamped|plain) (\/.*)$/s.exec(text) ?? []
  return path === undefined
    ? { path: text, isStamped: undefined }
    : { path, isStamped: how === 'stamped' }
}

/** @param bytes what has come so far @returns undefined while the line is not complete */
export function parseAttachAnswer(bytes: Buffer): AttachAnswer | undefined {
  const end = bytes.indexOf(0x0a)
  if (end === -1) {
    // A path may be longer than any request.
    return bytes.length > 8192 ? { kind: 'error', message: 'no answer line' } : undefined
  }
  const line = bytes.toString('utf8', 0, end)
  if (line === 'ok' || line.startsWith('ok ')) {
    return { kind: 'ok', length: end + 1, text: line.slice(3) }
  }
  return { kind: 'error', message: line.startsWith('error ') ? line.slice(6) : line }
}
