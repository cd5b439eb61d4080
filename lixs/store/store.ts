/**
 * The store as the protocol's handlers see it: nodes with values, permissions and children;
 * transactions; watches; what each domain owns and may still use.
 *
 * Nothing here knows of messages or connections' bytes. Every function answers with a result or an
 * XsErrno; only a broken invariant throws.
 *
 * ```
 * Store ─┬─ LiveNodes ──────────┐
 *        ├─ TransactionNodes ───┼── StoreTables: Tree over NodeTable, ChildIndex, ValueArena, Perms;
 *        ├─ TransactionCommit ──┘   DomainRecords, Connections, Watches, EventQueue
 *        └─ Watches
 * ```
 */
import { DOM0, type Domid } from '../../native/hypervisor.ts'
import type { StateMemory } from '../../native/os/state-memory.ts'
import type { PathTables } from '../../native/ring-set.ts'
import { OK, type Outcome, type XsErrno } from '../xs-errno.ts'
import { Accounts } from './accounts.ts'
import { DomainSettings } from './domain-settings.ts'
import { DOMID_ANY } from './domains.ts'
import type { EventSink } from './events.ts'
import { FEATURE_DOMID_ANY } from './features.ts'
import type { Guards } from './guards.ts'
import { LiveNodes } from './live-nodes.ts'
import { Orphans } from './orphans.ts'
import type { ParsedPath } from './path.ts'
import type { Principal } from './principal.ts'
import type { Quotas } from './quota.ts'
import { StoreRestoration } from './restoration.ts'
import { StoreSnapshot } from './snapshot.ts'
import { DEFAULT_CAPACITY, type StoreCapacity, StoreTables } from './tables.ts'
import { TransactionCommit } from './transaction-commit.ts'
import { TransactionNodes } from './transaction-nodes.ts'
import { TransactionQuota } from './transaction-quota.ts'
import { Transactions } from './transactions.ts'
import { INTRODUCE_DOMAIN, RELEASE_DOMAIN } from './tree.ts'
import { ALL_LEVELS } from './watches.ts'

export type { EventSink } from './events.ts'
export type { Principal } from './principal.ts'

/** An open transaction: index of its record; 0 = none. */
export type TransactionSlot = number

interface StoreOptions {
  /** Asked when SET_PERMS names a domain without record: does Xen know it? */
  readonly domainExists: (domid: Domid) => boolean
  /** -K: nodes of a dead domain go to dom0 instead of being deleted. */
  readonly keepOrphans: boolean
  /** How much can be kept at all; enough for tens of thousands of guests unless told. */
  readonly capacity?: StoreCapacity
}

export class Store {
  readonly #tables: StoreTables
  readonly #transactions: Transactions
  readonly #live: LiveNodes
  readonly #inTransaction: TransactionNodes
  readonly #commit: TransactionCommit
  readonly #orphans: Orphans
  /** Limits and features of single domains. */
  readonly settings: DomainSettings
  /** What there is, and who uses how much of it. */
  readonly accounts: Accounts

