/**
 * The request at hand and its one reply. There is one object of this kind: requests are handled one
 * after the other, and none costs an allocation.
 *
 * Replies are put together where they leave from, in the output buffer:
 * `beginReply` … the store writes its answer … `endReply`.
 */
import {
  type ConnectionId,
  HINT_BYTES_SHIFT,
  HINT_NODE_MASK,
  type OutputBatch,
} from '../../native/ring-set.ts'
import type { Principal, TransactionSlot } from '../store/store.ts'
import type { Trace } from '../trace.ts'
import { XENSTORE_PAYLOAD_MAX, XS_ERROR } from '../wire/ops.ts'
import { nulTerminated } from '../wire/text.ts'
import { OK, type Outcome, RESULTS, XS_ERRNOS, type XsErrno } from '../xs-errno.ts'

const OK_BYTES = nulTerminated(OK)
const ERRNO_BYTES: ReadonlyMap<XsErrno, Uint8Array> = new Map(
  XS_ERRNOS.map((errno) => [errno, nulTerminated(errno)]),
)
const RESULT_OF: ReadonlyMap<string, number> = new Map(RESULTS.map((name, index) => [name, index]))

export class Exchange {
  readonly #output: OutputBatch
  readonly #trace: Trace
  /** Memory that replies are written to. */
  readonly replyBytes: Uint8Array

  connection: ConnectionId
  who: Principal
  type = 0
  reqId = 0
  txId = 0
  /** The transaction of txId, when the operation takes part in transactions; else 0. */
  tx: TransactionSlot = 0
  /** The node that the path at the front of the payload names; 0: not known. */
  node = 0
  /** Then: bytes of that path. */
  pathBytes = 0
  /** The payload is bytes[start … end). */
  bytes: Uint8Array
  start = 0
  end = 0
  isAnswered = true
  /** What it was answered with: index in RESULTS. */
  result = 0
  #isReplyBegun = false
  #replyAt = 0

  constructor(output: OutputBatch, nobody: Principal, trace: Trace) {
    this.#output = output
    this.#trace = trace
    this.replyBytes = output.bytes
    this.connection = -1 as ConnectionId
    this.who = nobody
    this.bytes = output.bytes
  }

  /** A new request takes the place of the last one. @param hint see HINT_… in native/ring-set.ts */
  begin(
    connection: ConnectionId,
    who: Principal,
    type: number,
    reqId: number,
    txId: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    hint: number,
  ): void {
    this.node = hint & HINT_NODE_MASK
    this.pathBytes = hint >>> HINT_BYTES_SHIFT
    this.connection = connection
    this.who = who
    this.type = type
    this.reqId = reqId
    this.txId = txId
    this.tx = 0
    this.bytes = bytes
    this.start = start
    this.end = end
    this.isAnswered = false
    this.result = 0
    this.#isReplyBegun = false
  }

  /** @returns where in `replyBytes` the payload goes; XENSTORE_PAYLOAD_MAX bytes may be written */
  beginReply(): number {
    this.#isReplyBegun = true
    this.#replyAt = this.#output.begin(this.connection, this.type, this.reqId, this.txId, 0)
    return this.#replyAt
  }

  /** @param result payload bytes that were written, or the error to answer with instead */
  endReply(result: number | XsErrno): void {
    if (typeof result !== 'number') {
      this.fail(result)
    } else if (result > XENSTORE_PAYLOAD_MAX) {
      this.fail('E2BIG')
    } else {
      if (this.#trace.isOn) {
        this.#trace.reply(this, false, this.replyBytes, this.#replyAt, result)
      }
      this.#output.end(result)
      this.#isReplyBegun = false
      this.isAnswered = true
    }
  }

  /** Answers OK or the error. */
  answer(outcome: Outcome): void {
    if (outcome === OK) this.#send(this.type, OK_BYTES)
    else this.fail(outcome)
  }

  /** Answers with an error; a reply that was begun is taken back. */
  fail(errno: XsErrno): void {
    if (this.#isReplyBegun) this.#output.cancel()
    this.#isReplyBegun = false
    this.result = RESULT_OF.get(errno) ?? 0
    this.#send(XS_ERROR, ERRNO_BYTES.get(errno) ?? OK_BYTES)
  }

  /** Answers with a text and its NUL; for answers that are rare. */
  answerText(text: string): void {
    this.#send(this.type, nulTerminated(text))
  }

  #send(type: number, payload: Uint8Array): void {
    if (payload.length > XENSTORE_PAYLOAD_MAX) {
      this.fail('E2BIG')
      return
    }
    const at = this.#output.begin(this.connection, type, this.reqId, this.txId, 0)
    this.replyBytes.set(payload, at)
    if (this.#trace.isOn) {
      this.#trace.reply(this, type === XS_ERROR, payload, 0, payload.length)
    }
    this.#output.end(payload.length)
    this.isAnswered = true
  }
}
