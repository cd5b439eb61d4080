import type { Findings } from './check-findings.ts'
import type { Tally } from './check-tally.ts'
import { NODE_BYTES } from './node-table.ts'
import type { StoreTables } from './tables.ts'
import { ROOT, SPECIAL_ROOT } from './tree.ts'

/**
 * Checks the nodes: every row is in its place in the tree, in the index and with its owner. All
 * walks are loops over rows: a broken link can make them neither endless nor deep.
 */
export class NodeCheck {
  readonly #tables: StoreTables
  readonly #findings: Findings
  readonly #tally: Tally
  /** By the walk through the lists of children: 1 for each node in one. */
  readonly #listed: Uint8Array
  readonly #ghostChildren: Int32Array
  readonly #name = new Uint8Array(4096)

  constructor(tables: StoreTables, findings: Findings, tally: Tally) {
    this.#tables = tables
    this.#findings = findings
    this.#tally = tally
    const rows = tables.nodes.rows.highest + 1
    this.#listed = new Uint8Array(rows)
    this.#ghostChildren = new Int32Array(rows)
  }

  /** @param pins how many records of transactions name each node */
  run(pins: Int32Array): void {
    const { nodes, tree } = this.#tables
    const findings = this.#findings
    const free = nodes.rows.freeRows()
    const isIndexSound = tree.children.index.isSound()
    if (!isIndexSound) findings.add('nodes: the index is broken')
    // Without the list of the free ones nobody knows which rows are nodes.
    if (free === undefined) {
      findings.add('nodes: the list of free rows is broken')
      return
    }
    for (let id = 1; id < free.length; id++) {
      if (free[id] === 0 && nodes.exists(id)) this.#children(id, free)
    }
    let indexed = 0
    for (let id = 1; id < free.length; id++) {
      if (free[id] !== 0) continue
      if (id !== ROOT && id !== SPECIAL_ROOT) {
        indexed++
        this.#place(id, free, isIndexSound)
      }
      if (nodes.exists(id)) this.#node(id)
      else this.#ghost(id)
      findings.expectOf('node', id, 'pins', nodes.pinsOf(id), pins[id] as number)
    }
    for (let id = 1; id < free.length; id++) {
      const counted = this.#ghostChildren[id] as number
      if (free[id] !== 0) continue
      findings.expectOf('node', id, 'ghosts below', nodes.ghostChildrenOf(id), counted)
    }
    findings.expect('nodes in the index', tree.children.index.size, indexed)
  }

  /** The list of children: both directions, count, length, and whose they are. */
  #children(id: number, free: Uint8Array): void {
    const { nodes } = this.#tables
    const findings = this.#findings
    let count = 0
    let bytes = 0
    let previous = 0
    for (let child = nodes.firstChildOf(id); child !== 0; child = nodes.nextSiblingOf(child)) {
      const isInOrder =
        free[child] === 0 &&
        this.#listed[child] === 0 &&
        nodes.exists(child) &&
        nodes.parentOf(child) === id &&
        nodes.previousSiblingOf(child) === previous
      if (!isInOrder) {
        findings.add(`node ${id}, children: wrong at node ${child}`)
        return
      }
      this.#listed[child] = 1
      count++
      bytes += nodes.nameLengthOf(child) + 1
      previous = child
    }
    if (nodes.lastChildOf(id) !== previous) findings.add(`node ${id}, children: wrong end`)
    findings.expectOf('node', id, 'children', nodes.childCountOf(id), count)
    const keptBytes = nodes.childListBytesOf(id)
    findings.expectOf('node', id, 'bytes of the list of children', keptBytes, bytes)
  }

  /** Parent, name, and whether the name leads here. */
  #place(id: number, free: Uint8Array, isIndexSound: boolean): void {
    const { nodes, arena, tree } = this.#tables
    const parent = nodes.parentOf(id)
    if (free[parent] !== 0 || (nodes.exists(id) && !nodes.exists(parent))) {
      this.#findings.add(`node ${id}: its parent ${parent} is not there`)
      return
    }
    if (!nodes.exists(id)) this.#ghostChildren[parent] = (this.#ghostChildren[parent] as number) + 1
    else if (this.#listed[id] === 0)
      this.#findings.add(`node ${id} is no child of its parent ${parent}`)
    const length = nodes.nameLengthOf(id)
    this.#tally.block(nodes.nameOf(id), `name of node ${id}`)
    if (length === 0 || length > this.#name.length) {
      this.#findings.add(`node ${id}: a name of ${length} bytes`)
      return
    }
    arena.copyTo(nodes.nameOf(id), length, this.#name, 0)
    if (isIndexSound && tree.children.find(parent, this.#name, 0, length) !== id) {
      this.#findings.add(`node ${id} is not found by its name below ${parent}`)
    }
  }

  #node(id: number): void {
    const { nodes, perms } = this.#tables
    const list = nodes.permsOf(id)
    this.#tally.list(list, `node ${id}`)
    this.#tally.block(nodes.valueOf(id), `value of node ${id}`)
    // The hidden root is nobody's.
    if (id === SPECIAL_ROOT) return
    const owner = nodes.ownerOf(id)
    if (list === 0) this.#findings.add(`node ${id} has no permissions`)
    else if (perms.ownerOf(list) !== owner) {
      this.#findings.add(
        `node ${id} belongs to ${owner}, its permissions to ${perms.ownerOf(list)}`,
      )
    }
    const bytes = NODE_BYTES + nodes.nameLengthOf(id) + nodes.valueLengthOf(id)
    this.#tally.nodes[owner] = (this.#tally.nodes[owner] as number) + 1
    this.#tally.memoryBytes[owner] = (this.#tally.memoryBytes[owner] as number) + bytes
  }

  #ghost(id: number): void {
    const { nodes } = this.#tables
    const payer = nodes.ghostPayerOf(id)
    if (payer !== undefined) this.#tally.ghosts[payer] = (this.#tally.ghosts[payer] as number) + 1
    if (!nodes.isHeld(id)) this.#findings.add(`ghost ${id} is held by nobody`)
    if (nodes.permsOf(id) !== 0 || nodes.valueOf(id) !== 0) {
      this.#findings.add(`ghost ${id} has permissions or a value`)
    }
  }
}
