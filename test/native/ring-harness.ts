/** A RingSet over the loopback together with a handler that notes what it is told and may answer. */
import type { Domid, Gref } from '../../native/hypervisor.ts'
import { type Loopback, openLoopback } from '../../native/loopback.ts'
import { StateMemory } from '../../native/os/state-memory.ts'
import type { Batch, ConnectionId, RingSet } from '../../native/ring-set.ts'
import { type BatchRecord, recordsOf } from './batch-records.ts'
import { GuestRing } from './guest-ring.ts'

export interface Noted extends BatchRecord {
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
    for (const record of recordsOf(batch)) {
      const noted = { ...record, batch: this.batches }
      this.noted.push(noted)
      this.answer(noted)
    }
  }
}
