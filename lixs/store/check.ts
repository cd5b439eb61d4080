/**
 * Is the store in order? Everything is counted anew and compared with what is kept: links, indexes,
 * accounts, users of blocks and lists.
 *
 * It looks at every row, so it costs what the whole store costs (about a second for half a million
 * nodes), and nobody else is served meanwhile: a store that changes under a check could not be told
 * from a broken one. Only an operator's command does this.
 */
import { Findings } from './check-findings.ts'
import { NodeCheck } from './check-nodes.ts'
import { Tally } from './check-tally.ts'
import type { StoreTables } from './tables.ts'
import type { Transactions } from './transactions.ts'

/** What is wrong; `sentences` holds the first of it. */
export interface CheckResult {
  readonly count: number
  readonly sentences: readonly string[]
}

/** For the time between two requests: within one, events hold nodes that nobody counts here. */
export function checkStore(tables: StoreTables, transactions: Transactions): CheckResult {
  const findings = new Findings()
  const tally = new Tally(tables, findings)
  const pins = checkTransactions(tables, transactions, findings, tally)
  checkWatches(tables, findings, tally)
  // For ever in use, see Tree.nobodysList.
  tally.list(tables.tree.nobodysList, 'the store')
  new NodeCheck(tables, findings, tally).run(pins)
  tally.compare()
  return findings
}

/** @returns how many records name each node */
function checkTransactions(
  tables: StoreTables,
  transactions: Transactions,
  findings: Findings,
  tally: Tally,
): Int32Array {
  const { connections, nodes } = tables
  const { records } = transactions
  const pins = new Int32Array(nodes.rows.highest + 1)
  const free = transactions.rows.freeRows()
  if (free === undefined) findings.add('transactions: the list of free rows is broken')
  if (!transactions.index.isSound()) findings.add('transactions: the index is broken')
  if (records.rows.freeRows() === undefined || !records.index.isSound()) {
    findings.add('records of transactions: the index or the list of free rows is broken')
    return pins
  }
  let recordCount = 0
  for (let slot = 1; slot < (free?.length ?? 0); slot++) {
    if (free?.[slot] !== 0) continue
    const what = `transaction ${slot}`
    const connection = transactions.connectionOf(slot)
    const domid = transactions.domidOf(slot)
    tally.transactions[domid] = (tally.transactions[domid] as number) + 1
    tally.memoryBytes[domid] = (tally.memoryBytes[domid] as number) + transactions.chargeOf(slot)
    if (!connections.isOpen(connection)) findings.add(`${what}: its connection is not open`)
    if (transactions.find(connection, transactions.txIdOf(slot)) !== slot) {
      findings.add(`${what} is not found by its number`)
    }
    let count = 0
    let record = transactions.firstRecordOf(slot)
    for (; record !== 0 && count <= records.count; record = records.nextOf(record)) {
      const node = records.nodeOf(record)
      count++
      if (records.find(slot, node) !== record)
        findings.add(`${what}: its record of node ${node} is not found`)
      pins[node] = (pins[node] as number) + 1
      for (const ref of records.blocksOf(record)) tally.block(ref, what)
      for (const list of records.listsOf(record)) tally.list(list, what)
    }
    findings.expect(`${what}, records`, transactions.recordCountOf(slot), count)
    recordCount += count
  }
  findings.expect('records of transactions', records.count, recordCount)
  findings.expect('transactions in the index', transactions.index.size, transactions.count)
  checkConnections(tables, transactions, findings)
  return pins
}

/** The lists of what belongs to each connection hold as much as there is. */
function checkConnections(
  tables: StoreTables,
  transactions: Transactions,
  findings: Findings,
): void {
  const { connections, watches } = tables
  let transactionCount = 0
  let watchCount = 0
  for (let connection = 0; connection < connections.capacity; connection++) {
    let slot = connections.firstTransactionOf(connection)
    for (; slot !== 0 && transactionCount <= transactions.count; slot = transactions.nextOf(slot)) {
      transactionCount++
      if (transactions.connectionOf(slot) !== connection) {
        findings.add(`connection ${connection}: transaction ${slot} is another's`)
      }
    }
    let watch = connections.firstWatchOf(connection)
    for (; watch !== 0 && watchCount <= watches.count; watch = watches.nextOfConnectionOf(watch)) {
      watchCount++
      if (watches.connectionOf(watch) !== connection) {
        findings.add(`connection ${connection}: watch ${watch} is another's`)
      }
    }
  }
  findings.expect('transactions of connections', transactions.count, transactionCount)
  findings.expect('watches of connections', watches.count, watchCount)
}

function checkWatches(tables: StoreTables, findings: Findings, tally: Tally): void {
  const { connections, nodes, watches } = tables
  const free = watches.rows.freeRows()
  if (free === undefined) findings.add('watches: the list of free rows is broken')
  if (!watches.index.isSound()) findings.add('watches: the index is broken')
  findings.expect('watches in the index', watches.index.size, watches.count)
  for (let id = 1; id < (free?.length ?? 0); id++) {
    if (free?.[id] !== 0) continue
    const what = `watch ${id}`
    const connection = watches.connectionOf(id)
    const domid = connections.domidOf(connection)
    if (!connections.isOpen(connection)) findings.add(`${what}: its connection is not open`)
    tally.block(watches.tokenOf(id), `token of ${what}`)
    tally.watches[domid] = (tally.watches[domid] as number) + 1
    tally.memoryBytes[domid] = (tally.memoryBytes[domid] as number) + watches.chargeOf(id)
    const node = watches.nodeOf(id)
    const previous = watches.previousOnNodeOf(id)
    const next = watches.nextOnNodeOf(id)
    const isLinked =
      (previous === 0 ? nodes.firstWatchOf(node) : watches.nextOnNodeOf(previous)) === id &&
      (next === 0 ? nodes.lastWatchOf(node) : watches.previousOnNodeOf(next)) === id
    if (!isLinked) findings.add(`${what} is not in the list of node ${node}`)
  }
}
