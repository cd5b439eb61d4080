/**
 * The operations on nodes inside a transaction: reads are noted, writes are kept until the commit.
 *
 * Making a node notes that its nearest ancestor exists and which permissions it hands down, nothing
 * of that ancestor's children: two transactions that make different nodes below one parent, or the
 * same missing parents on the way, do not conflict.
 */
import { OK, type Outcome, type XsErrno } from '../xs-errno.ts'
import {
  type AccessRecords,
  CHANGED,
  CREATED,
  DELETED,
  READ_EXISTENCE,
  WAS_PRESENT,
  WROTE_PERMS,
  WROTE_VALUE,
} from './access-records.ts'
import { ChildList, writeGeneration } from './child-list.ts'
import type { ParsedPath } from './path.ts'
import { PERM_OWNER, PERM_READ, PERM_WRITE } from './perms.ts'
import { type Principal, payerOf } from './principal.ts'
import type { StoreTables } from './tables.ts'
import type { TransactionQuota } from './transaction-quota.ts'
import { TransactionView } from './transaction-view.ts'
import type { Transactions } from './transactions.ts'
import { ROOT } from './tree.ts'

export class TransactionNodes {
  readonly #tables: StoreTables
  readonly #transactions: Transactions
  readonly #records: AccessRecords
  readonly #quota: TransactionQuota
  readonly #view: TransactionView
  readonly #children: ChildList

  constructor(tables: StoreTables, transactions: Transactions, quota: TransactionQuota) {
    this.#tables = tables
    this.#transactions = transactions
    this.#records = transactions.records
    this.#quota = quota
    this.#view = new TransactionView(tables, transactions)
    this.#children = new ChildList(tables.nodes, tables.arena)
  }

  read(
    who: Principal,
    slot: number,
    path: ParsedPath,
    into: Uint8Array,
    at: number,
    room: number,
  ): number | XsErrno {
    const view = this.#view
    if (!view.find(slot, path)) return this.#missing(who, slot, path, PERM_READ)
    const allowed = view.check(slot, who, PERM_READ)
    if (allowed !== OK) return allowed
    let ref = 0
    let length = 0
    if (view.record !== 0 && this.#records.has(view.record, WROTE_VALUE)) {
      ref = this.#records.valueOf(view.record)
      length = this.#records.valueLengthOf(view.record)
    } else if (!view.isHidden) {
      const outcome = this.#noteValue(who, slot)
      if (outcome !== OK) return outcome
      ref = this.#records.readValueOf(view.record)
      length = this.#records.readValueLengthOf(view.record)
    }
    if (length > room) return 'E2BIG'
    this.#tables.arena.copyTo(ref, length, into, at)
    return length
  }

  directory(
    who: Principal,
    slot: number,
    path: ParsedPath,
    into: Uint8Array,
    at: number,
    room: number,
  ): number | XsErrno {
    const outcome = this.#findReadable(who, slot, path)
    if (outcome !== OK) return outcome
    this.#children.begin(0, into, at, at + room)
    const listed = this.#addChildren(who, slot)
    if (listed !== OK) return listed
    return this.#children.isCut ? 'E2BIG' : this.#children.end() - at
  }

