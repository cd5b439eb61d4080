/**
 * Isolation of consoles, counted and not timed: from the moment when a victim's output is visible until the
 * batch that brings it is handled, so until it is in the log, at most one quantum of each other guest is taken, however much they print.
 */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { BATCH_DATA, type ConnectionId } from '../../native/ring-set.ts'
import type { GuestRing } from '../native/guest-ring.ts'
import { RingHarness } from '../native/ring-harness.ts'

/** What a console's ring holds: the most that is taken of a guest at a time. */
const QUANTUM = 2048

let harness: RingHarness
beforeEach(() => {
  harness = new RingHarness({ kind: 'console', maxConnections: 1024 })
})
afterEach(() => harness.close())

test.each([
  [100, 60],
  [300, 30],
  [600, 20],
])('a victim among %d floods waits for one quantum of each at most', async (floods, times) => {
  const flooders = new Map<ConnectionId, GuestRing>()
  for (let i = 0; i < floods; i++) {
    const { ring, id } = harness.guest(10 + i)
    flooders.set(id, ring)
  }
  const victim = harness.guest(1)
  await harness.settle()
  const flood = Buffer.alloc(QUANTUM, 'f')
  /** Of each flooder, since the victim's output is visible. */
  const served = new Map<ConnectionId, number>()
  let visibleInBatch = 0
  let isWaiting = false
  /** Brings the victim's output: whoever stands behind it there is logged with it. */
  let victimsBatch = 0
  let handled = 0
  let worst = 0
  let rounds = 0
  let isOver = false
  const refill = (): void => {
    for (const ring of flooders.values()) {
      ring.put(flood)
      ring.end.kick()
    }
  }
  const speak = (batch: number): void => {
    victim.ring.put(Buffer.from('help'))
    victim.ring.end.kick()
    isWaiting = true
    visibleInBatch = batch
    victimsBatch = 0
    served.clear()
  }
  let refilledIn = 0
  harness.answer = ({ connection, type, payload, batch }) => {
    if (type !== BATCH_DATA || isOver) return
    const id = connection as ConnectionId
    handled++
    // What was taken with the batch before has left their rings by now: they print as fast as that.
    if (batch !== refilledIn) refill()
    refilledIn = batch
    expect(payload.length).toBeLessThanOrEqual(QUANTUM)
    if (isWaiting && victimsBatch !== 0 && batch !== victimsBatch) {
      isWaiting = false
      rounds++
      isOver = rounds === times
    }
    if (id === victim.id) {
      victimsBatch = batch
      return
    }
    // What is in the batch at hand was taken before.
    if (isWaiting && batch > visibleInBatch) {
      const quanta = (served.get(id) ?? 0) + 1
      served.set(id, quanta)
      worst = Math.max(worst, quanta)
    }
    // At other places in a pass each time.
    if (!isWaiting && handled % 37 === 0) speak(batch)
  }
  await harness.until(() => {
    if (isOver) return true
    refill()
    // Also behind all of them, when none is served yet.
    if (!isWaiting) speak(harness.batches)
    return false
  })
  expect(rounds).toBe(times)
  expect(handled).toBeGreaterThan(times * 20)
  expect(worst).toBe(1)
})
