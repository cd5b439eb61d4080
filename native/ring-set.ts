/**
 * Many rings and sockets behind one batch loop, and the layout of a batch.
 *
 * Native code waits on one descriptor, drains all pending rings and sockets (at most one message of
 * each connection per pass), frames the bytes and calls TypeScript once per turn of the loop, which handles
 * batch after batch and puts what it has to say into `output`.
 *
 * ```
 * batch.words:  connection  flags  type  reqId  txId  len │ payload, padded to 4 │ connection …
 *               0           1      2     3      4     5     6
 * ```
 *
 * From `type` on a record is what goes over the wire (struct xsd_sockmsg and its payload), so native
 * code moves it in one piece.
 *
 * The flags of a request in a batch are a hint: the node that the path at the front of its payload names
 * (`findPaths`).
 *
 * `batch.bytes` is the same memory as bytes: the payload of the record at word `w` begins at byte
 * `(w + RECORD_WORDS) * 4`. Both buffers are reused: who wants to keep bytes copies them.
 *
 * A type below zero is no message but a thing that happened to the connection (BATCH_…), in order
 * with its messages.
 */
import type { Handover } from './handover.ts'
import type { Domid, EvtchnPort, Gfn, Gref } from './hypervisor.ts'

/** Index of a connection in the set; stays taken until `detach`, then may be used again. */
export type ConnectionId = number & { readonly brand: 'ConnectionId' }

export const RECORD_WORDS = 6
export const RECORD_CONNECTION = 0
export const RECORD_FLAGS = 1
export const RECORD_TYPE = 2
export const RECORD_REQ_ID = 3
export const RECORD_TX_ID = 4
export const RECORD_LEN = 5

/** A socket was accepted. */
export const BATCH_OPENED = -1
/** The peer of a socket has gone, or sent a message longer than XENSTORE_PAYLOAD_MAX. */
export const BATCH_CLOSED = -2
/** A guest broke the ring protocol; reqId says how (2 ring index, 3 protocol; xs_wire.h, error). */
export const BATCH_BROKEN = -3
/** Everything queued for the connection has gone out, after something had to wait. */
export const BATCH_DRAINED = -4
/** A VIRQ fired; connection is -1, reqId its number. */
export const BATCH_VIRQ = -5
/**
 * Bytes of a stream ring (console); reqId is the ring index (u32) of the first of them. They leave the ring
 * when the batch's handler has returned: if the program is killed before, the next one finds them there. So
 * they do if the connection is detached before: whoever attaches next reads them again.
 */
export const BATCH_DATA = -6
/**
 * A guest asks for a new beginning (`connection` = 1 in its page; only with the feature, bit 1): it is
 * not served until `reconnect`.
 */
export const BATCH_RECONNECT = -7

/**
 * A console's guest has notified so often (reqId) and had nothing to say: told in steps, so that whoever
 * limits what a guest may do can count it.
 */
export const BATCH_EVENTS = -8
/** So many bytes (reqId) that were typed into a console found no room, neither in its ring nor in the queues. */
export const BATCH_DROPPED = -9
/** Of a console: what was in its ring at `drain` has come, in this batch at the latest. */
export const BATCH_EMPTIED = -10

/** Output flag: drop this message if an identical one still waits in the connection's queue. */
export const OUTPUT_COALESCE = 1
/** Output flag: this is an event, which may expire (`expireEvents`) and not a reply. */
export const OUTPUT_EVENT = 2
/**
 * Of an event's flags, from this bit on: the connection whose request has caused it; 0: nobody whose
 * requests are counted. A request of which events wait for other connections is outstanding.
 */
export const OUTPUT_CAUSE_SHIFT = 8

/** Of a hint: the node; 0: not known, so the path has to be looked at. */
export const HINT_NODE_MASK = 2 ** 22 - 1
/** Of a hint, from this bit on: bytes of the path, without its NUL. */
export const HINT_BYTES_SHIFT = 22

