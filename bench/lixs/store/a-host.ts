/** A store with its principals and nothing around it, for benches; what they ask of it must succeed. */
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

export class Host {
  readonly memory = StateMemory.anonymous()
  readonly store: Store
  /** Connection 0. */
  readonly dom0: Principal = { domid: 0 as Domid, isPrivileged: true }
  /** For answers: all of a directory of ten thousand fits in. */
  readonly into = new Uint8Array(2 ** 18)
  /** Watch events so far. */
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

  /** A path to keep. @param domid whose home a relative one begins in */
  pathOf(text: string, domid = 0): ParsedPath {
    return this.#parse(text, domid, new ParsedPath())
  }

  write(text: string, value: string, tx = 0): void {
    const bytes = Buffer.from(value, 'latin1')
    must(this.store.write(this.dom0, tx, this.path(text), bytes, 0, bytes.length), text)
  }

  setPerms(text: string, perms: string, tx = 0): void {
    const bytes = Buffer.from(perms.replaceAll('|', '\0'), 'latin1')
    must(this.store.setPerms(this.dom0, tx, this.path(text), bytes, 0, bytes.length), text)
  }

  watch(connection: number, text: string, token = 'token', domid = 0): void {
    const bytes = Buffer.from(token, 'latin1')
    must(this.store.watch(connection, this.path(text, domid), bytes, 0, bytes.length), text)
  }

  /** A transaction of connection 0. */
  begin(): number {
    const txId = this.store.startTransaction(0)
    if (typeof txId === 'string') throw new Error(txId)
    return this.store.findTransaction(0, txId)
  }

  commit(tx: number): void {
    must(this.store.endTransaction(tx, true), 'commit')
  }

  /** A guest as a toolstack makes it: one transaction, then INTRODUCE; it watches one of its keys. */
  makeGuest(domid: number): void {
    const home = `/local/domain/${domid}`
    const tx = this.begin()
    must(this.store.mkdir(this.dom0, tx, this.path(home)), home)
    this.setPerms(home, `n${domid}|`, tx)
    for (const [key, value] of TREE) this.write(`${home}/${key}`, value, tx)
    this.commit(tx)
    this.store.openConnection(domid, { domid: domid as Domid, isPrivileged: false })
    this.store.introduceDomain(domid as Domid, domid)
    this.watch(domid, 'control/shutdown', 'token', domid)
  }

  removeGuest(domid: number): void {
    this.store.closeConnection(domid)
    this.store.releaseDomain(domid as Domid)
  }

  close(): void {
    this.memory.close()
  }

  /** A path until the next one. */
  path(text: string, domid = 0): ParsedPath {
    return this.#parse(text, domid, this.#path)
  }

  #parse(text: string, domid: number, into: ParsedPath): ParsedPath {
    const bytes = Buffer.from(text, 'latin1')
    must(parsePath(bytes, 0, bytes.length, domid as Domid, into, 0), text)
    return into
  }
}

/** A bench that measures a refusal measures nothing. @throws Error naming what was asked */
export function must(outcome: string | number | boolean, what: string): void {
  if (outcome === false || (typeof outcome === 'string' && outcome !== 'OK')) {
    throw new Error(`${what}: ${outcome}`)
  }
}