  directoryPart(
    who: Principal,
    slot: number,
    path: ParsedPath,
    offset: number,
    into: Uint8Array,
    at: number,
    room: number,
  ): number | XsErrno {
    const outcome = this.#findReadable(who, slot, path)
    if (outcome !== OK) return outcome
    const generation =
      this.#tables.nodes.childrenGenerationOf(this.#view.node) +
      this.#transactions.shapeChangesOf(slot)
    const names = writeGeneration(generation, into, at)
    this.#children.begin(offset, into, names, at + room - 1)
    const listed = this.#addChildren(who, slot)
    if (listed !== OK) return listed
    let end = this.#children.end()
    if (!this.#children.isCut) into[end++] = 0
    return end - at
  }

  getPerms(
    who: Principal,
    slot: number,
    path: ParsedPath,
    into: Uint8Array,
    at: number,
    room: number,
  ): number | XsErrno {
    const outcome = this.#findReadable(who, slot, path)
    if (outcome !== OK) return outcome
    const list = this.#view.permsOf(slot, who)
    if (typeof list === 'string') return list
    const written = this.#tables.perms.format(list, into, at, room)
    return written < 0 ? 'E2BIG' : written
  }

  write(
    who: Principal,
    slot: number,
    path: ParsedPath,
    value: Uint8Array,
    start: number,
    end: number,
  ): Outcome {
    const view = this.#view
    const outcome = view.find(slot, path)
      ? this.#touch(who, slot)
      : this.#create(who, slot, path, end - start)
    if (outcome !== OK) return outcome
    if (!who.isPrivileged) {
      const list = view.permsOf(slot, who)
      if (typeof list === 'string') return list
      const { nodes, perms, quota } = this.#tables
      const count = perms.countOf(list)
      const isGrowing = !view.isLive || end - start > nodes.valueLengthOf(view.node)
      if (isGrowing && !quota.allowsNodeSize(who, count, end - start, view.childListBytes())) {
        return this.#fail(slot, 'ENOSPC')
      }
      const owner = perms.ownerOf(list)
      const growth = end - start - nodes.valueLengthOf(view.node)
      if (owner !== who.domid && !quota.allowsMemory(who, owner, growth)) {
        return this.#fail(slot, 'ENOMEM')
      }
    }
    return this.#setValue(who, slot, value, start, end)
  }

  mkdir(who: Principal, slot: number, path: ParsedPath): Outcome {
    if (this.#view.find(slot, path)) return this.#touch(who, slot)
    const outcome = this.#create(who, slot, path, 0)
    if (outcome === OK) this.#records.mark(this.#view.record, CHANGED)
    return outcome
  }

  rm(who: Principal, slot: number, path: ParsedPath): Outcome {
    const view = this.#view
    if (!view.find(slot, path)) {
      const error = this.#missing(who, slot, path, PERM_WRITE)
      if (error !== 'ENOENT' || view.matched !== path.count - 1) return error
      // The answer hangs on the parent, too.
      return view.isLive ? view.noteExistence(slot, who) : OK
    }
    const allowed = view.check(slot, who, PERM_WRITE)
    if (allowed !== OK) return allowed
    if (view.node === ROOT) return 'EINVAL'
    const outcome = view.isLive ? view.noteExistence(slot, who) : OK
    if (outcome !== OK) return outcome
    this.#transactions.forgetWritesBelow(slot, view.node)
    this.#transactions.forgetWrites(slot, view.record)
    this.#records.mark(view.record, DELETED | CHANGED)
    const { nodes } = this.#tables
    const parent = view.recordAt(slot, nodes.parentOf(view.node))
    if (parent !== 0) this.#records.addChildBytes(parent, -nodes.nameLengthOf(view.node) - 1)
    this.#transactions.noteShapeChange(slot)
    return OK
  }

  /** @param count permissions in the draft of `Perms`, all bound to living domains or to none */
  setPerms(who: Principal, slot: number, path: ParsedPath, count: number): Outcome {
    const view = this.#view
    const { perms } = this.#tables
    if (!view.find(slot, path)) return this.#missing(who, slot, path, PERM_WRITE)
    const allowed = view.check(slot, who, PERM_OWNER)
    if (allowed !== OK) return allowed
    if (!who.isPrivileged) {
      const list = view.permsOf(slot, who)
      if (typeof list === 'string') return list
      if (perms.draftDomid(0) !== perms.ownerOf(list)) return 'EPERM'
      if (count > perms.countOf(list) && !this.#hasRoomForPerms(who, count)) {
        return this.#fail(slot, 'ENOSPC')
      }
    }
    const outcome = view.isLive ? view.noteExistence(slot, who) : OK
    if (outcome !== OK) return outcome
    const list = perms.intern(count)
    if (list === 0) return this.#fail(slot, 'ENOMEM')
    perms.release(this.#records.permsOf(view.record))
    this.#records.setPerms(view.record, list)
    this.#records.mark(view.record, WROTE_PERMS | CHANGED)
    return OK
  }

  #findReadable(who: Principal, slot: number, path: ParsedPath): Outcome {
    if (!this.#view.find(slot, path)) return this.#missing(who, slot, path, PERM_READ)
    const allowed = this.#view.check(slot, who, PERM_READ)
    if (allowed !== OK) return allowed
    return this.#view.isLive ? this.#view.noteExistence(slot, who) : OK
  }

  /** Why `find` has failed: only who may at the nearest ancestor learns that a node is not there. */
  #missing(who: Principal, slot: number, path: ParsedPath, right: number): XsErrno {
    const noted = this.#view.noteAbsence(slot, who, path)
    if (noted !== OK) return noted
    const allowed = this.#view.check(slot, who, right)
    return allowed === OK ? 'ENOENT' : allowed
  }

  /** May the node at the cursor, which is there, be written? Notes that it is there. */
  #touch(who: Principal, slot: number): Outcome {
    const allowed = this.#view.check(slot, who, PERM_WRITE)
    if (allowed !== OK) return allowed
    return this.#view.isLive ? this.#view.noteExistence(slot, who) : OK
  }

  /** The value of a live node, or of one that is made unless it is there: that is empty or live. */
  #noteValue(who: Principal, slot: number): Outcome {
    const view = this.#view
    if (view.isLive) return view.noteValue(slot, who)
    const outcome = view.noteExistence(slot, who)
    if (outcome !== OK || !this.#records.has(view.record, WAS_PRESENT)) return outcome
    return view.noteValue(slot, who)
  }

  #setValue(who: Principal, slot: number, value: Uint8Array, start: number, end: number): Outcome {
    const { arena } = this.#tables
    const record = this.#view.record
    const growth = end - start - this.#records.valueLengthOf(record)
    if (!this.#transactions.charge(slot, who, growth)) return 'ENOMEM'
    const ref = arena.store(value, start, end)
    if (ref === 0 && end !== start) return this.#fail(slot, 'ENOMEM')
    arena.free(this.#records.valueOf(record))
    this.#records.setValue(record, ref, end - start)
    this.#records.mark(record, WROTE_VALUE | CHANGED)
    return OK
  }

  /** Makes the node at a path that `find` has just not found, and puts the cursor on it. */
  #create(who: Principal, slot: number, path: ParsedPath, length: number): Outcome {
    const view = this.#view
    const { perms } = this.#tables
    const allowed = view.check(slot, who, PERM_WRITE)
    if (allowed === 'EACCES') {
      // What is refused here may be permitted once somebody else has made the node.
      const noted = view.noteAbsence(slot, who, path)
      if (noted !== OK) return noted
    }
    if (allowed !== OK) return allowed
    const list = view.permsOf(slot, who)
    if (typeof list === 'string') return list
    const refusal = this.#refuseCreation(who, slot, path, list, length)
    if (refusal !== OK) return refusal
    const noted = view.isLive ? view.noteExistence(slot, who) : OK
    if (noted !== OK) return noted
    const inherited = perms.inherit(list, who)
    if (inherited === 0) return this.#fail(slot, 'ENOMEM')
    let outcome: Outcome = OK
    while (outcome === OK && view.matched < path.count) {
      outcome = this.#createChild(who, slot, path, inherited)
    }
    perms.release(inherited)
    return outcome
  }

  #refuseCreation(
    who: Principal,
    slot: number,
    path: ParsedPath,
    list: number,
    length: number,
  ): Outcome {
    if (who.isPrivileged) return OK
    const { perms, nodes, quota } = this.#tables
    const view = this.#view
    const noted = view.noteAbsence(slot, who, path)
    if (noted !== OK) return noted
    if (!this.#quota.allowsNodes(slot, who, path.count - view.matched)) return 'ENOSPC'
    if (!perms.hasRoomFor(who)) return this.#fail(slot, 'ENOMEM')
    const count = perms.countOf(list)
    const name = path.endOf(view.matched) - path.startOf(view.matched)
    const value = view.isHidden ? 0 : nodes.valueLengthOf(view.node)
    if (
      !quota.allowsNodeSize(who, count, value, view.childListBytes() + name + 1) ||
      !quota.allowsNodeSize(who, count, length, 0)
    ) {
      return this.#fail(slot, 'ENOSPC')
    }
    return OK
  }

  #hasRoomForPerms(who: Principal, count: number): boolean {
    const view = this.#view
    const { nodes, quota } = this.#tables
    const hasWritten = view.record !== 0 && this.#records.has(view.record, WROTE_VALUE)
    const live = view.isLive ? nodes.valueLengthOf(view.node) : 0
    const value = hasWritten ? this.#records.valueLengthOf(view.record) : live
    return quota.allowsNodeSize(who, count, value, view.childListBytes())
  }