/** Memory of the tables of a store, laid out as native/src/store_layout.h says. */
export interface PathTables {
  readonly buckets: ArrayBufferLike
  readonly links: ArrayBufferLike
  readonly nodes: ArrayBufferLike
  readonly names: ArrayBufferLike
}

export interface Batch {
  readonly words: Int32Array
  readonly bytes: Uint8Array
  /** Words in use. */
  length: number
  /** When it was made, of a clock that never goes back. Asking a clock for the time would make garbage. */
  nowMs: number
}

/** Where the ring's page is: granted by the domain (preferred), or mapped as a foreign frame. */
export type RingPage =
  | { readonly kind: 'gref'; readonly gref: Gref }
  | { readonly kind: 'gfn'; readonly gfn: Gfn }

/**
 * Words of one connection's record, readable through `connections`; native code writes all but the
 * limits. Record `id` begins at word `id * CONNECTION_WORDS`.
 */
export const CONNECTION_WORDS = 32
/** 0 free, 1 socket, 2 ring. */
export const CONNECTION_KIND = 0
export const CONNECTION_DOMID = 1
/** Replies and events that are queued and not yet wholly written. */
export const CONNECTION_QUEUED_REPLIES = 2
export const CONNECTION_QUEUED_EVENTS = 3
export const CONNECTION_QUEUED_BYTES = 4
/**
 * No message is taken from the connection while its queued replies and events, and those of its
 * requests of which events wait for others, reach this; 0 = no limit.
 */
export const CONNECTION_MAX_OUTSTANDING = 5
/** No message is taken while this is not 0. */
export const CONNECTION_PAUSED = 6
/**
 * Bit of CONNECTION_PAUSED: a console is not listened to either. Its event channel stays masked from its
 * next event on until `resume`, so that a guest that does nothing but notify costs nothing.
 */
export const PAUSED_DEAF = 2
/**
 * An event that would make the queue longer than this (events; bytes with their headers) is dropped
 * when the connection is a ring, and ends the connection when it is a socket. Nor is a message taken
 * while the queue is at its limit of bytes. 0 = no limit.
 */
export const CONNECTION_MAX_QUEUED_EVENTS = 7
export const CONNECTION_MAX_QUEUED_BYTES = 8
/**
 * Not 0: the last quarter of the room for all queues is left to others. While less than that is
 * free, events for the connection are dropped and no message is taken from it.
 */
export const CONNECTION_YIELDS = 9
/** STATE_… bits. */
export const CONNECTION_STATE = 10
/** Of a socket. */
export const CONNECTION_FD = 18
export const CONNECTION_REMOTE_PORT = 19
export const CONNECTION_LOCAL_PORT = 20
/** PAGE_… of native/handover.ts, and gref or gfn. */
export const CONNECTION_PAGE_KIND = 21
export const CONNECTION_PAGE_LOW = 22
export const CONNECTION_PAGE_HIGH = 23
/** Of record 0, which is no connection: those from this one on have never been. */
export const CONNECTION_FRESH = 26
/** Of a console: the ring index (u32) up to which its output has left the ring. */
export const CONNECTION_OUTPUT_INDEX = 27
/** Of record 0: events that have come on all event channels (u32, wraps). */
export const CONNECTION_EVENTS = 28

/** The guest broke the ring: nothing is read or written any more. */
export const STATE_BROKEN = 1
/** Nothing more is read from the socket. */
export const STATE_ENDED = 2

export interface RingSet {
  /** Record words of all connections, in the state memory. */
  readonly connections: Int32Array
  /** Where replies go; see `OutputBatch`. */
  readonly output: OutputBatch
  /** What live update needs; undefined where there is no native code. */
  readonly handover: Handover | undefined

