import type { Domid, EvtchnPort } from '../../native/hypervisor.ts'
import { PathHints } from '../../native/path-hints.ts'
import {
  type Batch,
  CONNECTION_DOMID,
  CONNECTION_KIND,
  CONNECTION_QUEUED_EVENTS,
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
} from '../../native/ring-set.ts'
import { XenError } from '../../native/xen-error.ts'

const CONNECTIONS = 256
const BATCH_BYTES = 1 << 18

/** A message as it left for a connection. */
export interface Sent {
  readonly type: number
  readonly reqId: number
  readonly txId: number
  readonly flags: number
  readonly payload: Buffer
}

/** A record to put into a batch; type below zero: see BATCH_… */
export interface Incoming {
  readonly connection: number
  readonly type: number
  readonly reqId?: number
  readonly txId?: number
  readonly payload?: Uint8Array
}

/**
 * A RingSet whose batches come from the test and whose output the test reads: for the rules above
 * the seam, byte by byte. What native code does below it (rings, queues, coalescing) is not here.
 */
export class TestRings implements RingSet {
  readonly connections: Int32Array
  readonly output: OutputBatch
  readonly handover = undefined
  readonly sent = new Map<number, Sent[]>()
  /** What was done to rings, in order: `attach 7 gref 1 port 5`. */
  readonly calls: string[] = []
  /** Pages that cannot be mapped, by kind, and the errno of trying. */
  readonly unmappable = new Map<RingPage['kind'], string>()
  /** Events of which nothing has gone out, as the next `expireEvents` will find them. */
  readonly unstarted = new Map<number, number>()
  listensAt: string | undefined
  readonly #batch = batchOf(BATCH_BYTES)
  /** What batches say of the time; it stands still unless told. */
  nowMs: () => number = () => 0
  /** Do requests come with the node that their path names, as from native code? Else every path is looked at. */
  areHinted = true
  #hints: PathHints | undefined
  #handle: ((batch: Batch) => void) | undefined
  #onTurnEnd: ((batch: Batch) => void) | undefined

  /** @param connections there may be at once */
  constructor(connections = CONNECTIONS) {
    this.connections = new Int32Array(connections * CONNECTION_WORDS)
    this.output = new TestOutput(this.sent)
  }

  attach(domid: Domid, page: RingPage, port: EvtchnPort): ConnectionId {
    const frame = page.kind === 'gref' ? page.gref : page.gfn
    this.calls.push(`attach ${domid} ${page.kind} ${frame} port ${port}`)
    const code = this.unmappable.get(page.kind)
    if (code !== undefined) throw new XenError('map', code, 1, `cannot map: ${code}`, domid)
    return this.#take(2, domid)
  }

  attachSelf(): ConnectionId {
    this.calls.push('attachSelf')
    return this.#take(2, 0)
  }

  reattach(id: ConnectionId, port: EvtchnPort): void {
    this.calls.push(`reattach ${id} port ${port}`)
  }

  isBound(): boolean {
    return true
  }

  reconnect(id: ConnectionId): void {
    this.calls.push(`reconnect ${id}`)
  }

  reset(id: ConnectionId): void {
    this.calls.push(`reset ${id}`)
  }

  resume(id: ConnectionId): void {
    this.calls.push(`resume ${id}`)
  }

  drain(id: ConnectionId): void {
    this.calls.push(`drain ${id}`)
  }

  detach(id: ConnectionId): void {
    this.calls.push(`detach ${id}`)
    this.connections.fill(0, id * CONNECTION_WORDS, (id + 1) * CONNECTION_WORDS)
  }

  listen(path: string): void {
    this.listensAt = path
  }

  findPaths(tables: PathTables): void {
    this.#hints = new PathHints(tables, this.#batch.words, this.connections)
  }

  onBatch(handle: (batch: Batch) => void, onTurnEnd?: (batch: Batch) => void): void {
    this.#handle = handle
    this.#onTurnEnd = onTurnEnd
  }

  serveNow(): void {}

  flush(): void {}

  expireEvents(id: ConnectionId, olderThanMs: number): number {
    this.calls.push(`expireEvents ${id} ${olderThanMs}`)
    return this.unstarted.get(id) ?? 0
  }

  close(): void {
    this.calls.push('close')
  }

  /** A socket, accepted by the kernel but not yet told of. */
  acceptSocket(): ConnectionId {
    return this.#take(1, 0)
  }

  /** Makes it look as if so many events were queued for the connection. */
  leaveEvents(id: number, count: number): void {
    this.connections[id * CONNECTION_WORDS + CONNECTION_QUEUED_EVENTS] = count
  }

  /** Hands over one batch. */
  deliver(...records: readonly Incoming[]): void {
    // One buffer for all batches, as in native code: who keeps bytes of it without a copy is found.
    const { words, bytes } = this.#batch
    let at = 0
    for (const { connection, type, reqId = 0, txId = 0, payload = new Uint8Array(0) } of records) {
      words[at + RECORD_CONNECTION] = connection
      words[at + RECORD_FLAGS] = 0
      words[at + RECORD_TYPE] = type
      words[at + RECORD_REQ_ID] = reqId
      words[at + RECORD_TX_ID] = txId
      words[at + RECORD_LEN] = payload.length
      bytes.set(payload, (at + RECORD_WORDS) * 4)
      at += RECORD_WORDS + Math.ceil(payload.length / 4)
      // What lies behind a payload belongs to somebody else and must not be read.
      bytes.fill(0x61, (at - Math.ceil(payload.length / 4)) * 4 + payload.length, at * 4)
    }
    if (this.areHinted) this.#hints?.fillIn(at)
    this.#handle?.({ words, bytes, length: at, nowMs: this.nowMs() })
    this.#onTurnEnd?.({ words, bytes, length: 0, nowMs: this.nowMs() })
  }

  #take(kind: number, domid: number): ConnectionId {
    for (let id = 0; id * CONNECTION_WORDS < this.connections.length; id++) {
      if (this.connections[id * CONNECTION_WORDS + CONNECTION_KIND] !== 0) continue
      this.connections[id * CONNECTION_WORDS + CONNECTION_KIND] = kind
      this.connections[id * CONNECTION_WORDS + CONNECTION_DOMID] = domid
      return id as ConnectionId
    }
    throw new Error('no connection is free')
  }
}

class TestOutput implements OutputBatch {
  readonly bytes = new Uint8Array(OUTPUT_PAYLOAD_ROOM + 64)
  readonly #sent: Map<number, Sent[]>
  #begun: { connection: number; message: Omit<Sent, 'payload'> } | undefined

  constructor(sent: Map<number, Sent[]>) {
    this.#sent = sent
  }

  begin(connection: number, type: number, reqId: number, txId: number, flags: number): number {
    if (this.#begun !== undefined) throw new Error('begun twice')
    this.#begun = { connection, message: { type, reqId, txId, flags } }
    return 24
  }

  end(len: number): void {
    if (this.#begun === undefined) throw new Error('ended without a begin')
    const { connection, message } = this.#begun
    const messages = this.#sent.get(connection) ?? []
    messages.push({ ...message, payload: Buffer.from(this.bytes.subarray(24, 24 + len)) })
    this.#sent.set(connection, messages)
    this.#begun = undefined
  }

  cancel(): void {
    if (this.#begun === undefined) throw new Error('cancelled without a begin')
    this.#begun = undefined
  }
}

function batchOf(byteLength: number): { words: Int32Array; bytes: Uint8Array } {
  const buffer = new ArrayBuffer(byteLength)
  return { words: new Int32Array(buffer), bytes: new Uint8Array(buffer) }
}
