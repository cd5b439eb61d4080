import { DOM0, type Domid } from '../../native/hypervisor.ts'
import {
  CONNECTION_MAX_OUTSTANDING,
  CONNECTION_QUEUED_EVENTS,
  CONNECTION_WORDS,
  type ConnectionId,
  type RingSet,
} from '../../native/ring-set.ts'
import type { Quotas } from '../store/quota.ts'
import type { Principal, Store } from '../store/store.ts'

/** Unanswered requests and undelivered events that a tool, or dom0's kernel, may have. */
const PRIVILEGED_OUTSTANDING = 1024

/** `attachedInBatch`: number of the batch that was being handled then; 0 for sockets. */
interface Record {
  readonly who: Principal
  readonly attachedInBatch: number
}

/**
 * Who is behind which connection.
 *
 * All of it follows from the ring set's own records (kind and domid) and from the options; what is
 * kept here is kept so that no request makes an object.
 */
export class Connections {
  readonly #rings: RingSet
  readonly #store: Pick<Store, 'openConnection' | 'closeConnection' | 'resetConnection'>
  readonly #quotas: Quotas
  readonly #privilegedDomid: number | undefined
  readonly #records: (Record | undefined)[] = []
  readonly #tool: Principal = { domid: DOM0, isPrivileged: true }
  #batch = 0

  constructor(
    rings: RingSet,
    store: Pick<Store, 'openConnection' | 'closeConnection' | 'resetConnection'>,
    quotas: Quotas,
    privilegedDomid: number | undefined,
  ) {
    this.#rings = rings
    this.#store = store
    this.#quotas = quotas
    this.#privilegedDomid = privilegedDomid
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
    const isPrivileged = domid === DOM0 || domid === this.#privilegedDomid
    this.#open(id, { domid, isPrivileged }, this.#batch)
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

  isPrivileged(id: number): boolean {
    return this.#records[id]?.who.isPrivileged === true
  }

  /** Watches and transactions go; the connection stays. */
  reset(id: ConnectionId): void {
    this.#store.resetConnection(id)
  }

  /** Watches, transactions, queues and the ring or socket itself go; does nothing the second time. */
  close(id: ConnectionId): void {
    if (this.#records[id] === undefined) return
    this.#records[id] = undefined
    this.#store.closeConnection(id)
    this.#rings.detach(id)
  }

  queuedEvents(id: number): number {
    return this.#rings.connections[id * CONNECTION_WORDS + CONNECTION_QUEUED_EVENTS] as number
  }

  /** The quota has another value: every unprivileged connection gets it. */
  outstandingChanged(): void {
    for (const [id, record] of this.#records.entries()) {
      if (record === undefined) continue
      this.#limit(id, record.who)
      this.#rings.resume(id as ConnectionId)
    }
  }

  #open(id: ConnectionId, who: Principal, attachedInBatch: number): void {
    this.#records[id] = { who, attachedInBatch }
    this.#store.openConnection(id, who)
    this.#limit(id, who)
  }

  #limit(id: number, who: Principal): void {
    this.#rings.connections[id * CONNECTION_WORDS + CONNECTION_MAX_OUTSTANDING] = who.isPrivileged
      ? PRIVILEGED_OUTSTANDING
      : this.#quotas.outstanding
  }
}
