/**
 * The store as the protocol's handlers see it: nodes with values, permissions and children;
 * transactions; watches; what each domain owns and may still use.
 *
 * Nothing here knows of messages or connections' bytes. Every function answers with a result or an
 * XsErrno; only a broken invariant throws.
 */
import type { Domid } from '../../native/hypervisor.ts'
import type { StateMemory } from '../../native/os/state-memory.ts'
import type { Outcome, XsErrno } from '../xs-errno.ts'
import type { ParsedPath } from './path.ts'
import type { Quotas } from './quota.ts'

/** Who asks. One object per connection, made once. */
export interface Principal {
  readonly domid: Domid
  /** Sockets, dom0's ring, the ring of --priv-domid: no checks, no quotas. */
  readonly isPrivileged: boolean
}

/** An open transaction: index of its record; 0 = none. */
export type TransactionSlot = number

/**
 * Where the store puts watch events, in the order in which they are to arrive, before the function
 * that caused them returns.
 *
 * @param path absolute path of the change, or the part that the watcher is to see: already cut when
 *   the watch was registered with a relative path. All four ranges are valid during the call only.
 * @param isSpecial paths beginning with '@', whose events are never coalesced
 */
export interface EventSink {
  watchEvent(
    connection: number,
    path: Uint8Array,
    pathStart: number,
    pathEnd: number,
    token: Uint8Array,
    tokenStart: number,
    tokenEnd: number,
    isSpecial: boolean,
  ): void
}

export declare class Store {
  constructor(memory: StateMemory, quotas: Quotas, events: EventSink, options: StoreOptions)

  // --- connections: the store keeps, per connection, its watches and its transactions
  /** A connection begins; `connection` is a small number, free until `closeConnection`. */
  openConnection(connection: number, who: Principal): void
  /** Drops watches and transactions (RESET_WATCHES, re-introduction, ring error). Cost: its own. */
  resetConnection(connection: number): void
  /** resetConnection, and the number may be used again. */
  closeConnection(connection: number): void

  // --- data; `tx` 0 = outside of any transaction; payloads go to into[at … at + room)
  /** @returns bytes written; 'E2BIG' when they do not fit into `room` */
  read(who: Principal, tx: TransactionSlot, path: ParsedPath, into: Uint8Array, at: number, room: number): number | XsErrno
  /** Child names, each NUL-terminated, in creation order. */
  directory(who: Principal, tx: TransactionSlot, path: ParsedPath, into: Uint8Array, at: number, room: number): number | XsErrno
  /** `gen|` and whole names from byte `offset` of the list on; see DIRECTORY_PART. */
  directoryPart(who: Principal, tx: TransactionSlot, path: ParsedPath, offset: number, into: Uint8Array, at: number, room: number): number | XsErrno
  /** Permissions as text, each NUL-terminated. */
  getPerms(who: Principal, tx: TransactionSlot, path: ParsedPath, into: Uint8Array, at: number, room: number): number | XsErrno
  write(who: Principal, tx: TransactionSlot, path: ParsedPath, value: Uint8Array, start: number, end: number): Outcome
  mkdir(who: Principal, tx: TransactionSlot, path: ParsedPath): Outcome
  rm(who: Principal, tx: TransactionSlot, path: ParsedPath): Outcome
  /** Text of the list, from the first permission's letter to after the last one's NUL. */
  setPerms(who: Principal, tx: TransactionSlot, path: ParsedPath, text: Uint8Array, start: number, end: number): Outcome

  // --- transactions
  /** @returns the new transaction's id (u32, per connection, from 1) */
  startTransaction(connection: number): number | XsErrno
  /** @returns its slot; 0 when this connection has no such transaction */
  findTransaction(connection: number, txId: number): TransactionSlot
  /** Gone afterwards in every case. Fires the events of a commit. */
  endTransaction(tx: TransactionSlot, isCommit: boolean): Outcome

  // --- watches; the initial event is the caller's to send (the reply comes first)
  watch(connection: number, path: ParsedPath, token: Uint8Array, start: number, end: number): Outcome
  unwatch(connection: number, path: ParsedPath, token: Uint8Array, start: number, end: number): Outcome

  // --- domains
  /** A domain enters: record (incarnation) made, `@introduceDomain` fired when it is new. */
  introduceDomain(domid: Domid, connection: number): void
  isIntroduced(domid: Domid): boolean
  connectionOf(domid: Domid): number | undefined
  /**
   * Dead or released: its nodes go (events included), its permissions stop to count, accounting is
   * reset, then `@releaseDomain` fires. The caller closes the connection before. Cost: its own.
   */
  releaseDomain(domid: Domid): void
  /** First sight of a shutdown: marks it; @returns false when it was marked already. */
  markShutdown(domid: Domid): boolean
  /** RESUME: the next shutdown is news again. */
  clearShutdown(domid: Domid): void
  /** Fires `@releaseDomain` once (one or more domains were seen shut down). */
  fireReleaseDomain(): void
  /**
   * All domids that have a record, ascending, without dom0: introduced, or named by SET_PERMS before.
   * The scan that Xen before 4.21 needs asks for each whether it lives; a dead one is released
   * (nothing is fired when it was never introduced). `markShutdown` says false for such.
   */
  knownDomains(): Domid[]
  setTarget(domid: Domid, target: Domid): Outcome
}

export interface StoreOptions {
  /** Asked when SET_PERMS names a domain without record: does Xen know it? */
  readonly domainExists: (domid: Domid) => boolean
  /** -K: nodes of a dead domain go to dom0 instead of being deleted. */
  readonly keepOrphans: boolean
}
