/**
 * What a check counts anew while it walks: who uses blocks and lists, and what each domain has.
 * Arrays over all ids: half a million nodes take megabytes, not a map of half a million entries.
 */
import { DOMID_FIRST_RESERVED } from '../../native/hypervisor.ts'
import type { Findings } from './check-findings.ts'
import { DOMID_ANY } from './domains.ts'
import type { StoreTables } from './tables.ts'

export class Tally {
  readonly #tables: StoreTables
  readonly #findings: Findings
  readonly #blocks: Uint8Array
  readonly #listUsers: Int32Array
  readonly nodes = new Int32Array(DOMID_ANY + 1)
  readonly ghosts = new Int32Array(DOMID_ANY + 1)
  readonly watches = new Int32Array(DOMID_ANY + 1)
  readonly transactions = new Int32Array(DOMID_ANY + 1)
  readonly memoryBytes = new Float64Array(DOMID_ANY + 1)
  #blockCount = 0

  constructor(tables: StoreTables, findings: Findings) {
    this.#tables = tables
    this.#findings = findings
    this.#blocks = new Uint8Array(tables.arena.places)
    this.#listUsers = new Int32Array(tables.perms.rows.highest + 1)
  }

  /** Something refers to a block of the arena; 0 = none. @param holder for a sentence */
  block(ref: number, holder: string): void {
    if (ref === 0) return
    if (!this.#tables.arena.isPlace(ref)) {
      this.#findings.add(`${holder} refers to block ${ref}, which is none`)
      return
    }
    if (this.#blocks[ref] !== 0) this.#findings.add(`${holder} shares block ${ref} with another`)
    this.#blocks[ref] = 1
    this.#blockCount++
  }

  /** Something uses a permission list; 0 = none. */
  list(id: number, holder: string): void {
    if (id === 0) return
    if (id < 0 || id >= this.#listUsers.length) {
      this.#findings.add(`${holder} uses permission list ${id}, which is none`)
      return
    }
    this.#listUsers[id] = (this.#listUsers[id] as number) + 1
  }

  /** Everything was walked through: compares with what is kept. */
  compare(): void {
    this.#comparePerms()
    this.#findings.expect('blocks', this.#tables.arena.blocks, this.#blockCount)
    for (let domid = 0; domid < DOMID_FIRST_RESERVED; domid++) this.#compareDomain(domid)
    this.#compareDomain(DOMID_ANY)
  }

  #comparePerms(): void {
    const { perms } = this.#tables
    const findings = this.#findings
    const free = perms.rows.freeRows()
    if (free === undefined) findings.add('permission lists: the list of free rows is broken')
    if (!perms.index.isSound()) findings.add('permission lists: the index is broken')
    findings.expect('permission lists in the index', perms.index.size, perms.lists)
    for (let id = 1; id < this.#listUsers.length; id++) {
      const users = this.#listUsers[id] as number
      if (free?.[id] === 0) {
        findings.expect(`users of permission list ${id}`, perms.usersOf(id), users)
        this.block(perms.blockOf(id), `permission list ${id}`)
      } else if (users !== 0) {
        findings.add(`permission list ${id} is used ${users} times, but free`)
      }
    }
  }

  #compareDomain(domid: number): void {
    const { domains, nodes } = this.#tables
    const findings = this.#findings
    const owned = this.nodes[domid] as number
    this.#expect(domid, 'nodes', domains.nodesOf(domid), owned)
    this.#expect(domid, 'ghosts', domains.ghostsOf(domid), this.ghosts[domid])
    this.#expect(domid, 'watches', domains.watchesOf(domid), this.watches[domid])
    this.#expect(domid, 'transactions', domains.transactionsOf(domid), this.transactions[domid])
    this.#expect(domid, 'memory', domains.memoryOf(domid), this.memoryBytes[domid])
    let listed = 0
    let previous = 0
    for (let node = domains.firstNodeOf(domid); node !== 0; node = nodes.nextOwnedOf(node)) {
      if (nodes.previousOwnedOf(node) !== previous || nodes.ownerOf(node) !== domid) {
        findings.add(`domain ${domid}, list of nodes: wrong at node ${node}`)
        return
      }
      previous = node
      if (++listed > owned) break
    }
    this.#expect(domid, 'list of nodes', owned, listed)
    if (domains.lastNodeOf(domid) !== previous) {
      findings.add(`domain ${domid}, list of nodes: wrong end`)
    }
  }
  #expect(domid: number, what: string, kept: number, counted: number | undefined): void {
    this.#findings.expectOf('domain', domid, what, kept, counted as number)
  }
}
