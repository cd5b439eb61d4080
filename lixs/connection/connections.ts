import { DOM0, type Domid } from '../../native/hypervisor.ts'
import {
  CONNECTION_KIND,
  CONNECTION_MAX_OUTSTANDING,
  CONNECTION_MAX_QUEUED_BYTES,
  CONNECTION_MAX_QUEUED_EVENTS,
  CONNECTION_QUEUED_BYTES,
  CONNECTION_QUEUED_EVENTS,
  CONNECTION_QUEUED_REPLIES,
  CONNECTION_WORDS,
  CONNECTION_YIELDS,
  type ConnectionId,
  type RingSet,
} from '../../native/ring-set.ts'
import type { Principal, Store } from '../store/store.ts'
import { PAUSE_MEMORY, pause, unpause } from './pauses.ts'

/** Unanswered requests and undelivered events that a tool, or dom0's kernel, may have. */
const PRIVILEGED_OUTSTANDING = 1024
/** What may wait for one connection; a small event takes 256 bytes of the queues' room. */
const QUEUED_EVENTS = 1024
const QUEUED_BYTES = 256 * 1024
const PRIVILEGED_QUEUED_EVENTS = 256 * 1024
const PRIVILEGED_QUEUED_BYTES = 64 * 1024 * 1024

/** `attachedInBatch`: number of the batch being handled when its ring was attached last; else 0. */
interface Record {
  readonly who: Principal
  readonly attachedInBatch: number
}

type ConnectionStore = Pick<
  Store,
  'openConnection' | 'closeConnection' | 'resetConnection' | 'settings'
>

/**
 * Who is behind which connection.
 *
 * All of it follows from the ring set's own records (kind and domid) and from the options; what is
 * kept here is kept so that no request makes an object.
 */
export class Connections {
  readonly #rings: RingSet
  readonly #store: ConnectionStore
  readonly #privilegedDomid: number | undefined
  readonly #records: (Record | undefined)[] = []
  readonly #tool: Principal = { domid: DOM0, isPrivileged: true }
  #batch = 0
  #count = 0

  constructor(rings: RingSet, store: ConnectionStore, privilegedDomid: number | undefined) {
    this.#rings = rings
    this.#store = store
    this.#privilegedDomid = privilegedDomid
  }

  /** Sockets and rings that are served. */
  get count(): number {
    return this.#count
  }

  /** The number behind the largest one that a connection has had. */
  get highest(): number {
    return this.#records.length
  }

  /** A new batch begins. */
  beginBatch(): void {
    this.#batch++
  }

  /** A socket was accepted: whoever may connect speaks for dom0. */
  openSocket(id: ConnectionId): void {
    this.#open(id, this.#tool, 0)
  }

  /** A domain's ring was attached. */
  openRing(id: ConnectionId, domid: Domid): void {
    this.#open(id, { domid, isPrivileged: this.isTrusted(domid) }, this.#batch)
  }

  /** Is it dom0, or the domain of --priv-domid? */
  isTrusted(domid: Domid): boolean {
    return domid === DOM0 || domid === this.#privilegedDomid
  }

  /**
   * Who is behind a record of the present batch; undefined when the connection that sent it has
   * ended earlier in this batch. Its number may already belong to a domain introduced since: what
   * the batch still holds under that number is the old one's.
   */
  senderOf(id: ConnectionId): Principal | undefined {
    const record = this.#records[id]
    return record === undefined || record.attachedInBatch === this.#batch ? undefined : record.who
  }

  /** CONNECTION_KIND: 1 socket, 2 ring. */
  kindOf(id: ConnectionId): number {
    return this.#rings.connections[id * CONNECTION_WORDS + CONNECTION_KIND] as number
  }

  /** Replies and events that wait for a connection to take them. */
  outstandingOf(id: number | undefined): number {
    if (id === undefined) return 0
    const words = this.#rings.connections
    const at = id * CONNECTION_WORDS
    return (
      (words[at + CONNECTION_QUEUED_REPLIES] as number) +
      (words[at + CONNECTION_QUEUED_EVENTS] as number)
    )
  }

