/**
 * A store for tests that speaks text: paths, values and permissions as strings, events as a list.
 */
import { onTestFinished } from 'vitest'
import { ParsedPath, parsePath } from '../../../lixs/store/path.ts'
import { DEFAULT_QUOTAS, type Quotas } from '../../../lixs/store/quota.ts'
import { type Principal, Store } from '../../../lixs/store/store.ts'
import type { StoreCapacity } from '../../../lixs/store/tables.ts'
import type { Domid } from '../../../native/hypervisor.ts'
import { StateMemory } from '../../../native/os/state-memory.ts'

/** How a test's domains are: which exist for Xen, and whether orphans are kept. */
interface TestStoreOptions {
  readonly quotas?: Partial<Quotas>
  readonly keepOrphans?: boolean
  /** Domains that Xen knows though nobody has introduced them; all of them unless told. */
  readonly existing?: (domid: Domid) => boolean
  readonly memory?: StateMemory
  readonly capacity?: Partial<StoreCapacity>
}

export const CAPACITY: StoreCapacity = {
  connections: 2 ** 10,
  nodes: 2 ** 13,
  watches: 2 ** 12,
  permLists: 2 ** 12,
  transactions: 2 ** 10,
  transactionNodes: 2 ** 12,
  arenaBytes: 2 ** 23,
}

/** Makes a store in its own memory, both gone when the test ends. */
export function aStore(options: TestStoreOptions = {}): TestStore {
  const memory = options.memory ?? StateMemory.anonymous(2 ** 30)
  if (options.memory === undefined) onTestFinished(() => memory.close())
  return new TestStore(memory, options)
}

export class TestStore {
  readonly store: Store
  readonly quotas: Quotas
  /** `connection path token`, in order of arrival. */
  readonly events: string[] = []
  /** Makes every event that is told end in a throw, as a defect would. */
  isSinkBroken = false
  #connections = 0

  constructor(memory: StateMemory, options: TestStoreOptions) {
    this.quotas = { ...DEFAULT_QUOTAS, ...options.quotas }
    this.store = new Store(
      memory,
      this.quotas,
      {
        watchEvent: (connection, path, start, end, token, tokenStart, tokenEnd) => {
          if (this.isSinkBroken) throw new Error('the sink is broken')
          const name = Buffer.from(path.subarray(start, end)).toString('latin1')
          const text = Buffer.from(token.subarray(tokenStart, tokenEnd)).toString('latin1')
          this.events.push(`${connection} ${name} ${text}`)
        },
      },
      {
        domainExists: options.existing ?? ((): boolean => true),
        keepOrphans: options.keepOrphans ?? false,
        capacity: { ...CAPACITY, ...options.capacity },
      },
    )
  }

  /** The events since the last call. */
  takeEvents(): string[] {
    return this.events.splice(0)
  }

