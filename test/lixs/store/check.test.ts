import { expect, onTestFinished, test } from 'vitest'
import { DEFAULT_QUOTAS } from '../../../lixs/store/quota.ts'
import type { RowTable } from '../../../lixs/store/row-table.ts'
import { StoreTables } from '../../../lixs/store/tables.ts'
import { Transactions } from '../../../lixs/store/transactions.ts'
import { StateMemory } from '../../../native/os/state-memory.ts'
import { aStore, CAPACITY, type Client, type TestStore } from './a-store.ts'

type Rows = (tables: StoreTables, transactions: Transactions) => RowTable
const NODES: Rows = ({ nodes }) => nodes.rows
const WATCHES: Rows = ({ watches }) => watches.rows
const DOMAINS: Rows = ({ domains }) => domains.rows
const TRANSACTIONS: Rows = (_, transactions) => transactions.rows
const RECORDS: Rows = (_, { records }) => records.rows
const PERMS: Rows = ({ perms }) => perms.rows

/** The rows of a table, over the memory that a store uses. */
function rowsIn(memory: StateMemory, table: Rows): RowTable {
  const tables = new StoreTables(memory, DEFAULT_QUOTAS, { watchEvent: () => undefined }, CAPACITY)
  return table(tables, new Transactions(memory, CAPACITY, tables))
}

/** A store with everything in it that a check looks at. */
function aFullStore(): { store: TestStore; memory: StateMemory; dom0: Client; guest: Client } {
  const memory = StateMemory.anonymous(2 ** 30)
  onTestFinished(() => memory.close())
  const store = aStore({ memory })
  const dom0 = store.socket()
  const guest = store.guestAtHome(7)
  dom0.write('/a/b/c', 'value')
  dom0.setPerms('/a/b', 'n7 r8 b9')
  guest.write('/local/domain/7/data/x', 'y'.repeat(1000))
  guest.watch('/local/domain/7/data', 'token')
  guest.watch('/not/there/yet', 'ghost')
  dom0.watch('@releaseDomain', 'release')
  const tx = guest.start()
  guest.read('/local/domain/7/data/x', tx)
  guest.write('/local/domain/7/new/node', 'z', tx)
  guest.rm('/local/domain/7/data', tx)
  const other = dom0.start()
  dom0.directory('/a', other)
  dom0.setPerms('/a', 'n0 r7', other)
  return { store, memory, dom0, guest }
}

function found(store: TestStore): readonly string[] {
  return store.store.accounts.check().sentences
}

test('a store in use is in order, and again when all is gone', () => {
  const { store, dom0, guest } = aFullStore()
  expect(found(store)).toEqual([])
  dom0.rm('/a')
  store.release(7)
  expect(found(store)).toEqual([])
  guest.close()
  dom0.close()
  expect(found(store)).toEqual([])
})

test('orphans that dom0 keeps are counted as its own', () => {
  const store = aStore({ keepOrphans: true })
  const guest = store.guestAtHome(7)
  guest.write('/local/domain/7/data', 'x')
  store.release(7)
  expect(found(store)).toEqual([])
})

test.each([
  ['a parent', NODES, 8, 0, /its parent|not found by its name/],
  ['a name', NODES, 8, 3, /not found by its name/],
  ['a value', NODES, 8, 4, /block/],
  ['permissions', NODES, 8, 6, /permission list|permissions/],
  ['a first child', NODES, 1, 7, /children/],
  ['a sibling', NODES, 5, 9, /children/],
  ['a number of children', NODES, 1, 11, /node 1, children: 4 are kept, 3 counted/],
  ['a length of the list of children', NODES, 1, 12, /bytes of the list of children/],
  ['a number of ghosts below', NODES, 1, 13, /ghosts below/],
  ['pins', NODES, 5, 14, /pins/],
  ['an owner', NODES, 8, 15, /belongs to/],
  ['a list of nodes of a domain', NODES, 8, 16, /list of nodes/],
  ['a number of nodes of a domain', DOMAINS, 7, 2, /domain 7, nodes: 5 are kept, 4 counted/],
  ['a number of watches of a domain', DOMAINS, 7, 5, /domain 7, watches/],
  ['a number of transactions of a domain', DOMAINS, 7, 6, /domain 7, transactions/],
  ['memory of a domain', DOMAINS, 7, 13, /domain 7, memory/],
  ['ghosts of a domain', DOMAINS, 7, 14, /domain 7, ghosts/],
  ['a watch on a node', WATCHES, 1, 4, /watch/],
  ['a watch of a connection', WATCHES, 2, 6, /watch/],
  ["a watch's connection", WATCHES, 1, 1, /another's|connection is not open/],
  ["a watch's charge", WATCHES, 1, 9, /domain 7, memory/],
  ["a transaction's number", TRANSACTIONS, 1, 2, /not found by its number/],
  ['records of a transaction', TRANSACTIONS, 1, 6, /transaction 1, records/],
  ['a node of a record', RECORDS, 1, 1, /its record of node|pins/],
  ['the next record', RECORDS, 1, 2, /records/],
  ['users of a permission list', PERMS, 1, 0, /users of permission list 1/],
  ['a block of a permission list', PERMS, 1, 1, /block/],
] as const)('a check finds %s that is wrong', (_, table, row, word, sentence) => {
  const { store, memory } = aFullStore()
  expect(found(store)).toEqual([])
  rowsIn(memory, table).add(row, word, 1)
  expect(found(store).join('\n')).toMatch(sentence)
})

test('a check ends when a list leads back to where it came from', () => {
  const { store, memory } = aFullStore()
  const nodes = rowsIn(memory, NODES)
  nodes.set(8, 9, 8)
  nodes.set(8, 16, 8)
  expect(found(store).length).toBeGreaterThan(0)
})

test('a check ends when the index leads in a circle', () => {
  const { store, memory } = aFullStore()
  const links = memory.int32('store.children.links', 64)
  for (let id = 3; id < 12; id++) links[id * 2] = id
  expect(found(store)).toContain('nodes: the index is broken')
})

test('a check of a deep path needs no stack', () => {
  const store = aStore({ quotas: { pathMax: 0 } })
  const dom0 = store.socket()
  dom0.write(`/${'a/'.repeat(1500)}a`, 'x')
  expect(found(store)).toEqual([])
})

test('a check tells how much more is wrong than it says', () => {
  const { store, memory } = aFullStore()
  const domains = rowsIn(memory, DOMAINS)
  for (let domid = 10; domid < 110; domid++) domains.set(domid, 5, 1)
  const { count, sentences } = store.store.accounts.check()
  expect([count, sentences.length]).toEqual([100, 50])
})
