/**
 * Everything that a store is made of, over one state memory. Reserved sizes are address space: a
 * page costs memory when it is touched first.
 */
import type { StateMemory } from '../../native/os/state-memory.ts'
import { ChildIndex } from './child-index.ts'
import { ChildrenDigest } from './children-digest.ts'
import { Connections } from './connections.ts'
import { DomainRecords } from './domains.ts'
import { EventQueue, type EventSink } from './events.ts'
import { NodeTable } from './node-table.ts'
import { Perms } from './perms.ts'
import { QuotaCheck, type Quotas } from './quota.ts'
import { Tree } from './tree.ts'
import { ValueArena } from './value-arena.ts'
import { Watches } from './watches.ts'

/** How much may ever be kept; the defaults are for some ten thousand guests, many times over. */
export interface StoreCapacity {
  /** Largest connection number + 1. */
  readonly connections: number
  readonly nodes: number
  readonly watches: number
  readonly permLists: number
  readonly transactions: number
  readonly transactionNodes: number
  readonly arenaBytes: number
}

export const DEFAULT_CAPACITY: StoreCapacity = {
  connections: 2 ** 20,
  nodes: 4 * 2 ** 20,
  watches: 2 ** 21,
  permLists: 2 ** 20,
  transactions: 2 ** 17,
  transactionNodes: 2 ** 21,
  arenaBytes: 2 ** 30,
}

export class StoreTables {
  readonly domains: DomainRecords
  readonly quota: QuotaCheck
  readonly connections: Connections
  readonly arena: ValueArena
  readonly perms: Perms
  readonly nodes: NodeTable
  readonly tree: Tree
  readonly watches: Watches
  readonly events: EventQueue
  readonly childrenDigest: ChildrenDigest

  constructor(memory: StateMemory, quotas: Quotas, sink: EventSink, capacity: StoreCapacity) {
    this.domains = new DomainRecords(memory, quotas)
    this.arena = new ValueArena(memory, 'store.arena', capacity.arenaBytes)
    this.quota = new QuotaCheck(this.domains, this.arena)
    this.connections = new Connections(memory, capacity.connections)
    this.perms = new Perms(memory, capacity.permLists, this.arena, this.domains)
    this.nodes = new NodeTable(memory, capacity.nodes, this.domains)
    const index = new ChildIndex(memory, capacity.nodes, this.nodes, this.arena)
    this.tree = new Tree(memory, this.nodes, index, this.arena, this.perms, this.domains)
    this.watches = new Watches(memory, capacity.watches, this)
    this.events = new EventQueue(this, sink)
    this.childrenDigest = new ChildrenDigest(memory, this.nodes, this.arena)
  }
}
