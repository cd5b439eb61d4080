/**
 * What the store's operations cost without any protocol around them, with few and with many guests.
 *
 * The law: the columns of one guest and of many must not differ by more than caches explain.
 */
import { Bench } from 'tinybench'
import { ParsedPath, parsePath } from '../../../lixs/store/path.ts'
import { DEFAULT_QUOTAS } from '../../../lixs/store/quota.ts'
import { type Principal, Store } from '../../../lixs/store/store.ts'
import type { Domid } from '../../../native/hypervisor.ts'
import { StateMemory } from '../../../native/os/state-memory.ts'

const TREE = [
  ['name', 'guest'],
  ['domid', '12345'],
  ['vm', '/vm/00000000-0000-0000-0000-000000000000'],
  ['memory/target', '262144'],
  ['memory/static-max', '262144'],
  ['cpu/0/availability', 'online'],
  ['console/ring-ref', '1048575'],
  ['console/port', '2'],
  ['console/limit', '1048576'],
  ['console/type', 'xenconsoled'],
  ['store/ring-ref', '1048574'],
  ['store/port', '1'],
  ['control/shutdown', ''],
  ['control/platform-feature-multiprocessor-suspend', '1'],
  ['device/suspend/event-channel', ''],
  ['data/x', ''],
] as const

class Host {
  readonly memory = StateMemory.anonymous()
  readonly store: Store
  readonly dom0: Principal = { domid: 0 as Domid, isPrivileged: true }
  readonly into = new Uint8Array(8192)
  events = 0
  readonly #path = new ParsedPath()

  constructor() {
    this.store = new Store(
      this.memory,
      { ...DEFAULT_QUOTAS },
      { watchEvent: () => this.events++ },
      { domainExists: () => true, keepOrphans: false },
    )
    this.store.openConnection(0, this.dom0)
  }

  path(text: string, domid = 0): ParsedPath {
    const bytes = Buffer.from(text, 'latin1')
    parsePath(bytes, 0, bytes.length, domid as Domid, this.#path, 0)
    return this.#path
  }

  write(text: string, value: string, tx = 0): void {
    const bytes = Buffer.from(value, 'latin1')
    const outcome = this.store.write(this.dom0, tx, this.path(text), bytes, 0, bytes.length)
    if (outcome !== 'OK') throw new Error(`${text}: ${outcome}`)
  }

  /** A guest as a toolstack makes it: one transaction, then INTRODUCE; it watches one of its keys. */
  makeGuest(domid: number): void {
    const home = `/local/domain/${domid}`
    const txId = this.store.startTransaction(0)
    if (typeof txId === 'string') throw new Error(txId)
    const tx = this.store.findTransaction(0, txId)
    this.store.mkdir(this.dom0, tx, this.path(home))
    const perms = Buffer.from(`n${domid}\0`, 'latin1')
    this.store.setPerms(this.dom0, tx, this.path(home), perms, 0, perms.length)
    for (const [key, value] of TREE) this.write(`${home}/${key}`, value, tx)
    const outcome = this.store.endTransaction(tx, true)
    if (outcome !== 'OK') throw new Error(outcome)
    this.store.openConnection(domid, { domid: domid as Domid, isPrivileged: false })
    this.store.introduceDomain(domid as Domid, domid)
    const token = Buffer.from('token', 'latin1')
    this.store.watch(domid, this.path('control/shutdown', domid), token, 0, token.length)
  }

  removeGuest(domid: number): void {
    this.store.closeConnection(domid)
    this.store.releaseDomain(domid as Domid)
  }
}

/** Median nanoseconds per operation, by name. */
async function measure(guests: number): Promise<Map<string, number>> {
  const host = new Host()
  for (let domid = 1; domid <= guests; domid++) host.makeGuest(domid)
  const { store, dom0, into } = host
  const last = { domid: guests as Domid, isPrivileged: false }
  const spare = guests + 1
  const bench = new Bench({ time: 300, warmupTime: 100 })
  const value = Buffer.from('262144', 'latin1')
  const paths = new Map<string, ParsedPath>()
  for (const key of ['memory/target', 'control/shutdown', 'device']) {
    const path = new ParsedPath()
    const bytes = Buffer.from(key, 'latin1')
    parsePath(bytes, 0, bytes.length, guests as Domid, path, 0)
    paths.set(key, path)
  }
  const target = paths.get('memory/target') ?? new ParsedPath()
  const shutdown = paths.get('control/shutdown') ?? new ParsedPath()
  const device = paths.get('device') ?? new ParsedPath()
  const raw = Buffer.from('memory/target', 'latin1')
  const parsed = new ParsedPath()
  bench
    .add('parse a path', () => parsePath(raw, 0, raw.length, last.domid, parsed, 2048))
    .add('READ, privileged', () => store.read(dom0, 0, target, into, 0, 4096))
    .add('READ, guest', () => store.read(last, 0, target, into, 0, 4096))
    .add('WRITE, guest', () => store.write(last, 0, target, value, 0, value.length))
    .add('WRITE with an event', () => store.write(dom0, 0, shutdown, value, 0, 6))
    .add('DIRECTORY', () => store.directory(dom0, 0, device, into, 0, 4096))
    .add('transaction: READ, WRITE', () => {
      const txId = store.startTransaction(0)
      if (typeof txId === 'string') return
      const tx = store.findTransaction(0, txId)
      store.read(dom0, tx, target, into, 0, 4096)
      store.write(dom0, tx, target, value, 0, value.length)
      store.endTransaction(tx, true)
    })
    .add('guest: made and released', () => {
      host.makeGuest(spare)
      host.removeGuest(spare)
    })
  await bench.run()
  const medians = new Map<string, number>()
  for (const task of bench.tasks) {
    const { result } = task
    if ('latency' in result) medians.set(task.name, result.latency.p50 * 1e6)
  }
  host.memory.close()
  return medians
}

/** Resident bytes that a million nodes of typical names and values take, each. */
function bytesPerNode(): number {
  const host = new Host()
  host.write('/warm', 'up')
  const before = process.memoryUsage().rss
  let nodes = 0
  for (let i = 0; nodes < 1e6; i++) {
    for (let j = 0; j < 100; j++, nodes++) host.write(`/n/${i}/state-${j}`, 'online')
  }
  const bytes = (process.memoryUsage().rss - before) / nodes
  host.memory.close()
  return bytes
}

/** One operation of the store, beside few guests and beside many. */
export interface StoreResult {
  readonly name: string
  /** Median nanoseconds with one guest there. */
  readonly fewNs: number
  /** The same with `guests` of them. */
  readonly manyNs: number
}

export interface StoreBench {
  readonly bytesPerNode: number
  readonly results: readonly StoreResult[]
}

/** @param guests how many are there for the second column */
export async function benchStore(guests: number): Promise<StoreBench> {
  const bytes = bytesPerNode()
  const few = await measure(1)
  const lots = await measure(guests)
  const results = [...few].map(([name, fewNs]) => {
    return { name, fewNs, manyNs: lots.get(name) ?? Number.NaN }
  })
  return { bytesPerNode: bytes, results }
}
