/** Watch events on their way out: into a ring with room, behind others that wait, and left out as one waits already. */
import { Connections } from '../../../lixs/connection/connections.ts'
import { Events } from '../../../lixs/connection/events.ts'
import { Counters } from '../../../lixs/counters.ts'
import type { Domid, Gref } from '../../../native/hypervisor.ts'
import { openLoopback } from '../../../native/loopback.ts'
import {
  CONNECTION_QUEUED_EVENTS,
  CONNECTION_WORDS,
  type ConnectionId,
} from '../../../native/ring-set.ts'
import { aTrace } from '../../../test/support/a-trace.ts'
import { TestTimers } from '../../../test/support/test-timers.ts'
import { FullRing, turnUntil } from '../../native/full-ring.ts'
import type { Cases } from '../../report/measure.ts'
import { Host, must } from '../store/a-host.ts'

/** Events of 64 bytes fill a ring. */
const FITS = 16
const EVENT_BYTES = 64
const MANY = 256
const WAITING = 500
const TOKEN = Buffer.from('token', 'latin1')
/** Another one for each of `WAITING`; with the token, two NULs and the header 64 bytes. */
const PATHS = Array.from({ length: WAITING }, (_, i) =>
  Buffer.from(`/local/domain/1/device/vif/0/state-${String(i).padStart(6, '0')}`, 'latin1'),
)

export function eventsCases(): Cases {
  const { rings, events, host, guest } = someEvents()
  const [roomy, waiting, coalescing] = [guest(1), guest(2), guest(3)]
  const fire = (id: ConnectionId, i: number) => {
    const path = PATHS[i % WAITING] as Buffer
    events.watchEvent(id, path, 0, path.length, TOKEN, 0, TOKEN.length, false)
  }
  const queued = (id: ConnectionId) =>
    rings.connections[id * CONNECTION_WORDS + CONNECTION_QUEUED_EVENTS] as number
  const fireMany = (id: ConnectionId, count: number) => {
    for (let i = 0; i < count; i++) fire(id, i)
    rings.flush()
  }
  // A full ring that nobody takes from.
  fireMany(coalescing.id, WAITING)
  const left = queued(coalescing.id)
  return {
    cases: [
      {
        name: '16 events into a ring with room',
        operations: FITS,
        run() {
          fireMany(roomy.id, FITS)
          must(roomy.ring.waiting === FITS * EVENT_BYTES, 'events in the ring')
          roomy.ring.take()
        },
      },
      {
        name: '256 events queued, and taken',
        operations: MANY,
        async run() {
          fireMany(waiting.id, MANY)
          must(queued(waiting.id) >= MANY - FITS - 1, 'events that wait')
          while (queued(waiting.id) > 0) {
            waiting.ring.take(true)
            await turnUntil(() => waiting.ring.waiting > 0)
          }
          waiting.ring.take()
        },
      },
      {
        name: '256 like ones that wait, among 484',
        operations: MANY,
        run() {
          for (let i = 0; i < MANY; i++) fire(coalescing.id, WAITING - 1 - i)
          rings.flush()
          must(queued(coalescing.id) === left, 'events left out')
        },
      },
    ],
    close() {
      events.stop()
      rings.close()
      host.close()
    },
  }
}

/** Rings, and events for those behind them, with nothing of a daemon besides. */
function someEvents() {
  const host = new Host()
  const loopback = openLoopback()
  const rings = loopback.rings('xenstore', {
    memory: host.memory,
    maxConnections: 16,
    maxQueuedBytes: 2 ** 22,
    virqs: [],
  })
  const events = new Events(
    rings,
    new TestTimers(),
    new Counters(host.memory),
    aTrace().trace,
    20_000,
  )
  const connections = new Connections(rings, host.store, undefined)
  events.serve(connections)
  rings.onBatch(() => undefined)
  const guest = (domid: number) => {
    const end = loopback.guest(domid as Domid, 1 as Gref)
    const id = rings.attach(end.domid, { kind: 'gref', gref: 1 as Gref }, end.port, 0)
    connections.openRing(id, end.domid)
    return { id, ring: new FullRing(end) }
  }
  return { host, rings, events, guest }
}
