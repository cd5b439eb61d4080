/** What becomes of the nodes of a domain that is gone. */
import { DOM0, type Domid } from '../../native/hypervisor.ts'
import type { StoreTables } from './tables.ts'
import { RELEASE_DOMAIN, ROOT } from './tree.ts'

export class Orphans {
  readonly #tables: StoreTables
  readonly #areKept: boolean

  /** @param areKept they go to dom0 instead of being deleted */
  constructor(tables: StoreTables, areKept: boolean) {
    this.#tables = tables
    this.#areKept = areKept
  }

  /** Deletes what a domain owns, from the top down to whoever's is below; or gives it to dom0. */
  take(domid: Domid): void {
    const { domains, nodes, tree, events } = this.#tables
    for (let node: number = ROOT; node <= RELEASE_DOMAIN; node++) {
      if (nodes.ownerOf(node) === domid) this.#giveToDom0(node)
    }
    for (let node = domains.firstNodeOf(domid); node !== 0; node = domains.firstNodeOf(domid)) {
      if (this.#areKept) {
        this.#giveToDom0(node)
      } else {
        tree.deleteSubtree(tree.topmostOwned(node), events)
        events.flush()
      }
    }
  }

  #giveToDom0(node: number): void {
    const { nodes, perms, tree } = this.#tables
    let list = perms.withOwner(nodes.permsOf(node), DOM0)
    if (list === 0) {
      // Without room for a list of its own: what always works, and gives nobody too much.
      list = tree.nobodysList
      perms.use(list)
    }
    tree.setPerms(node, list)
  }
}