  /** Takes up what is in `memory`, or begins anew there. */
  constructor(memory: StateMemory, quotas: Quotas, events: EventSink, options: StoreOptions) {
    const capacity = options.capacity ?? DEFAULT_CAPACITY
    this.#tables = new StoreTables(memory, quotas, events, capacity)
    this.#transactions = new Transactions(memory, capacity, this.#tables)
    this.#live = new LiveNodes(this.#tables)
    const quota = new TransactionQuota(this.#tables, this.#transactions)
    this.#inTransaction = new TransactionNodes(this.#tables, this.#transactions, quota)
    this.#commit = new TransactionCommit(this.#tables, this.#transactions, quota)
    this.#orphans = new Orphans(this.#tables, options.keepOrphans)
    this.accounts = new Accounts(this.#tables, this.#transactions)
    this.settings = new DomainSettings(this.#tables.domains, options.domainExists)
  }

  // --- nodes found by others

  /** Where native code finds nodes. */
  get pathTables(): PathTables {
    const { nodes, arena, tree } = this.#tables
    const { buckets, links } = tree.children.index.memory
    return { buckets, links, nodes: nodes.rows.memory, names: arena.bytes.buffer }
  }

  /** As long as it is the same, every node that was found is still the one at its path, if it exists. */
  get freedRows(): number {
    return this.#tables.tree.freedRows
  }

  exists(node: number): boolean {
    return this.#tables.nodes.exists(node)
  }

  // --- connections: the store keeps, per connection, its watches and its transactions

  /** A connection begins; `connection` is a small number, free until `closeConnection`. */
  openConnection(connection: number, who: Principal): void {
    this.#tables.connections.open(connection, who)
    if (!who.isPrivileged) this.#tables.domains.ensure(who.domid)
  }

  /** Drops watches and transactions (RESET_WATCHES, re-introduction, ring error). Cost: its own. */
  resetConnection(connection: number): void {
    this.#tables.watches.removeAll(connection)
    this.#transactions.dropAll(connection)
  }

  /** resetConnection, and the number may be used again. */
  closeConnection(connection: number): void {
    const { connections, domains } = this.#tables
    this.resetConnection(connection)
    const domid = connections.domidOf(connection)
    if (domains.connectionOf(domid) === connection) domains.dropConnection(domid)
    connections.close(connection)
  }

  // --- data; `tx` 0 = outside of any transaction; payloads go to into[at … at + room)

  /** @returns bytes written; 'E2BIG' when they do not fit into `room` */
  read(
    who: Principal,
    tx: TransactionSlot,
    path: ParsedPath,
    into: Uint8Array,
    at: number,
    room: number,
  ): number | XsErrno {
    if (path.isSpecial) return 'EINVAL'
    if (tx === 0) return this.#live.read(who, path, into, at, room)
    return this.#inTransaction.read(who, tx, path, into, at, room)
  }

  /** Child names, each NUL-terminated, in creation order. */
  directory(
    who: Principal,
    tx: TransactionSlot,
    path: ParsedPath,
    into: Uint8Array,
    at: number,
    room: number,
  ): number | XsErrno {
    if (path.isSpecial) return 'EINVAL'
    if (tx === 0) return this.#live.directory(who, path, into, at, room)
    return this.#inTransaction.directory(who, tx, path, into, at, room)
  }

  /** `gen|` and whole names from byte `offset` of the list on; see DIRECTORY_PART. */
  directoryPart(
    who: Principal,
    tx: TransactionSlot,
    path: ParsedPath,
    offset: number,
    into: Uint8Array,
    at: number,
    room: number,
  ): number | XsErrno {
    if (path.isSpecial) return 'EINVAL'
    if (tx === 0) return this.#live.directoryPart(who, path, offset, into, at, room)
    return this.#inTransaction.directoryPart(who, tx, path, offset, into, at, room)
  }

  /** Permissions as text, each NUL-terminated. */
  getPerms(
    who: Principal,
    tx: TransactionSlot,
    path: ParsedPath,
    into: Uint8Array,
    at: number,
    room: number,
  ): number | XsErrno {
    if (tx === 0 || path.isSpecial) return this.#live.getPerms(who, path, into, at, room)
    return this.#inTransaction.getPerms(who, tx, path, into, at, room)
  }

  write(
    who: Principal,
    tx: TransactionSlot,
    path: ParsedPath,
    value: Uint8Array,
    start: number,
    end: number,
  ): Outcome {
    if (path.isSpecial) return 'EINVAL'
    if (tx === 0) return this.#live.write(who, path, value, start, end)
    return this.#inTransaction.write(who, tx, path, value, start, end)
  }

  mkdir(who: Principal, tx: TransactionSlot, path: ParsedPath): Outcome {
    if (path.isSpecial) return 'EINVAL'
    return tx === 0 ? this.#live.mkdir(who, path) : this.#inTransaction.mkdir(who, tx, path)
  }

  rm(who: Principal, tx: TransactionSlot, path: ParsedPath): Outcome {
    if (path.isSpecial) return 'EINVAL'
    return tx === 0 ? this.#live.rm(who, path) : this.#inTransaction.rm(who, tx, path)
  }

  /**
   * Text of the list, from the first permission's letter to after the last one's NUL.
   * @param path undefined: no valid one, which is only said when the list is in order
   */
  setPerms(
    who: Principal,
    tx: TransactionSlot,
    path: ParsedPath | undefined,
    text: Uint8Array,
    start: number,
    end: number,
  ): Outcome {
    const { perms, quota } = this.#tables
    const count = perms.parse(text, start, end)
    if (count > 0 && !quota.allowsPermissions(who, count)) return 'ENOSPC'
    if (count <= 0) return 'EINVAL'
    if (!perms.hasRoomFor(who)) {
      if (tx !== 0) this.#transactions.fail(tx)
      return 'ENOMEM'
    }
    for (let i = 0; i < count; i++) {
      if (this.#mayName(who, perms.draftDomid(i))) perms.bindDraft(i)
      else if (i === 0) return 'ENOENT'
      else perms.staleDraft(i)
    }
    if (path === undefined) return 'EINVAL'
    // Special nodes are no data: no transaction holds them back.
    if (tx === 0 || path.isSpecial) return this.#live.setPerms(who, path, count)
    return this.#inTransaction.setPerms(who, tx, path, count)
  }

  // --- transactions

  /** @returns the new transaction's id (u32, per connection, from 1) */
  startTransaction(connection: number): number | XsErrno {
    return this.#transactions.start(connection, this.#tables.connections.principalOf(connection))
  }

  /** @returns its slot; 0 when this connection has no such transaction */
  findTransaction(connection: number, txId: number): TransactionSlot {
    return this.#transactions.find(connection, txId)
  }

  /** Transactions that others' changes have to wait for. */
  get guards(): Guards {
    return this.#transactions.guards
  }

  /** Gone afterwards in every case. Fires the events of a commit. */
  endTransaction(tx: TransactionSlot, isCommit: boolean): Outcome {
    this.#tables.events.reset()
    const outcome = isCommit ? this.#commit.commit(tx) : OK
    this.#transactions.drop(tx)
    return outcome
  }

  // --- watches; the initial event is the caller's to send (the reply comes first)

  watch(
    connection: number,
    path: ParsedPath,
    token: Uint8Array,
    start: number,
    end: number,
    depth = ALL_LEVELS,
  ): Outcome {
    const who = this.#tables.connections.principalOf(connection)
    return this.#tables.watches.add(connection, who, path, token, start, end, depth)
  }

  unwatch(
    connection: number,
    path: ParsedPath,
    token: Uint8Array,
    start: number,
    end: number,
  ): Outcome {
    return this.#tables.watches.remove(connection, path, token, start, end)
  }

  // --- domains

  /** A domain enters: record (incarnation) made, `@introduceDomain` fired when it is new. */
  introduceDomain(domid: Domid, connection: number): void {
    const { domains, events } = this.#tables
    if (domains.introduce(domid, connection)) events.fireSpecial(INTRODUCE_DOMAIN, domid, true)
  }

  isIntroduced(domid: Domid): boolean {
    return this.#tables.domains.isIntroduced(domid)
  }

  /** Has it a record? That is, is it one of `knownDomains`. */
  isKnown(domid: Domid): boolean {
    return domid !== DOM0 && this.#tables.domains.incarnationOf(domid) !== 0
  }

  connectionOf(domid: Domid): number | undefined {
    return this.#tables.domains.connectionOf(domid)
  }

  /**
   * Dead or released: its nodes go (events included), its permissions stop to count, accounting is
   * reset, then `@releaseDomain` fires if it was introduced. The caller closes the connection
   * before. Cost: its own. Not for dom0.
   */
  releaseDomain(domid: Domid): void {
    const { domains, events } = this.#tables
    if (domid === DOM0 || domains.incarnationOf(domid) === 0) return
    const connection = domains.connectionOf(domid)
    if (connection !== undefined) this.closeConnection(connection)
    const wasIntroduced = domains.isIntroduced(domid)
    events.reset()
    this.#orphans.take(domid)
    domains.forget(domid)
    if (wasIntroduced) events.fireSpecial(RELEASE_DOMAIN, domid, true)
  }

  /**
   * First sight of a shutdown: marks it and tells those who want to know which domain it was;
   * `fireReleaseDomain` has to follow. @returns false when it was marked already
   */
  markShutdown(domid: Domid): boolean {
    if (!this.#tables.domains.markShutdown(domid)) return false
    this.#tables.events.fireSpecial(RELEASE_DOMAIN, domid, false)
    return true
  }

  /** RESUME: the next shutdown is news again. */
  clearShutdown(domid: Domid): void {
    this.#tables.domains.clearShutdown(domid)
  }

  /** Tells the bare `@releaseDomain` once (one or more domains were seen shut down). */
  fireReleaseDomain(): void {
    this.#tables.events.fireBare(RELEASE_DOMAIN)
  }

  /**
   * All domids that have a record, ascending, without dom0: introduced, or named by SET_PERMS before.
   * The listing that Xen before 4.21 needs asks for each whether it lives; a dead one is released
   * (nothing is fired when it was never introduced). `markShutdown` says false for such.
   */
  knownDomains(): Domid[] {
    return this.#tables.domains.known()
  }

  /** `domid` gets, beside its own, the rights of `target`, until either goes away. */
  setTarget(domid: Domid, target: Domid): Outcome {
    const { domains } = this.#tables
    if (!domains.isIntroduced(domid) || !domains.isIntroduced(target)) return 'ENOENT'
    if (domains.connectionOf(domid) === undefined) return 'EINVAL'
    if (domains.connectionOf(target) === undefined) return 'EINVAL'
    domains.setTarget(domid, target)
    return OK
  }

  /** May a path be so long? @returns bytes of a path without its home prefix; 0 = any */
  pathMaxFor(who: Principal): number {
    return this.#tables.quota.pathMaxFor(who)
  }

  /** May a list of permissions have so many entries? */
  allowsPermissions(who: Principal, count: number): boolean {
    return this.#tables.quota.allowsPermissions(who, count)
  }

  /** Does it name somebody: a domain that there is, or, for whom that is offered, all of them? */
  #mayName(who: Principal, domid: number): boolean {
    if (domid !== DOMID_ANY) return this.settings.exists(domid)
    return (this.settings.featuresOf(who.domid) & FEATURE_DOMID_ANY) !== 0
  }

  // --- what outlives the process

  /** All that there is, to be told to another daemon. */
  snapshot(): StoreSnapshot {
    return new StoreSnapshot(this.#tables)
  }

  /** Fills a store that nobody has used yet with what another daemon had. */
  restoration(): StoreRestoration {
    return new StoreRestoration(this.#tables)
  }

  /** Open ones of all connections. */
  get openTransactions(): number {
    return this.#transactions.count
  }

  hasTransaction(connection: number): boolean {
    return this.#tables.connections.firstTransactionOf(connection) !== 0
  }
}
