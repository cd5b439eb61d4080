/**
 * A store as another daemon had it, made anew: nobody is told, no quota is asked, generations are new.
 *
 * Domains come first: a permission counts for a domain that there is.
 */
import { DOM0, type Domid } from '../../native/hypervisor.ts'
import type { Outcome } from '../xs-errno.ts'
import { DOMID_ANY } from './domains.ts'
import { ParsedPath, parsePath } from './path.ts'
import { isDomid } from './perms.ts'
import type { Principal } from './principal.ts'
import type { Quotas } from './quota.ts'
import type { StoreTables } from './tables.ts'
import { ROOT } from './tree.ts'

/** What cannot be restored of a node, in words. */
export type NodeProblem =
  | 'its path is not valid'
  | 'its parent does not come before it'
  | 'it comes twice'
  | 'there is no room for it'

export class StoreRestoration {
  readonly #tables: StoreTables
  /** The last node's path, and its rows from the root on. */
  #last = new ParsedPath()
  #path = new ParsedPath()
  readonly #rows: number[] = []

  /** Removes what a fresh store has; its root and special nodes stay. */
  constructor(tables: StoreTables) {
    this.#tables = tables
    const { nodes, tree } = tables
    for (let top = nodes.firstChildOf(ROOT); top !== 0; top = nodes.firstChildOf(ROOT)) {
      tree.deleteSubtree(top, undefined)
    }
  }

  /** Generations begin behind this one. */
  startAfter(generation: number): void {
    if (generation > this.#tables.tree.generation) this.#tables.tree.startAfter(generation)
  }

  // --- domains

  /** Makes its record. */
  domain(domid: Domid, isIntroduced: boolean, isShutdownReported: boolean): void {
    if (domid !== DOM0) this.#tables.domains.adopt(domid, isIntroduced, isShutdownReported)
  }

  /** `domid` may do what `target` may; both have a record. */
  target(domid: Domid, target: Domid): void {
    this.#tables.domains.setTarget(domid, target)
  }

  /** @param features FEATURE_… bits */
  features(domid: Domid, features: number): void {
    this.#tables.domains.setFeatures(domid, features)
  }

  /** @param value 0 = unlimited */
  limit(domid: Domid, key: keyof Quotas, value: number): void {
    this.#tables.domains.limits.set(domid, key, value)
  }

  // --- nodes: parents before children

  /**
   * One permission of the node that comes next. Who is named has been alive until now: if there is no
   * record of it one is made, and the next look at all domains tells what became of it.
   */
  perm(entry: number, letter: number, domid: number, isStale: boolean): void {
    const { domains, perms } = this.#tables
    if (!isStale && isDomid(domid)) domains.ensure(domid)
    perms.setDraft(entry, letter, domid, isStale)
  }

  /** Whose node can it be? */
  mayOwn(domid: number): boolean {
    return isDomid(domid) || domid === DOMID_ANY
  }

  /**
   * @param perms how many permissions were given
   * @returns undefined when it is there now
   */
  node(
    path: Uint8Array,
    pathStart: number,
    pathEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
    perms: number,
  ): NodeProblem | undefined {
    if (!parsePath(path, pathStart, pathEnd, DOM0, this.#path, 0) || this.#path.isRelative) {
      return 'its path is not valid'
    }
    const { tree, nodes } = this.#tables
    const isMadeAlready = this.#path.count === 0 || this.#path.isSpecial
    const node = isMadeAlready ? tree.find(this.#path) : this.#ghost()
    if (node === 0) return isMadeAlready ? 'its path is not valid' : 'there is no room for it'
    if (node < 0) return 'its parent does not come before it'
    if (!isMadeAlready && nodes.exists(node)) return 'it comes twice'
    const list = this.#tables.perms.intern(perms)
    if (list === 0) return 'there is no room for it'
    if (isMadeAlready) tree.setPerms(node, list)
    else tree.create(node, list)
    if (!tree.setValue(node, value, valueStart, valueEnd)) return 'there is no room for it'
    return undefined
  }

  // --- connections, which the daemon has opened

  /** @returns EEXIST when it comes twice; ENOMEM: no room */
  watch(
    connection: number,
    path: ParsedPath,
    token: Uint8Array,
    start: number,
    end: number,
    depth: number,
  ): Outcome {
    const who: Principal = this.#tables.connections.principalOf(connection)
    return this.#tables.watches.restore(connection, who, path, token, start, end, depth)
  }

  lastTxId(connection: number, txId: number): void {
    this.#tables.connections.setLastTxId(connection, txId)
  }

  /** The domain's ring is served again. */
  connected(domid: Domid, connection: number): void {
    this.#tables.domains.setConnection(domid, connection)
  }

  /**
   * A row for the last component of the path; what the path has in common with the one before is not
   * looked up again.
   * @returns -1: no parent; 0: no room
   */
  #ghost(): number {
    const { tree, nodes } = this.#tables
    const path = this.#path
    const rows = this.#rows
    const parents = path.count - 1
    let node: number = ROOT
    for (let i = this.#common(parents); i <= parents; i++) {
      node = i === 0 ? ROOT : (rows[i - 1] as number)
      if (i === parents) break
      const child = tree.childNamed(node, path, i)
      if (child === 0 || !nodes.exists(child)) return -1
      rows[i] = child
    }
    const row = tree.ensureChild(node, path, parents, DOM0)
    rows[parents] = row
    this.#path = this.#last
    this.#last = path
    return row
  }

  /** How many leading components, at most `most`, are those of the last path. */
  #common(most: number): number {
    const last = this.#last
    const path = this.#path
    const limit = Math.min(most, last.count, this.#rows.length)
    for (let i = 0; i < limit; i++) {
      const start = path.startOf(i)
      const length = path.endOf(i) - start
      if (last.startOf(i) !== start || last.endOf(i) - start !== length) return i
      for (let at = start; at < start + length; at++) {
        if (path.bytes[at] !== last.bytes[at]) return i
      }
    }
    return limit
  }
}
