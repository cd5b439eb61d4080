/**
 * Makes a daemon of a saved state: first the store, which can refuse it; then rings and sockets, of which
 * each may fail for itself.
 */
import { type Handover, PAGE_GREF, PAGE_SELF } from '../../native/handover.ts'
import {
  DOM0,
  type Domid,
  type EvtchnPort,
  GNTTAB_RESERVED_XENSTORE,
} from '../../native/hypervisor.ts'
import type { Logger } from '../../native/os/log.ts'
import type { ConnectionId } from '../../native/ring-set.ts'
import { XenError } from '../../native/xen-error.ts'
import { SERVER_FEATURES } from '../store/features.ts'
import { ParsedPath, parsePath } from '../store/path.ts'
import type { StoreRestoration } from '../store/restoration.ts'
import type { DomainNote } from './annex.ts'
import {
  letterAt,
  nodeParts,
  type SavedConnection,
  type SavedEnd,
  type SavedState,
} from './saved-state.ts'
import { NODE_LENGTH, PERM_LENGTH, PERM_STALE } from './stream-format.ts'

/**
 * Domains and nodes.
 *
 * @throws RestoreFailure when the nodes are no tree, or do not fit into this store
 */
export function restoreStore(state: SavedState, store: StoreRestoration): void {
  if (state.annex !== undefined) store.startAfter(state.annex.process.generation)
  const notes = new Map(domainsOf(state).map((note) => [note.domid, note]))
  for (const { domid, isIntroduced, isShutdownReported } of notes.values()) {
    store.domain(domid, isIntroduced, isShutdownReported)
  }
  for (const { domid, features, quotas } of state.domains) {
    if (!notes.has(domid)) store.domain(domid, false, false)
    if (features !== undefined) store.features(domid, features & SERVER_FEATURES)
    for (const [key, value] of quotas) store.limit(domid, key, value)
  }
  for (const { end } of state.connections) {
    if (end.kind === 'ring' && end.target !== undefined) store.target(end.domid, end.target)
  }
  restoreNodes(state, store)
}

function restoreNodes({ nodes }: SavedState, store: StoreRestoration): void {
  nodes.rewind()
  for (let reader = nodes.next(); reader !== undefined; reader = nodes.next()) {
    const { perms, pathStart, pathEnd, valueEnd } = nodeParts(reader)
    if (!store.mayOwn(reader.u16(NODE_LENGTH + 2))) reader.refuse('is the node of no domain')
    for (let i = 0; i < perms; i++) {
      const at = NODE_LENGTH + i * PERM_LENGTH
      // An owner has been alive until now: with a record, the next look at all domains tells its end.
      const isStale = i > 0 && (reader.u8(at + 1) & PERM_STALE) !== 0
      store.perm(i, letterAt(reader, i), reader.u16(at + 2), isStale)
    }
    const bytes = reader.bytes(0, valueEnd)
    const problem = store.node(bytes, pathStart, pathEnd - 1, bytes, pathEnd, valueEnd, perms)
    if (problem === undefined) continue
    const path = Buffer.from(bytes.subarray(pathStart, pathEnd - 1)).toString('latin1')
    reader.refuse(`is node ${path}, and ${problem}`)
  }
}

/** What is known of each domain; without an annex those whose ring was served. */
export function domainsOf({ annex, connections }: SavedState): readonly DomainNote[] {
  if (annex !== undefined) return annex.domains
  const notes: DomainNote[] = []
  for (const { end } of connections) {
    if (end.kind !== 'ring' || end.domid === DOM0) continue
    const { domid } = end
    notes.push({ domid, isIntroduced: true, isShutdownReported: false, uuid: undefined })
  }
  return notes
}

/** What connections are restored with. */
export interface ConnectionTargets {
  readonly handover: Handover
  readonly store: StoreRestoration
  readonly connections: {
    openSocket(id: ConnectionId): void
    openRing(id: ConnectionId, domid: Domid): void
  }
  readonly events: {
    /** Something that was said before waits for the connection. */
    taken(id: ConnectionId): void
  }
  readonly log: Logger
  /** FEATURE_… bits that the domain is offered. */
  featuresOf(domid: Domid): number
  /** Is it the domain that the saved state speaks of, rather than the next one with its domid? */
  isSame(domid: Domid): boolean
}

/**
 * Sockets and rings, with their watches and what was on its way. A ring that cannot be mapped any more is
 * given up; its domain stays known until Xen tells its end.
 *
 * @returns how many are served again
 */
export function restoreConnections(state: SavedState, targets: ConnectionTargets): number {
  const path = new ParsedPath()
  let count = 0
  for (const saved of state.connections) {
    const id = adopt(state, saved, targets)
    if (id === undefined) continue
    count++
    const { handover, store } = targets
    store.lastTxId(id, state.annex?.connections.get(saved.id)?.lastTxId ?? 0)
    restoreWatches(saved, id, path, targets)
    if (saved.input.length > 0) handover.putBack(id, saved.input)
    if (saved.output.length === 0) continue
    handover.restoreOutput(id, saved.output, saved.cut)
    targets.events.taken(id)
  }
  return count
}

function adopt(
  state: SavedState,
  { id, end }: SavedConnection,
  targets: ConnectionTargets,
): ConnectionId | undefined {
  const { connections, handover, store, log } = targets
  try {
    if (end.kind === 'socket') {
      const isEnded = state.annex?.connections.get(id)?.isEnded ?? false
      const socket = handover.adoptSocket(end.fd, isEnded)
      connections.openSocket(socket)
      return socket
    }
    if (!targets.isSame(end.domid)) return undefined
    const ring = adoptRing(state, id, end, targets)
    connections.openRing(ring, end.domid)
    store.connected(end.domid, ring)
    return ring
  } catch (error) {
    if (!(error instanceof XenError)) throw error
    log.warn({ err: error, connection: end }, 'connection not restored')
    return undefined
  }
}

function adoptRing(
  { annex }: SavedState,
  id: number,
  { domid, localPort }: SavedEnd & { readonly kind: 'ring' },
  { handover, featuresOf }: ConnectionTargets,
): ConnectionId {
  const note = annex?.connections.get(id)
  return handover.adoptRing({
    domid,
    pageKind: note?.pageKind ?? (domid === DOM0 ? PAGE_SELF : PAGE_GREF),
    page: note?.page ?? GNTTAB_RESERVED_XENSTORE,
    localPort,
    remotePort: (note?.remotePort ?? 0) as EvtchnPort,
    features: featuresOf(domid),
    isBroken: note?.isBroken ?? false,
  })
}

function restoreWatches(
  { end, watches }: SavedConnection,
  id: ConnectionId,
  path: ParsedPath,
  { store, log }: ConnectionTargets,
): void {
  const home = end.kind === 'ring' ? end.domid : DOM0
  for (const watch of watches) {
    parsePath(watch.path, 0, watch.path.length, home, path, 0)
    const { token, depth } = watch
    const outcome = store.watch(id, path, token, 0, token.length, depth)
    if (outcome !== 'OK') log.warn({ outcome, connection: end }, 'watch not restored')
  }
}