  /** A privileged connection, as a socket is. */
  socket(): Client {
    const who = { domid: 0 as Domid, isPrivileged: true }
    this.store.openConnection(this.#connections, who)
    return new Client(this.store, who, this.#connections++)
  }

  /** An introduced guest. */
  guest(domid: number): Client {
    const who = { domid: domid as Domid, isPrivileged: false }
    this.store.openConnection(this.#connections, who)
    this.store.introduceDomain(who.domid, this.#connections)
    return new Client(this.store, who, this.#connections++)
  }

  /** A guest with its home directory, made as a toolstack makes it. */
  guestAtHome(domid: number): Client {
    const dom0 = this.socket()
    const guest = this.guest(domid)
    dom0.mkdir(`/local/domain/${domid}`)
    dom0.setPerms(`/local/domain/${domid}`, `n${domid}`)
    this.store.closeConnection(dom0.connection)
    return guest
  }

  release(domid: number): void {
    this.store.releaseDomain(domid as Domid)
  }
}

/** What one connection can ask. `tx` is a transaction id; 0 = none. */
export class Client {
  readonly store: Store
  readonly who: Principal
  readonly connection: number
  readonly #path = new ParsedPath()
  readonly #reply = new Uint8Array(8192)

  constructor(store: Store, who: Principal, connection: number) {
    this.store = store
    this.who = who
    this.connection = connection
  }

  read(path: string, tx = 0): string {
    const answer = this.store.read(
      this.who,
      this.#slot(tx),
      this.#parse(path),
      this.#reply,
      7,
      4096,
    )
    return this.#text(answer)
  }

  directory(path: string, tx = 0): string[] | string {
    const answer = this.store.directory(
      this.who,
      this.#slot(tx),
      this.#parse(path),
      this.#reply,
      7,
      4096,
    )
    return typeof answer === 'string' ? answer : this.#strings(answer)
  }

  /** Strings of the answer: the generation, then names, then '' when it is the last part. */
  directoryPart(path: string, offset: number, tx = 0): string[] | string {
    const answer = this.store.directoryPart(
      this.who,
      this.#slot(tx),
      this.#parse(path),
      offset,
      this.#reply,
      7,
      4096,
    )
    return typeof answer === 'string' ? answer : this.#strings(answer)
  }

  getPerms(path: string, tx = 0): string {
    const answer = this.store.getPerms(
      this.who,
      this.#slot(tx),
      this.#parse(path),
      this.#reply,
      7,
      4096,
    )
    return typeof answer === 'string' ? answer : this.#strings(answer).join(' ')
  }

  write(path: string, value: string, tx = 0): string {
    const bytes = Buffer.from(value, 'latin1')
    return this.store.write(this.who, this.#slot(tx), this.#parse(path), bytes, 0, bytes.length)
  }

  mkdir(path: string, tx = 0): string {
    return this.store.mkdir(this.who, this.#slot(tx), this.#parse(path))
  }

  rm(path: string, tx = 0): string {
    return this.store.rm(this.who, this.#slot(tx), this.#parse(path))
  }

  /** @param list `n0 r5` */
  setPerms(path: string, list: string, tx = 0): string {
    const bytes = Buffer.from(`${list.replaceAll(' ', '\0')}\0`, 'latin1')
    return this.store.setPerms(this.who, this.#slot(tx), this.#parse(path), bytes, 0, bytes.length)
  }

  watch(path: string, token: string): string {
    const bytes = Buffer.from(token, 'latin1')
    return this.store.watch(this.connection, this.#parse(path), bytes, 0, bytes.length)
  }

  unwatch(path: string, token: string): string {
    const bytes = Buffer.from(token, 'latin1')
    return this.store.unwatch(this.connection, this.#parse(path), bytes, 0, bytes.length)
  }

  /** @returns the transaction's id */
  start(): number {
    const txId = this.store.startTransaction(this.connection)
    if (typeof txId === 'string') throw new Error(`START: ${txId}`)
    return txId
  }

  commit(tx: number): string {
    return this.store.endTransaction(this.#slot(tx), true)
  }

  abort(tx: number): string {
    return this.store.endTransaction(this.#slot(tx), false)
  }

  close(): void {
    this.store.closeConnection(this.connection)
  }

  #slot(tx: number): number {
    if (tx === 0) return 0
    const slot = this.store.findTransaction(this.connection, tx)
    if (slot === 0) throw new Error(`no transaction ${tx}`)
    return slot
  }

  #parse(path: string): ParsedPath {
    const bytes = Buffer.from(path, 'latin1')
    if (!parsePath(bytes, 0, bytes.length, this.who.domid, this.#path, 0)) {
      throw new Error(`path ${path}`)
    }
    return this.#path
  }

  #text(answer: number | string): string {
    if (typeof answer === 'string') return answer
    return Buffer.from(this.#reply.subarray(7, 7 + answer)).toString('latin1')
  }

  #strings(answer: number): string[] {
    const parts = this.#text(answer).split('\0')
    parts.pop()
    return parts
  }
}
