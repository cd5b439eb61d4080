/**
 * What a viewer says to consoled: one line, then bytes.
 *
 * ```
 * viewer:   attach <domid>[ ro]\n
 * consoled: ok\n | error <sentence>\n
 * then:     bytes of the console, first what it said last │ bytes for the guest (not with `ro`)
 * ```
 *
 * consoled closes the connection when the console vanishes. The escape character is the viewer's
 * business: it never crosses the socket.
 */
import type { Domid } from '../../native/hypervisor.ts'

export const ATTACH_SOCKET = '/run/xen/consoled.sock'
/** A longer first line is not a request. */
export const ATTACH_LINE_MAX = 256

/** What consoled answered, once its line is complete. */
type AttachAnswer =
  | { readonly kind: 'ok' /** Bytes of the line; the console's follow. */; readonly length: number }
  | { readonly kind: 'error'; readonly message: string }

export function attachRequest(domid: Domid, isReadOnly = false): string {
  return `attach ${domid}${isReadOnly ? ' ro' : ''}\n`
}

/** @param bytes what has come so far @returns undefined while the line is not complete */
export function parseAttachAnswer(bytes: Buffer): AttachAnswer | undefined {
  const end = bytes.indexOf(0x0a)
  if (end === -1) {
    return bytes.length > ATTACH_LINE_MAX ? { kind: 'error', message: 'no answer line' } : undefined
  }
  const line = bytes.toString('utf8', 0, end)
  if (line === 'ok') return { kind: 'ok', length: end + 1 }
  return { kind: 'error', message: line.startsWith('error ') ? line.slice(6) : line }
}
