import { decodeErrno } from '../wire/errno.ts'
import { opName, XS_ERROR } from '../wire/ops.ts'
import { HEADER_BYTES, HEADER_LEN, HEADER_TYPE, type Packet } from '../wire/packet.ts'
import { UnexpectedReply, type XenstoreConnectionLost, XenstoreError } from './errors.ts'

/**
 * Requests that leave in one write and have one promise together: settled by the last one's reply.
 *
 * The bytes that were sent say which request the next reply is for, so that nothing is kept per
 * request:
 *
 * ```
 * │ WRITE … │ MKDIR … │ SET_PERMS … │ TRANSACTION_END … │
 *           ↑ #at: the oldest one without a reply
 * ```
 */
export class Burst {
  readonly bytes: Buffer
  /** This, once every reply has come; rejected when the connection ends before. */
  readonly answered: Promise<Burst>
  /** The refusal that came first, the last request's excepted. */
  failure: XenstoreError | undefined
  /** How the last request was refused. */
  lastFailure: XenstoreError | undefined
  #at = 0
  #resolve: (burst: Burst) => void = () => undefined
  #reject: (lost: XenstoreConnectionLost) => void = () => undefined

  /** @param bytes whole messages, at least one; nobody changes them any more */
  constructor(bytes: Buffer) {
    this.bytes = bytes
    this.answered = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  /**
   * The next reply has come.
   *
   * @returns was it the last one?
   * @throws UnexpectedReply when it is none to the request whose turn it is
   */
  answer(packet: Packet): boolean {
    const at = this.#at
    const next = at + HEADER_BYTES + this.bytes.readUInt32LE(at + HEADER_LEN)
    const isLast = next === this.bytes.length
    const type = this.bytes.readUInt32LE(at + HEADER_TYPE)
    if (packet.type === XS_ERROR) {
      const end = this.bytes.indexOf(0, at + HEADER_BYTES)
      // What END is about is no path.
      const path = isLast ? undefined : this.bytes.toString('utf8', at + HEADER_BYTES, end)
      const refusal = new XenstoreError(decodeErrno(packet.payload), opName(type), path)
      if (isLast) this.lastFailure = refusal
      else this.failure ??= refusal
    } else if (packet.type !== type) {
      throw new UnexpectedReply(packet.type, type)
    }
    this.#at = next
    if (isLast) this.#resolve(this)
    return isLast
  }

  /** No more replies will come. */
  lose(lost: XenstoreConnectionLost): void {
    this.#reject(lost)
  }
}
