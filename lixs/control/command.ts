/** What a command to the daemon is, and what it may answer. */
import type { ConnectionId } from '../../native/ring-set.ts'
import type { XsErrno } from '../xs-errno.ts'

/**
 * `text`: sent with its NUL, printed by xenstore-control as it is. `later`: the command sends the one
 * reply to its request itself, when it is done.
 */
export type ControlAnswer =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'error'; readonly errno: XsErrno }
  | { readonly kind: 'later' }

/** Who asks, and what the reply has to repeat. */
export interface ControlRequest {
  readonly connection: ConnectionId
  readonly reqId: number
  readonly txId: number
}

/** One command. */
export interface ControlCommand {
  readonly name: string
  /** As `help` shows them. */
  readonly parameters: string
  /** @param words what came behind the name */
  readonly run: (words: readonly string[], request: ControlRequest) => ControlAnswer
}

/** Where files go that are named without a folder, as upstream has it. */
export const LIB_DIR = '/var/lib/xen/xenstore'
/** Done, and nothing else to say. */
export const OK_ANSWER: ControlAnswer = { kind: 'text', text: 'OK' }
/** Not what the command takes: wrong words, or a wrong number of them. */
export const INVALID: ControlAnswer = { kind: 'error', errno: 'EINVAL' }

/** An answer of several lines; xenstore-control puts a newline behind the last one. */
export function linesAnswer(lines: readonly string[]): ControlAnswer {
  return { kind: 'text', text: lines.join('\n') }
}
