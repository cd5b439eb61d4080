/**
 * RingSet over the addon: the same code on real Xen, the simulator and the loopback, which differ only in
 * the machine that is handed over.
 */
import { addon, type NativeMachine, type NativeRings } from './addon.ts'
import type { Handover } from './handover.ts'
import type { Domid, EvtchnPort, RingSetOptions } from './hypervisor.ts'
import {
  type Batch,
  CONNECTION_WORDS,
  type ConnectionId,
  OUTPUT_PAYLOAD_ROOM,
  type OutputBatch,
  type PathTables,
  RECORD_CONNECTION,
  RECORD_FLAGS,
  RECORD_LEN,
  RECORD_REQ_ID,
  RECORD_TX_ID,
  RECORD_TYPE,
  RECORD_WORDS,
  type RingPage,
  type RingSet,
} from './ring-set.ts'

/** Room for 60 messages of the largest size, or some thousand small ones. */
const BATCH_BYTES = 256 * 1024
const BLOCK_BYTES = 256

/** Fills the output buffer record by record. */
class NativeOutput implements OutputBatch {
  readonly buffer = new ArrayBuffer(BATCH_BYTES)
  readonly bytes = new Uint8Array(this.buffer)
  readonly #words = new Int32Array(this.buffer)
  readonly #flush: () => void
  /** One word, of finished records; the record at hand begins there. Native code empties the buffer. */
  readonly used = new Int32Array(1)

  constructor(flush: () => void) {
    this.#flush = flush
  }

  begin(connection: ConnectionId, type: number, reqId: number, txId: number, flags: number) {
    const words = this.#words
    let at = this.used[0] as number
    if ((at + RECORD_WORDS) * 4 + OUTPUT_PAYLOAD_ROOM > BATCH_BYTES) {
      this.#flush()
      at = 0
    }
    words[at + RECORD_CONNECTION] = connection
    words[at + RECORD_FLAGS] = flags
    words[at + RECORD_TYPE] = type
    words[at + RECORD_REQ_ID] = reqId
    words[at + RECORD_TX_ID] = txId
    words[at + RECORD_LEN] = 0
    return (at + RECORD_WORDS) * 4
  }

  end(len: number): void {
    const at = this.used[0] as number
    this.#words[at + RECORD_LEN] = len
    this.used[0] = at + RECORD_WORDS + ((len + 3) >> 2)
  }

  cancel(): void {
    // An unfinished record is not counted as used: the next one begins in its place.
  }
}

export class NativeRingSet implements RingSet {
  readonly connections: Int32Array
  readonly output: OutputBatch
  readonly handover: Handover
  readonly #output: NativeOutput
  readonly #batch: Batch
  /** One number: when native code last made a batch, or found that there is none. */
  readonly #clock = new Float64Array(1)
  readonly #native: NativeRings

  /**
   * @param machine what the rings live on
   * @throws XenError when the machine or one of the VIRQs cannot be had
   */
  constructor(kind: 'xenstore' | 'console', machine: NativeMachine, options: RingSetOptions) {
    const { memory, maxConnections, maxQueuedBytes, virqs, inheritedFd = -1 } = options
    // Record 0 and block 0 are native code's own.
    this.connections = memory.int32(`${kind}-connections`, (maxConnections + 1) * CONNECTION_WORDS)
    const blocks = memory.segment(`${kind}-queues`, maxQueuedBytes + BLOCK_BYTES)
    const batch = new ArrayBuffer(BATCH_BYTES)
    const views = { words: new Int32Array(batch), bytes: new Uint8Array(batch) }
    // With a fraction from the beginning: as an integer first, it would change its place in the object.
    this.#batch = { ...views, length: 0, nowMs: 0.5 }
    this.#output = new NativeOutput(() => this.flush())
    this.output = this.#output
    const records = this.connections.buffer
    if (!(records instanceof ArrayBuffer)) throw new TypeError('records are in a shared buffer')
    this.#native = new addon.RingSet({
      isConsole: kind === 'console',
      machine,
      records,
      maxConnections,
      blocks,
      batch,
      output: this.#output.buffer,
      outputWords: this.#output.used.buffer,
      clock: this.#clock.buffer,
      virqs,
      inheritedFd,
    })
    this.handover = this.#native
  }

  attach(domid: Domid, page: RingPage, remotePort: EvtchnPort, features: number): ConnectionId {
    const number = page.kind === 'gref' ? page.gref : page.gfn
    return this.#native.attach(domid, page.kind === 'gref', number, remotePort, features)
  }

  attachSelf(): ConnectionId {
    return this.#native.attachSelf()
  }

  reattach(id: ConnectionId, remotePort: EvtchnPort): void {
    this.flush()
    this.#native.reattach(id, remotePort)
  }

  isBound(id: ConnectionId): boolean {
    return this.#native.isBound(id)
  }

  reconnect(id: ConnectionId): void {
    this.flush()
    this.#native.reconnect(id)
  }

  reset(id: ConnectionId): void {
    this.flush()
    this.#native.reset(id)
  }

  resume(id: ConnectionId): void {
    this.#native.resume(id)
  }

  drain(id: ConnectionId): void {
    this.#native.drain(id)
  }

  detach(id: ConnectionId): void {
    this.flush()
    this.#native.detach(id)
  }

  listen(path: string): void {
    this.#native.listen(path)
  }

  findPaths(tables: PathTables): void {
    this.#native.findPaths(tables)
  }

  onBatch(handle: (batch: Batch) => void, onTurnEnd?: (batch: Batch) => void): void {
    const [native, batch, clock] = [this.#native, this.#batch, this.#clock]
    native.serve((first) => {
      for (let length = first; length > 0; length = native.next()) {
        batch.length = length
        batch.nowMs = clock[0] as number
        handle(batch)
      }
      batch.length = 0
      batch.nowMs = clock[0] as number
      onTurnEnd?.(batch)
    })
  }

  serveNow(): void {
    this.#native.serveNow()
  }

  flush(): void {
    if ((this.#output.used[0] as number) > 0) this.#native.flush()
  }

  expireEvents(id: ConnectionId, olderThanMs: number): number {
    return this.#native.expireEvents(id, olderThanMs)
  }

  close(): void {
    this.#native.close()
  }
}