  /**
   * Maps a domain's ring, binds its event channel and serves it. A port that a xenstore page names
   * (`evtchn_port`) counts instead of `remotePort`, here and in `reattach`.
   * xenstore: zeroes the four indices, writes `features`; console: clears the connection byte, and
   * notifies the guest: whoever served it before may have been killed just before it said that there is room.
   * @throws XenError when mapping or binding fails; nothing is kept then
   */
  attach(domid: Domid, page: RingPage, remotePort: EvtchnPort, features: number): ConnectionId
  /** xenstore only: dom0's own ring, from /proc/xen/xsd_kva and xsd_port; notifies once. */
  attachSelf(): ConnectionId
  /**
   * The same page with another port (re-introduction): drops queues and partial input, zeroes the
   * xenstore indices, binds anew. A port that cannot be bound leaves the connection without one.
   */
  reattach(id: ConnectionId, remotePort: EvtchnPort): void
  /**
   * Asks the machine whether the guest's port is the other end of the connection's still: a guest that was
   * reset, or has died, has closed it. False where there is no such ring, or the machine does not say.
   */
  isBound(id: ConnectionId): boolean
  /**
   * The new beginning that a guest has asked for: drops what is on its way, in both directions, zeroes
   * indices and error, tells the guest. Also a broken ring is served again.
   */
  reconnect(id: ConnectionId): void
  /** Drops queues and partial input; the ring stays attached. */
  reset(id: ConnectionId): void
  /**
   * Looks at a connection again after CONNECTION_PAUSED was cleared or a limit raised: native
   * code does not watch those words while it has nothing else to do.
   */
  resume(id: ConnectionId): void
  /**
   * consoles only: what is in the ring comes when its turn is, told of or not and also while it is held;
   * behind it BATCH_EMPTIED, once, whatever the guest does. Nobody else waits for more than one ring of it.
   */
  drain(id: ConnectionId): void
  /**
   * Sends what is in `output`, then unmaps and unbinds, or closes the socket. The id is free
   * afterwards; the batch at hand may still hold records of it, no later one does.
   */
  detach(id: ConnectionId): void

  /** xenstore only: accepts connections at a unix socket (mode 0600, an old file is replaced). */
  listen(path: string): void
  /**
   * xenstore only: from now on requests come with the node that their path names, where there is one:
   * a hint, true until nodes are removed. Requests of transactions come without.
   */
  findPaths(tables: PathTables): void
  /**
   * Serves from now on; one call per batch. What is left in `output` afterwards is flushed, and the consoles
   * whose output was in it have room again.
   * @param onTurnEnd called when there is no other batch for the moment, with an empty one that says the time
   */
  onBatch(handle: (batch: Batch) => void, onTurnEnd?: (batch: Batch) => void): void
  /** Makes the batches of one turn without waiting for the loop's; within a turn nothing happens. */
  serveNow(): void
  /** Sends what is in `output`: one notify per ring, one write per socket; the rest is queued. */
  flush(): void
  /**
   * Discards events queued for a connection, older than this, whose first byte has not gone out.
   * @returns how many such events still wait; 0 also when there is no such connection
   */
  expireEvents(id: ConnectionId, olderThanMs: number): number
  close(): void
}

/** The buffer in which replies and events are put together, in the layout of a batch. */
export interface OutputBatch {
  readonly bytes: Uint8Array
  /**
   * Begins a message and says where its payload is to be written: up to OUTPUT_PAYLOAD_ROOM bytes.
   * Flushes first when there is not enough room left.
   * @returns byte offset into `bytes`
   */
  begin(connection: ConnectionId, type: number, reqId: number, txId: number, flags: number): number
  /** Ends the message begun last. @param len payload bytes */
  end(len: number): void
  /** Takes the message begun last back. */
  cancel(): void
}

/** Room that `begin` promises: more than XENSTORE_PAYLOAD_MAX, so that E2BIG can be noticed late. */
export const OUTPUT_PAYLOAD_ROOM = 8192
