import type { Domid } from '../../native/hypervisor.ts'
import type { Logger } from '../../native/os/log.ts'
import type { RingSet } from '../../native/ring-set.ts'
import type { Connections } from '../connection/connections.ts'
import type { Events } from '../connection/events.ts'
import type { Counters } from '../counters.ts'
import type { Domains } from '../process/domains.ts'
import type { Store } from '../store/store.ts'
import { domainsOf, restoreConnections, restoreStore } from './restore.ts'
import type { SavedState } from './saved-state.ts'
import { RestoreFailure } from './stream-reader.ts'

/** Parts of a daemon that serves nobody yet. */
export interface EmptyDaemon {
  readonly rings: RingSet
  readonly store: Store
  readonly domains: Domains
  readonly connections: Connections
  readonly events: Events
  readonly counters: Counters
  readonly log: Logger
}

/**
 * Goes on where the daemon before has stopped. What happened to domains meanwhile is found out as soon as
 * the loop turns.
 *
 * @throws RestoreFailure; then nothing was taken over
 */
export function takeOver(saved: SavedState, daemon: EmptyDaemon): void {
  const { rings, store, domains, connections, events, counters, log } = daemon
  const { handover } = rings
  if (handover === undefined) throw new RestoreFailure('these rings cannot take anything over')
  const restoration = store.restoration()
  restoreStore(saved, restoration)
  const notes = new Map(domainsOf(saved).map((note) => [note.domid, note]))
  const count = restoreConnections(saved, {
    handover,
    store: restoration,
    connections,
    events,
    log,
    featuresOf: (domid: Domid) => store.settings.featuresOf(domid),
    isSame: (domid: Domid) => domains.isSame({ domid, uuid: notes.get(domid)?.uuid }),
  })
  for (const note of notes.values()) domains.adopt(note)
  if (saved.listenerFd >= 0) handover.adoptListener(saved.listenerFd)
  counters.restore(saved.annex?.counters ?? [])
  const { nodes } = saved
  log.info({ connections: count, domains: notes.size, nodes: nodes.count }, 'taken over')
}
