import { expect, onTestFinished, test } from 'vitest'
import { Connections } from '../../../lixs/connection/connections.ts'
import { Events } from '../../../lixs/connection/events.ts'
import { Counters } from '../../../lixs/counters.ts'
import type { Domid, EvtchnPort, Gref } from '../../../native/hypervisor.ts'
import { StateMemory } from '../../../native/os/state-memory.ts'
import { aTrace } from '../../support/a-trace.ts'
import { TestRings } from '../../support/test-rings.ts'
import { TestTimers } from '../../support/test-timers.ts'
import { aStore } from '../store/a-store.ts'

test('events that a daemon before has left expire as others do, the privileged ones’ excepted', () => {
  const memory = StateMemory.anonymous(2 ** 24)
  onTestFinished(() => memory.close())
  const rings = new TestRings()
  const timers = new TestTimers()
  const events = new Events(rings, timers, new Counters(memory), aTrace().trace, 20_000)
  const connections = new Connections(rings, aStore().store, undefined)
  events.serve(connections)
  const tool = rings.acceptSocket()
  connections.openSocket(tool)
  const guest = rings.attach(7 as Domid, { kind: 'gref', gref: 1 as Gref }, 5 as EvtchnPort)
  connections.openRing(guest, 7 as Domid)
  events.taken(tool)
  expect(timers.pending).toBe(0)
  events.taken(guest)
  timers.pass(1000)
  expect(rings.calls).toContain(`expireEvents ${guest} 20000`)
  expect(timers.pending).toBe(0)
})
