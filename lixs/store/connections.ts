/**
 * What the store keeps of each connection: who it is, its watches, its transactions. A row per
 * connection number.
 */
import { DOM0, type Domid } from '../../native/hypervisor.ts'
import type { StateMemory } from '../../native/os/state-memory.ts'
import type { Principal } from './principal.ts'
import { RowTable } from './row-table.ts'

const STRIDE = 8
const FLAGS = 0
const DOMID = 1
const FIRST_WATCH = 2
const FIRST_TRANSACTION = 3
/** Unsigned; the id given last. */
const LAST_TX_ID = 4
/** EAGAINs since a transaction about the contested node was committed. */
const RETRIES = 5
const CONTESTED_NODE = 6

const OPEN = 1
const PRIVILEGED = 2

export class Connections {
  readonly #rows: RowTable
  readonly #who = { domid: DOM0, isPrivileged: false }

  constructor(memory: StateMemory, capacity: number) {
    this.#rows = new RowTable(memory, 'store.connections', STRIDE, capacity)
  }

  open(connection: number, who: Principal): void {
    this.#rows.clear(connection)
    this.#rows.set(connection, FLAGS, OPEN | (who.isPrivileged ? PRIVILEGED : 0))
    this.#rows.set(connection, DOMID, who.domid)
  }

  isOpen(connection: number): boolean {
    return (this.#rows.get(connection, FLAGS) & OPEN) !== 0
  }

  /** How many numbers there can be. */
  get capacity(): number {
    return this.#rows.capacity
  }

  /** Its watches and transactions must be gone. */
  close(connection: number): void {
    this.#rows.clear(connection)
  }

  isPrivileged(connection: number): boolean {
    return (this.#rows.get(connection, FLAGS) & PRIVILEGED) !== 0
  }

  domidOf(connection: number): Domid {
    return this.#rows.get(connection, DOMID) as Domid
  }

  /** Whose connection it is; valid until the next call. */
  principalOf(connection: number): Principal {
    this.#who.domid = this.domidOf(connection)
    this.#who.isPrivileged = this.isPrivileged(connection)
    return this.#who
  }

  firstWatchOf(connection: number): number {
    return this.#rows.get(connection, FIRST_WATCH)
  }

  setFirstWatch(connection: number, watch: number): void {
    this.#rows.set(connection, FIRST_WATCH, watch)
  }

  firstTransactionOf(connection: number): number {
    return this.#rows.get(connection, FIRST_TRANSACTION)
  }

  setFirstTransaction(connection: number, slot: number): void {
    this.#rows.set(connection, FIRST_TRANSACTION, slot)
  }

  /** The id given last; 0 = none yet. */
  lastTxIdOf(connection: number): number {
    return this.#rows.get(connection, LAST_TX_ID) >>> 0
  }

  setLastTxId(connection: number, txId: number): void {
    this.#rows.set(connection, LAST_TX_ID, txId)
  }

  /** How often its transactions have failed with EAGAIN lately. */
  retriesOf(connection: number): number {
    return this.#rows.get(connection, RETRIES)
  }

  /** The node at which the last one failed; may have gone meanwhile. */
  contestedNodeOf(connection: number): number {
    return this.#rows.get(connection, CONTESTED_NODE)
  }

  setRetries(connection: number, retries: number, contestedNode: number): void {
    this.#rows.set(connection, RETRIES, retries)
    this.#rows.set(connection, CONTESTED_NODE, contestedNode)
  }

  /** The u32 after the id given last; never 0. */
  nextTxId(connection: number): number {
    const next = (this.#rows.get(connection, LAST_TX_ID) + 1) >>> 0 || 1
    this.#rows.set(connection, LAST_TX_ID, next)
    return next
  }
}