  /** Makes the next component below the cursor and moves the cursor there. */
  #createChild(who: Principal, slot: number, path: ParsedPath, inherited: number): Outcome {
    const view = this.#view
    const records = this.#records
    const { tree, nodes, perms } = this.#tables
    const child = tree.ensureChild(view.node, path, view.matched, payerOf(who))
    if (child === 0) return this.#fail(slot, 'ENOMEM')
    const record = this.#transactions.recordOf(slot, who, child)
    if (typeof record === 'string') {
      tree.dropGhosts(child)
      return record
    }
    perms.use(inherited)
    perms.release(records.inheritedOf(record))
    records.setInherited(record, inherited)
    // Made before, but what was above it has gone outside meanwhile: the commit will see that.
    if (!records.has(record, CREATED)) {
      records.mark(record, CREATED)
      this.#transactions.moveToEnd(slot, record)
      records.addChildBytes(view.record, nodes.nameLengthOf(child) + 1)
      this.#transactions.addCreatedNodes(slot, 1)
      this.#transactions.noteShapeChange(slot)
    }
    view.node = child
    view.record = record
    view.isHidden ||= records.has(record, DELETED)
    view.matched++
    return OK
  }

  #addChildren(who: Principal, slot: number): Outcome {
    const view = this.#view
    const parent = view.node
    const { nodes } = this.#tables
    let areLiveListed = false
    if (!view.isHidden) {
      const outcome = view.noteChildren(slot, who)
      if (outcome !== OK && (outcome !== 'ENOENT' || view.isLive)) return outcome
      areLiveListed = outcome === OK
    }
    if (areLiveListed) this.#addLiveChildren(slot, parent)
    const records = this.#records
    for (
      let record = this.#transactions.firstRecordOf(slot);
      record !== 0;
      record = records.nextOf(record)
    ) {
      const child = records.nodeOf(record)
      if (!records.has(record, CREATED) || nodes.parentOf(child) !== parent) continue
      const isListed = areLiveListed && nodes.exists(child) && !records.has(record, DELETED)
      if (!isListed) this.#children.add(child)
    }
    return OK
  }

  #addLiveChildren(slot: number, parent: number): void {
    const { nodes } = this.#tables
    for (let child = nodes.firstChildOf(parent); child !== 0; child = nodes.nextSiblingOf(child)) {
      const record = this.#view.recordAt(slot, child)
      if (record !== 0) {
        const flags = this.#records.flagsOf(record)
        if ((flags & DELETED) !== 0) continue
        const seen = flags & (CREATED | READ_EXISTENCE | WAS_PRESENT)
        if (seen === READ_EXISTENCE) continue
      }
      this.#children.add(child)
    }
  }

  /** The transaction cannot be committed any more (END gives ENOMEM). */
  #fail(slot: number, error: XsErrno): XsErrno {
    this.#transactions.fail(slot)
    return error
  }
}
