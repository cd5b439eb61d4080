import { VIRQ_DOM_EXC } from '../../native/hypervisor.ts'
import type { Logger } from '../../native/os/log.ts'
import {
  BATCH_BROKEN,
  BATCH_CLOSED,
  BATCH_OPENED,
  BATCH_RECONNECT,
  BATCH_VIRQ,
  type Batch,
  type ConnectionId,
  RECORD_CONNECTION,
  RECORD_FLAGS,
  RECORD_LEN,
  RECORD_REQ_ID,
  RECORD_TX_ID,
  RECORD_TYPE,
  RECORD_WORDS,
} from '../../native/ring-set.ts'
import type { Counters } from '../counters.ts'
import type { HeldRequests } from '../live-update/held-requests.ts'
import { dispatch } from '../process/dispatch.ts'
import type { Exchange } from '../process/exchange.ts'
import type { Services } from '../process/services.ts'
import type { SoftQuota } from '../process/soft-quota.ts'
import type { Trace } from '../trace.ts'
import { opName, XS_TRANSACTION_END } from '../wire/ops.ts'
import { HEADER_BYTES } from '../wire/packet.ts'
import { OK, RESULTS } from '../xs-errno.ts'
import type { Connections } from './connections.ts'
import type { Deferrals } from './deferrals.ts'
import type { Events } from './events.ts'

/** So many different defects are logged; the same one only once. */
const DEFECTS_MAX = 100
const LETTER_T = 0x54

/**
 * Walks through a batch, record by record.
 *
 * Nothing that a guest sends can stop the walk: should a handler throw, its request is answered
 * with EIO and the walk goes on behind it. One `try` is around the whole walk, not around each
 * record.
 */
export class BatchWalk {
  readonly #connections: Connections
  readonly #services: Services
  readonly #exchange: Exchange
  readonly #counters: Counters
  readonly #trace: Trace
  readonly #events: Pick<Events, 'cause'>
  readonly #held: HeldRequests
  readonly #deferrals: Deferrals
  readonly #softQuota: SoftQuota
  readonly #log: Logger
  readonly #defects = new Set<string>()
  /** As it was when the batch came. */
  #freedRows = 0
  /** Word at which the next record begins. */
  #cursor = 0

  constructor(
    connections: Connections,
    services: Services,
    exchange: Exchange,
    beside: {
      readonly counters: Counters
      readonly trace: Trace
      readonly events: Pick<Events, 'cause'>
      readonly held: HeldRequests
      readonly deferrals: Deferrals
      readonly softQuota: SoftQuota
      readonly log: Logger
    },
  ) {
    this.#connections = connections
    this.#services = services
    this.#exchange = exchange
    this.#counters = beside.counters
    this.#trace = beside.trace
    this.#events = beside.events
    this.#held = beside.held
    this.#deferrals = beside.deferrals
    this.#softQuota = beside.softQuota
    this.#log = beside.log
  }

  handle(batch: Batch): void {
    this.#counters.batch(batch.length << 2)
    this.#connections.beginBatch()
    this.#freedRows = this.#services.store.freedRows
    this.#cursor = 0
    while (this.#cursor < batch.length) {
      try {
        this.#walk(batch)
      } catch (error) {
        this.#reportDefect(error)
        if (!this.#exchange.isAnswered) {
          this.#exchange.fail('EIO')
          this.#answered(this.#connections.kindOf(this.#exchange.connection))
        }
      }
    }
    this.#events.cause = 0
  }

  #walk(batch: Batch): void {
    const { words, bytes } = batch
    const exchange = this.#exchange
    const freedRows = this.#freedRows
    while (this.#cursor < batch.length) {
      const record = this.#cursor
      const id = words[record + RECORD_CONNECTION] as ConnectionId
      const type = words[record + RECORD_TYPE] as number
      const reqId = words[record + RECORD_REQ_ID] as number
      const len = words[record + RECORD_LEN] as number
      this.#cursor = record + RECORD_WORDS + ((len + 3) >> 2)
      if (type < 0) {
        this.#events.cause = 0
        this.#happened(type, id, reqId)
        continue
      }
      const who = this.#connections.senderOf(id)
      if (who === undefined) continue
      const start = (record + RECORD_WORDS) << 2
      if (this.#held.isOn && this.#held.takes(id, type, bytes, start - HEADER_BYTES, start + len)) {
        continue
      }
      const txId = words[record + RECORD_TX_ID] as number
      // What was found before the batch counts as long as nothing has gone since.
      const isSame = this.#services.store.freedRows === freedRows
      const hint = isSame ? (words[record + RECORD_FLAGS] as number) : 0
      exchange.begin(id, who, type, reqId, txId, bytes, start, start + len, hint)
      if (this.#deferrals.isOn && this.#deferrals.takes(this.#services, exchange)) {
        exchange.isAnswered = true
        this.#counters.deferral()
        if (this.#trace.isOn) this.#trace.limit(id, `${opName(type)} waits for a transaction`)
        continue
      }
      const kind = this.#connections.kindOf(id)
      this.#counters.request(kind, who.domid)
      if (this.#trace.isOn) this.#trace.request(exchange)
      this.#events.cause = who.isPrivileged ? 0 : id
      dispatch(this.#services, exchange)
      if (!exchange.isAnswered) throw new Error(`${opName(type)} was left unanswered`)
      this.#answered(kind)
    }
  }

  /** @param kind of the connection, as it was before: the request may have ended it */
  #answered(kind: number): void {
    const { who, type, result, bytes, start } = this.#exchange
    this.#counters.reply(kind, who.domid, type, result)
    if (type === XS_TRANSACTION_END && bytes[start] === LETTER_T) this.#counters.commit(result)
    if (!who.isPrivileged) this.#softQuota.look(who.domid)
    if (this.#trace.isOn) this.#trace.handled(this.#exchange, RESULTS[result] === OK)
  }

  #happened(type: number, id: ConnectionId, reqId: number): void {
    if (type === BATCH_OPENED) {
      this.#connections.openSocket(id)
      if (this.#trace.isOn) this.#trace.object(id, 'socket opened')
    } else if (type === BATCH_CLOSED) {
      if (this.#trace.isOn) this.#trace.object(id, 'closed')
      this.#connections.close(id)
    } else if (type === BATCH_BROKEN) {
      const who = this.#connections.senderOf(id)
      if (who === undefined) return
      this.#connections.reset(id)
      this.#counters.brokenRing()
      if (this.#trace.isOn) this.#trace.object(id, `ring broken, error ${reqId}`)
      this.#services.domains.brokeRing(who.domid, reqId)
    } else if (type === BATCH_RECONNECT) {
      this.#services.domains.reconnect(id)
    } else if (type === BATCH_VIRQ && reqId === VIRQ_DOM_EXC) {
      this.#services.domains.somethingHappened()
    }
  }

  #reportDefect(error: unknown): void {
    const text = error instanceof Error ? error.message : String(error)
    if (this.#defects.has(text) || this.#defects.size >= DEFECTS_MAX) return
    this.#defects.add(text)
    const { type, who } = this.#exchange
    this.#log.error({ err: error, op: opName(type), domid: who.domid }, 'request failed: a defect')
  }
}
