/**
 * What a sequence is made of. It is data: the same steps are taken with every daemon, are written to
 * the corpus, and are left out one by one when a difference is made small.
 *
 * Connections go by name: `s1` … are sockets, `g1` … the rings of the domains with that number.
 * Transactions go by labels, because their ids are the daemon's affair.
 */

/** A socket is connected, or hangs up. */
interface SocketStep {
  readonly kind: 'open' | 'close'
  readonly on: string
}

/** One request; the next step comes after its reply. */
export interface SendStep {
  readonly kind: 'send'
  readonly on: string
  /** Name of the operation, or a number that has none. */
  readonly op: string | number
  /** Latin-1, `|` for NUL; `<gfn>` and `<port>` are those of the domain that is introduced. */
  readonly payload: string
  /** Label of a transaction, or an id that no daemon has given. */
  readonly tx?: string | number
  /** The label of the transaction that this request starts. */
  readonly as?: string
}

/** Bytes of a header that no daemon follows: a payload that is too long. */
interface OversizeStep {
  readonly kind: 'oversize'
  readonly on: string
  readonly length: number
}

/** Something happens to a domain; what the daemon says of it is waited for. */
export interface MachineStep {
  readonly kind: 'make' | 'shutdown' | 'crash' | 'destroy'
  readonly domid: number
}

export type Step = SocketStep | SendStep | OversizeStep | MachineStep

/** A sequence of the corpus. */
export interface Sequence {
  /** What it is for, or what it found. */
  readonly about: string
  /** Daemons that it says something about. */
  readonly against: readonly string[]
  readonly steps: readonly Step[]
}

/** A step as one line for people. */
export function lineOf(step: Step): string {
  switch (step.kind) {
    case 'open':
    case 'close':
      return `${step.on}: ${step.kind}`
    case 'send': {
      const tx = step.tx === undefined ? '' : ` in ${step.tx}`
      const as = step.as === undefined ? '' : ` as ${step.as}`
      return `${step.on}: ${step.op} ${shown(step.payload)}${tx}${as}`
    }
    case 'oversize':
      return `${step.on}: a header that announces ${step.length} bytes`
    default:
      return `domain ${step.domid}: ${step.kind}`
  }
}

/** Text in which a long run of one character is counted, not printed. */
export function shown(text: string): string {
  return text.replaceAll(/([\s\S])\1{19,}/g, (run, letter) => `${letter}{${run.length}}`)
}
