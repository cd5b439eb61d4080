/** A RingSet over the loopback together with a handler that notes what it is told and may answer. */
import type { Domid, Gref } from '../../native/hypervisor.ts'
import { type Loopback, openLoopback } from '../../native/loopback.ts'
import { StateMemory } from '../../native/os/state-memory.ts'
import {
  type Batch,
  type ConnectionId,
  RECORD_CONNECTION,
  RECORD_LEN,
  RECORD_REQ_ID,
  RECORD_TX_ID,
  RECORD_TYPE,
  RECORD_WORDS,
  type RingSet,
} from '../../native/ring-set.ts'
import { GuestRing } from './guest-ring.ts'

/** One record of a batch, copied. */
export interface Noted {
  readonly connection: ConnectionId
  readonly type: number
  readonly reqId: number
  readonly txId: number
  readonly payload: Buffer
  /** Number of the batch it came in. */
  readonly batch: number
}

export interface HarnessOptions {
  readonly kind?: 'xenstore' | 'console'
  readonly maxConnections?: number
  readonly maxQueuedBytes?: number
  readonly virqs?: readonly number[]
}

export class RingHarness {
  readonly loopback: Loopback
  readonly rings: RingSet
  readonly noted: Noted[] = []
  batches = 0
  /** Called for every record, while the batch is handled. */
  answer: (record: Noted) => void = () => {}
  readonly memory: StateMemory
  readonly #kind: 'xenstore' | 'console'

  constructor(options: HarnessOptions = {}) {
    this.#kind = options.kind ?? 'xenstore'
    this.loopback = openLoopback()
    this.memory = StateMemory.anonymous(2 ** 30)
    this.rings = this.loopback.rings(this.#kind, {
      memory: this.memory,
      maxConnections: options.maxConnections ?? 64,
      maxQueuedBytes: options.maxQueuedBytes ?? 2 ** 22,
      virqs: options.virqs ?? [],
    })
    this.rings.onBatch((batch) => this.#note(batch))
  }

  /** A guest with an attached ring. */
  guest(domid: number): { readonly ring: GuestRing; readonly id: ConnectionId } {
    const end = this.loopback.guest(domid as Domid, 1 as Gref)
    const id = this.rings.attach(end.domid, { kind: 'gref', gref: 1 as Gref }, end.port, 0)
    return { ring: new GuestRing(end, this.#kind), id }
  }

  /** Queues or writes one message and, unless told otherwise, flushes. */
  send(id: ConnectionId, type: number, payload: Uint8Array, flags = 0, reqId = 0): void {
    const { output } = this.rings
    const at = output.begin(id, type, reqId, 0, flags)
    output.bytes.set(payload, at)
    output.end(payload.length)
  }

  /** Lets the loop turn until the condition holds. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await this.settle(1)
  }

  /** Lets the loop turn until everything that is pending now has been handled. */
  async settle(turns = 4): Promise<void> {
    for (let i = 0; i < turns; i++) await new Promise<void>((resolve) => setImmediate(resolve))
  }

  of(id: ConnectionId): Noted[] {
    return this.noted.filter((record) => record.connection === id)
  }

  close(): void {
    this.rings.close()
    this.memory.close()
  }

  #note(batch: Batch): void {
    this.batches++
    const { words, bytes } = batch
    for (let at = 0; at < batch.length; ) {
      const len = words[at + RECORD_LEN] as number
      const record: Noted = {
        connection: words[at + RECORD_CONNECTION] as ConnectionId,
        type: words[at + RECORD_TYPE] as number,
        reqId: words[at + RECORD_REQ_ID] as number,
        txId: words[at + RECORD_TX_ID] as number,
        payload: Buffer.from(
          bytes.subarray((at + RECORD_WORDS) * 4, (at + RECORD_WORDS) * 4 + len),
        ),
        batch: this.batches,
      }
      at += RECORD_WORDS + ((len + 3) >> 2)
      this.noted.push(record)
      this.answer(record)
    }
  }
}
