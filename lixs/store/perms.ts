/**
 * Permission lists: kept once each, counted by their users, addressed by id.
 *
 * ```
 * text:   "n0"          "r5"          "b7"
 * words:  0<<16 │ 0, 1   1<<16 │ 5, 42  3<<16 │ 7, 0      letter bits and domid, incarnation
 *         owner         42nd domain   no such domain when it was set: counts for nobody, for ever
 *
 * text:   "r32757"      DOMID_ANY: everybody
 * ```
 *
 * The first entry's domid owns the node, its letter is for everybody who is not listed.
 *
 * @see docs/misc/xenstore.txt, SET_PERMS; tools/xenstored/core.c, perm_for_conn
 */
import { DOMID_FIRST_RESERVED, type Domid } from '../../native/hypervisor.ts'
import type { StateMemory } from '../../native/os/state-memory.ts'
import { DOMID_ANY, type DomainRecords } from './domains.ts'
import { HashIndex, hashPair } from './hash-index.ts'
import type { Principal } from './principal.ts'
import { RowTable } from './row-table.ts'
import type { ValueArena } from './value-arena.ts'

export const PERM_READ = 1
export const PERM_WRITE = 2
/** Only ever computed; no letter stands for it. */
export const PERM_OWNER = 4

const STRIDE = 4
const USERS = 0
const REF = 1
const COUNT = 2

const WORDS_PER_ENTRY = 2
/** More than a payload of 4,096 bytes can name. */
export const MAX_ENTRIES = 2048
const LETTERS = [0x6e, 0x72, 0x77, 0x62]
const DOMID_MASK = 0xffff

export class Perms {
  readonly #rows: RowTable
  readonly #index: HashIndex
  readonly #arena: ValueArena
  readonly #domains: DomainRecords
  /** The list that `parse` or `intern` works on; not state. */
  readonly #draft = new Int32Array(MAX_ENTRIES * WORDS_PER_ENTRY)

  constructor(memory: StateMemory, capacity: number, arena: ValueArena, domains: DomainRecords) {
    this.#rows = new RowTable(memory, 'store.perms', STRIDE, capacity)
    this.#index = new HashIndex(memory, 'store.perms', capacity)
    this.#arena = arena
    this.#domains = domains
  }

  /** The rows themselves, for reports and checks. */
  get rows(): RowTable {
    return this.#rows
  }

  get index(): HashIndex {
    return this.#index
  }

  /** How often a list is used. */
  usersOf(id: number): number {
    return this.#rows.get(id, USERS)
  }

  /** ValueArena ref of its entries. */
  blockOf(id: number): number {
    return this.#rows.get(id, REF)
  }

  /** Different lists in use. */
  get lists(): number {
    return this.#rows.inUse
  }

  /** May `who` make one more list? */
  hasRoomFor(who: Principal): boolean {
    return this.#rows.hasRoomFor(who, 1) && this.#arena.hasRoomFor(who)
  }

  /**
   * Reads text, each permission ended by a NUL, into the draft. Numbers as strtol with base 0 does.
   * @returns how many; -1 when one of them is not valid
   */
  parse(text: Uint8Array, start: number, end: number): number {
    let count = 0
    let at = start
    while (at < end) {
      const stop = text.indexOf(0, at)
      if (stop < 0 || stop >= end) break
      const bits = LETTERS.indexOf(text[at] as number)
      const domid = parseNumber(text, at + 1, stop)
      if (bits < 0 || domid < 0 || count === MAX_ENTRIES) return -1
      this.#draft[count * WORDS_PER_ENTRY] = (bits << 16) | domid
      this.#draft[count * WORDS_PER_ENTRY + 1] = this.#domains.incarnationOf(domid)
      count++
      at = stop + 1
    }
    return count
  }

  /** Fills the draft's entry `i`: letter bits and domid. A stale one counts for nobody. */
  setDraft(i: number, letter: number, domid: number, isStale: boolean): void {
    this.#draft[i * WORDS_PER_ENTRY] = (letter << 16) | domid
    this.#draft[i * WORDS_PER_ENTRY + 1] = isStale ? 0 : this.#domains.incarnationOf(domid)
  }

