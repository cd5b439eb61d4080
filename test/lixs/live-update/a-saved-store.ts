import { pino } from 'pino'
import {
  type DumpSource,
  dump,
  type LastWord,
  neededVersion,
} from '../../../lixs/live-update/dump.ts'
import { restoreConnections, restoreStore } from '../../../lixs/live-update/restore.ts'
import { readSavedState, type SavedState } from '../../../lixs/live-update/saved-state.ts'
import { StreamWriter } from '../../../lixs/live-update/stream-writer.ts'
import type { Principal } from '../../../lixs/store/store.ts'
import type { AdoptedRing, Handover } from '../../../native/handover.ts'
import type { Domid } from '../../../native/hypervisor.ts'
import {
  CONNECTION_DOMID,
  CONNECTION_FD,
  CONNECTION_FRESH,
  CONNECTION_KIND,
  CONNECTION_LOCAL_PORT,
  CONNECTION_WORDS,
  type ConnectionId,
} from '../../../native/ring-set.ts'
import { XenError } from '../../../native/xen-error.ts'
import { aStore, Client, type TestStore } from '../store/a-store.ts'

const NOTHING = new Uint8Array(0)

/** What native code would know of connections, and what it was told to take over. */
export class TestHandover implements Handover {
  readonly words = new Int32Array(256 * CONNECTION_WORDS)
  readonly input = new Map<number, Uint8Array>()
  readonly unsent = new Map<number, Uint8Array>()
  readonly cuts = new Map<number, number>()
  readonly adoptedRings: AdoptedRing[] = []
  readonly adoptedSockets: number[] = []
  /** Domids whose ring cannot be mapped. */
  readonly unmappable = new Set<number>()
  listener = 3
  events = -1
  #next = 1

  constructor() {
    this.words[CONNECTION_FRESH] = 256
  }

  addSocket(id: number, fd: number): void {
    this.words[id * CONNECTION_WORDS + CONNECTION_KIND] = 1
    this.words[id * CONNECTION_WORDS + CONNECTION_FD] = fd
  }

  addRing(id: number, domid: number, localPort: number): void {
    this.words[id * CONNECTION_WORDS + CONNECTION_KIND] = 2
    this.words[id * CONNECTION_WORDS + CONNECTION_DOMID] = domid
    this.words[id * CONNECTION_WORDS + CONNECTION_LOCAL_PORT] = localPort
  }

  inheritableDescriptors() {
    return { listener: this.listener, events: this.events }
  }

  inputOf(id: ConnectionId): Uint8Array {
    return this.input.get(id) ?? NOTHING
  }

  unsentOf(id: ConnectionId): Uint8Array {
    return this.unsent.get(id) ?? NOTHING
  }

  cutOf(id: ConnectionId): number {
    return this.cuts.get(id) ?? 0
  }

  putBack(id: ConnectionId, bytes: Uint8Array): void {
    this.input.set(id, Uint8Array.from(bytes))
  }

  releaseVirqs(): void {}

  bindVirqs(): void {}

  adoptListener(fd: number): void {
    this.listener = fd
  }

  adoptSocket(fd: number): ConnectionId {
    this.adoptedSockets.push(fd)
    this.addSocket(this.#next, fd)
    return this.#next++ as ConnectionId
  }

  adoptRing(ring: AdoptedRing): ConnectionId {
    if (this.unmappable.has(ring.domid)) throw new XenError('map', 'EINVAL', 22, 'cannot map')
    this.adoptedRings.push(ring)
    this.addRing(this.#next, ring.domid, ring.localPort)
    return this.#next++ as ConnectionId
  }

  restoreOutput(id: ConnectionId, bytes: Uint8Array, cut: number): void {
    this.unsent.set(id, Uint8Array.from(bytes))
    this.cuts.set(id, cut)
  }
}

/** What is dumped of a store, unless the test says otherwise. */
export function sourceOf(
  store: TestStore,
  handover: TestHandover,
  more: Partial<DumpSource> = {},
): DumpSource {
  return {
    store: store.store.snapshot(),
    connections: handover.words,
    handover,
    quotas: store.quotas,
    changedQuotas: new Map(),
    counters: [['events', 12]],
    pidFileFd: -1,
    stoppedAtMs: 0,
    uuidOf: () => undefined,
    ...more,
  }
}

export function bytesOf(
  source: DumpSource,
  version = neededVersion(source),
  lastWord?: LastWord,
): Buffer {
  const pieces: Buffer[] = []
  dump(source, new StreamWriter((piece) => pieces.push(Buffer.from(piece))), version, lastWord)
  return Buffer.concat(pieces)
}

/** A store made of a saved state, and its connections by the number that the stream has for them. */
export interface Restored {
  readonly store: TestStore
  readonly handover: TestHandover
  readonly state: SavedState
  readonly logged: string[]
  /** Connections for which something waits that was said before. */
  readonly taken: number[]
  client(saved: number): Client
}

/** @throws RestoreFailure */
export function restoredFrom(bytes: Uint8Array, handover = new TestHandover()): Restored {
  const state = readSavedState(bytes)
  const store = aStore()
  for (const [key, value] of state.quotas) store.quotas[key] = value
  const restoration = store.store.restoration()
  restoreStore(state, restoration)
  const who = new Map<number, Principal>()
  const logged: string[] = []
  const taken: number[] = []
  const open = (id: ConnectionId, principal: Principal): void => {
    who.set(id, principal)
    store.store.openConnection(id, principal)
  }
  restoreConnections(state, {
    handover,
    store: restoration,
    connections: {
      openSocket: (id) => open(id, { domid: 0 as Domid, isPrivileged: true }),
      openRing: (id, domid) => open(id, { domid, isPrivileged: false }),
    },
    events: { taken: (id) => taken.push(id) },
    log: pino({}, { write: (line: string) => logged.push(line) }),
    featuresOf: (domid) => store.store.settings.featuresOf(domid),
    isSame: () => true,
  })
  return {
    store,
    handover,
    state,
    logged,
    taken,
    client(saved) {
      const id = state.connections.findIndex((connection) => connection.id === saved) + 1
      const principal = who.get(id)
      if (principal === undefined) throw new Error(`connection ${saved} was not restored`)
      return new Client(store.store, principal, id)
    },
  }
}