  isPrivileged(id: number): boolean {
    return this.#records[id]?.who.isPrivileged === true
  }

  /** The ring was attached anew: what the present batch still holds of it is from before. */
  renew(id: ConnectionId): void {
    const record = this.#records[id]
    if (record === undefined) return
    this.#records[id] = { who: record.who, attachedInBatch: this.#batch }
    this.reset(id)
  }

  /** Watches and transactions go; the connection stays. */
  reset(id: ConnectionId): void {
    this.#store.resetConnection(id)
  }

  /** Watches, transactions, queues and the ring or socket itself go; does nothing the second time. */
  close(id: ConnectionId): void {
    if (this.#records[id] === undefined) return
    this.#records[id] = undefined
    this.#count--
    this.#store.closeConnection(id)
    this.#rings.detach(id)
  }

  /**
   * Is there room for one more event of so many bytes, its header included? Native code asks this, too, but a flood is better not written
   * down to begin with. What is in the output buffer is not counted yet.
   */
  hasRoomForEvent(id: number, bytes: number): boolean {
    const words = this.#rings.connections
    const at = id * CONNECTION_WORDS
    return (
      (words[at + CONNECTION_QUEUED_EVENTS] as number) <
        (words[at + CONNECTION_MAX_QUEUED_EVENTS] as number) &&
      (words[at + CONNECTION_QUEUED_BYTES] as number) + bytes <=
        (words[at + CONNECTION_MAX_QUEUED_BYTES] as number)
    )
  }

  /** The quota has another value: every unprivileged connection gets it. */
  outstandingChanged(): void {
    for (const id of this.#records.keys()) this.limitsChanged(id as ConnectionId)
  }

  /** The domain of a connection has other limits. */
  limitsChanged(id: ConnectionId): void {
    const record = this.#records[id]
    if (record === undefined) return
    this.#limit(id, record.who)
    this.#rings.resume(id)
  }

  /** Bytes of replies and events that wait for a connection. */
  queuedBytesOf(id: number | undefined): number {
    if (id === undefined) return 0
    return this.#rings.connections[id * CONNECTION_WORDS + CONNECTION_QUEUED_BYTES] as number
  }

  /** What a domain uses has changed: less or more may wait for it, and it may have to wait itself. */
  memoryChanged(id: number | undefined): void {
    const record = id === undefined ? undefined : this.#records[id]
    if (id === undefined || record === undefined || record.who.isPrivileged) return
    const room = this.#store.settings.memoryRoomOf(record.who.domid)
    const at = id * CONNECTION_WORDS + CONNECTION_MAX_QUEUED_BYTES
    const words = this.#rings.connections
    const before = words[at] as number
    const bytes = Math.max(1, Math.min(QUEUED_BYTES, room))
    words[at] = bytes
    if (room <= 0) pause(this.#rings, id, PAUSE_MEMORY)
    const goesOn = room > 0 && unpause(this.#rings, id, PAUSE_MEMORY)
    if (goesOn || bytes > before) this.#rings.resume(id as ConnectionId)
  }

  #open(id: ConnectionId, who: Principal, attachedInBatch: number): void {
    this.#records[id] = { who, attachedInBatch }
    this.#count++
    this.#store.openConnection(id, who)
    this.#limit(id, who)
  }

  #limit(id: number, who: Principal): void {
    const words = this.#rings.connections
    const at = id * CONNECTION_WORDS
    const { isPrivileged } = who
    words[at + CONNECTION_MAX_OUTSTANDING] = isPrivileged
      ? PRIVILEGED_OUTSTANDING
      : this.#store.settings.quotaOf(who.domid, 'outstanding')
    words[at + CONNECTION_MAX_QUEUED_EVENTS] = isPrivileged
      ? PRIVILEGED_QUEUED_EVENTS
      : QUEUED_EVENTS
    words[at + CONNECTION_MAX_QUEUED_BYTES] = isPrivileged ? PRIVILEGED_QUEUED_BYTES : QUEUED_BYTES
    words[at + CONNECTION_YIELDS] = isPrivileged ? 0 : 1
    this.memoryChanged(id)
  }
}
