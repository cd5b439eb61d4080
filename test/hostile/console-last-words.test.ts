/**
 * The last words of guests that die while a thousand others print without an end: all of them are in the log,
 * however many rings are served before.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { BATCH_DATA, BATCH_EMPTIED, type ConnectionId } from '../../native/ring-set.ts'
import { TestHost } from '../consoled/a-host.ts'
import { aFewTurns, type ConsoleGuest, until } from '../consoled/console-guest.ts'
import type { GuestRing } from '../native/guest-ring.ts'
import { RingHarness } from '../native/ring-harness.ts'

const FLOODERS = 1000
const RING_BYTES = 2048
const LAST_WORDS = 'panic: out of everything\n'

describe('of a guest among a thousand floods', () => {
  let harness: RingHarness
  const flooders = new Map<ConnectionId, GuestRing>()
  beforeEach(() => {
    harness = new RingHarness({ kind: 'console', maxConnections: FLOODERS + 200 })
    flooders.clear()
    for (let i = 0; i < FLOODERS; i++) {
      const { ring, id } = harness.guest(10 + i)
      flooders.set(id, ring)
    }
  })
  afterEach(() => harness.close())

  function flood(): void {
    const full = Buffer.alloc(RING_BYTES, 'f')
    for (const ring of flooders.values()) {
      ring.put(full)
      ring.end.kick()
    }
  }

  test.each([
    ['announced', 1],
    ['not announced', 1],
    ['announced', 100],
    ['not announced', 100],
  ])('%s, by %d at once: they come before the notice, and no other waits for more than a ring of each', async (how, count) => {
    const dying = Array.from({ length: count }, (_, i) => harness.guest(5000 + i))
    const dyingIds = new Set<number>(dying.map(({ id }) => id))
    await harness.settle()
    const heard = new Map<number, string>()
    const order: number[] = []
    const served = new Map<number, number>()
    let worst = 0
    let refilledIn = 0
    let isDead = false
    harness.answer = ({ connection, type, payload, batch }) => {
      if (batch !== refilledIn) flood()
      refilledIn = batch
      if (type === BATCH_EMPTIED) order.push(connection)
      if (type !== BATCH_DATA) return
      if (dyingIds.has(connection)) {
        expect(order).not.toContain(connection)
        heard.set(connection, (heard.get(connection) ?? '') + payload.toString('latin1'))
      } else if (isDead && order.length < count) {
        served.set(connection, (served.get(connection) ?? 0) + 1)
        worst = Math.max(worst, served.get(connection) ?? 0)
      }
    }
    // All of them stand in the row by then.
    flood()
    await harness.until(() => harness.batches > 4)
    isDead = true
    for (const { ring, id } of dying) {
      ring.put(Buffer.from(LAST_WORDS))
      if (how === 'announced') ring.end.kick()
      harness.rings.drain(id)
    }
    await harness.until(() => order.length === count)
    expect(new Set(order)).toEqual(dyingIds)
    for (const id of dyingIds) expect(heard.get(id)).toBe(LAST_WORDS)
    expect(served.size).toBeGreaterThan(FLOODERS / 2)
    expect(worst).toBe(1)
  })
})

test.each([
  'announced',
  'not announced',
])('stand in the log of the guest that dies in the storm (%s)', async (how) => {
  const host = new TestHost({ maxOpenLogs: FLOODERS + 100 })
  await host.startStore()
  await host.startConsoled()
  const guests: ConsoleGuest[] = []
  for (let i = 0; i <= FLOODERS; i++) {
    const guest = await host.introduce(10 + i, `g${i}`)
    await host.giveConsole(guest)
    guests.push(guest)
  }
  await until(() => guests.every((guest) => guest.isConnected))
  await aFewTurns()
  const dying = guests.pop()
  if (dying === undefined) throw new Error('there is no guest')
  const full = Buffer.alloc(RING_BYTES, 'f')
  let isOn = true
  const refill = (): void => {
    if (!isOn) return
    host.clock.advance(200)
    for (const guest of guests) if (guest.unreadOutput === 0) guest.print(full)
    setImmediate(refill)
  }
  refill()
  await aFewTurns()
  if (how === 'announced') dying.print(LAST_WORDS)
  else dying.write(LAST_WORDS)
  const { mappings } = host.loopback.leftovers()
  host.kill(dying)
  // Its ring of the store goes as well.
  await until(() => host.loopback.leftovers().mappings === mappings - 2)
  expect(host.logged(`guest-g${FLOODERS}.log`)).toBe(LAST_WORDS)
  isOn = false
  await aFewTurns()
  host.stop()
}, 120_000)

test('are in the logs when consoled is stopped before it came to them', async () => {
  const host = new TestHost({})
  await host.startStore()
  await host.startConsoled()
  const guest = await host.introduce(7, 'g')
  await host.giveConsole(guest)
  const other = await host.introduce(8, 'other')
  await host.giveConsole(other)
  await until(() => guest.isConnected && other.isConnected)
  guest.write(LAST_WORDS)
  other.write('of one that lives on')
  // Nobody has drained yet, and no turn comes between.
  const found = new Promise<void>((resolve) => {
    const { domains } = host
    const info = domains.info.bind(domains)
    domains.info = (domid) => {
      if (domid === guest.domid) setImmediate(resolve)
      return info(domid)
    }
  })
  host.kill(guest)
  await found
  host.consoled.close()
  expect(host.logged('guest-g.log')).toBe(LAST_WORDS)
  expect(host.logged('guest-other.log').length + other.unreadOutput).toBe(20)
  host.stopStore()
})

test('are in the log when consoled is stopped before it is told of the death', async () => {
  const host = new TestHost({})
  await host.startStore()
  await host.startConsoled()
  const guest = await host.introduce(7, 'g')
  await host.giveConsole(guest)
  await until(() => guest.isConnected)
  guest.write(LAST_WORDS)
  host.kill(guest)
  host.consoled.close()
  expect(host.logged('guest-g.log')).toBe(LAST_WORDS)
  host.stopStore()
})