  /** Letter bits of a list's entry. */
  letterOf(id: number, entry: number): number {
    return (this.#arena.words[this.#wordsAt(id) + entry * WORDS_PER_ENTRY] as number) >> 16
  }

  domidOf(id: number, entry: number): number {
    return (this.#arena.words[this.#wordsAt(id) + entry * WORDS_PER_ENTRY] as number) & DOMID_MASK
  }

  /** Does the entry speak of a domain that is no more? */
  isStale(id: number, entry: number): boolean {
    const incarnation = this.#arena.words[this.#wordsAt(id) + entry * WORDS_PER_ENTRY + 1] as number
    return incarnation === 0 || incarnation !== this.#domains.incarnationOf(this.domidOf(id, entry))
  }

  /** Domid of the draft's entry `i`. */
  draftDomid(i: number): number {
    return (this.#draft[i * WORDS_PER_ENTRY] as number) & DOMID_MASK
  }

  /** Binds the draft's entry `i` to the present incarnation of its domid. */
  bindDraft(i: number): void {
    this.#draft[i * WORDS_PER_ENTRY + 1] = this.#domains.incarnationOf(this.draftDomid(i))
  }

  /** Makes the draft's entry `i` count for nobody, for ever. */
  staleDraft(i: number): void {
    this.#draft[i * WORDS_PER_ENTRY + 1] = 0
  }

  /** The draft's first `count` entries as a list; the caller uses it. @returns 0: no room */
  intern(count: number): number {
    const draft = this.#draft
    const words = count * WORDS_PER_ENTRY
    let hash = this.#index.seed ^ count
    for (let i = 0; i < words; i += 2) {
      hash = hashPair(hash, draft[i] as number, draft[i + 1] as number)
    }
    for (let id = this.#index.first(hash); id !== 0; id = this.#index.next(id)) {
      if (this.#index.hashOf(id) === hash && this.#isDraft(id, count)) {
        this.#rows.add(id, USERS, 1)
        return id
      }
    }
    const ref = this.#arena.allocate(words * 4)
    if (ref === 0) return 0
    const id = this.#rows.allocate()
    if (id === 0) {
      this.#arena.free(ref)
      return 0
    }
    for (let i = 0; i < words; i++) this.#arena.words[ref * 4 + i] = draft[i] as number
    this.#rows.set(id, USERS, 1)
    this.#rows.set(id, REF, ref)
    this.#rows.set(id, COUNT, count)
    this.#index.insert(id, hash)
    return id
  }

  /** One entry: `letter` bits for everybody, owner `domid`. */
  internOwner(letter: number, domid: number): number {
    this.#draft[0] = (letter << 16) | domid
    this.bindDraft(0)
    return this.intern(1)
  }

  /** What a node made by `who` below one with this list gets; the caller uses it. @returns 0: no room */
  inherit(id: number, who: Principal): number {
    if (!who.isPrivileged) return this.withOwner(id, who.domid)
    this.use(id)
    return id
  }

  /** The same list with another owner; the caller uses it. @returns 0: no room */
  withOwner(id: number, domid: number): number {
    if (this.ownerOf(id) === domid && this.isOwnerAlive(id)) {
      this.use(id)
      return id
    }
    const count = this.countOf(id)
    const from = this.#wordsAt(id)
    const words = count * WORDS_PER_ENTRY
    for (let i = 0; i < words; i++) this.#draft[i] = this.#arena.words[from + i] as number
    this.#draft[0] = ((this.#draft[0] as number) & ~DOMID_MASK) | domid
    this.bindDraft(0)
    return this.intern(count)
  }

  use(id: number): void {
    this.#rows.add(id, USERS, 1)
  }

  /** @param id 0 is nothing to release  @param users how many of them let go */
  release(id: number, users = 1): void {
    if (id === 0) return
    this.#rows.add(id, USERS, -users)
    if (this.#rows.get(id, USERS) !== 0) return
    this.#index.remove(id)
    this.#arena.free(this.#rows.get(id, REF))
    this.#rows.free(id)
  }

  countOf(id: number): number {
    return this.#rows.get(id, COUNT)
  }

  ownerOf(id: number): number {
    return (this.#arena.words[this.#wordsAt(id)] as number) & DOMID_MASK
  }

  /** Is the owner still the domain that it was when the list was made? */
  isOwnerAlive(id: number): boolean {
    const incarnation = this.#arena.words[this.#wordsAt(id) + 1] as number
    return incarnation !== 0 && incarnation === this.#domains.incarnationOf(this.ownerOf(id))
  }

  /**
   * What an unprivileged domain may do: PERM_READ, PERM_WRITE, PERM_OWNER. Owner first, then the
   * first entry that names the domain or its target, even if a later one or the default gives more.
   */
  rightsOf(id: number, domid: number): number {
    const target = this.#domains.targetOf(domid)
    const at = this.#wordsAt(id)
    if (this.#names(at, domid, target)) return PERM_READ | PERM_WRITE | PERM_OWNER
    const words = this.#arena.words
    const end = at + this.countOf(id) * WORDS_PER_ENTRY
    for (let i = at + WORDS_PER_ENTRY; i < end; i += WORDS_PER_ENTRY) {
      if (this.#names(i, domid, target)) return (words[i] as number) >> 16
    }
    return (words[at] as number) >> 16
  }

  /** Writes the list as text. @returns bytes written; -1 when `room` is not enough */
  format(id: number, into: Uint8Array, at: number, room: number): number {
    const words = this.#arena.words
    const from = this.#wordsAt(id)
    const end = from + this.countOf(id) * WORDS_PER_ENTRY
    let out = at
    for (let i = from; i < end; i += WORDS_PER_ENTRY) {
      const word = words[i] as number
      const domid = word & DOMID_MASK
      const digits = domid < 10 ? 1 : domid < 100 ? 2 : domid < 1000 ? 3 : domid < 10000 ? 4 : 5
      if (out + digits + 2 > at + room) return -1
      into[out] = LETTERS[word >> 16] as number
      for (let k = digits, rest = domid; k > 0; k--, rest = Math.floor(rest / 10)) {
        into[out + k] = 0x30 + (rest % 10)
      }
      into[out + digits + 1] = 0
      out += digits + 2
    }
    return out - at
  }

  /** Does the entry at word `at` speak of `domid` or of `target`, as they are now? */
  #names(at: number, domid: number, target: number): boolean {
    const named = (this.#arena.words[at] as number) & DOMID_MASK
    if (named !== domid && named !== target && named !== DOMID_ANY) return false
    const incarnation = this.#arena.words[at + 1] as number
    return incarnation !== 0 && incarnation === this.#domains.incarnationOf(named)
  }

  #wordsAt(id: number): number {
    return this.#rows.get(id, REF) * 4
  }

  #isDraft(id: number, count: number): boolean {
    if (this.countOf(id) !== count) return false
    const from = this.#wordsAt(id)
    const words = count * WORDS_PER_ENTRY
    for (let i = 0; i < words; i++) {
      if (this.#arena.words[from + i] !== this.#draft[i]) return false
    }
    return true
  }
}

/** Can this number be that of one domain, rather than one of Xen's reserved ones? */
export function isDomid(value: number): value is Domid {
  return value < DOMID_FIRST_RESERVED
}

/** Decimal, 0x…, or octal with a leading 0, as strtol(…, 0). @returns -1: not a number ≤ 65535 */
function parseNumber(text: Uint8Array, start: number, end: number): number {
  let at = start
  let base = 10
  if (text[at] === 0x30 && at + 1 < end) {
    base = 8
    at++
    if (((text[at] as number) | 0x20) === 0x78) {
      base = 16
      at++
    }
  }
  if (at >= end) return -1
  let value = 0
  for (; at < end; at++) {
    const digit = digitOf(text[at] as number)
    if (digit >= base) return -1
    value = value * base + digit
    if (value > DOMID_MASK) return -1
  }
  return value
}

function digitOf(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : 99
}
