/** Many who want to commit at once. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { XenstoreClient } from '../../../lixs/client/client.ts'
import {
  XS_READ,
  XS_TRANSACTION_END,
  XS_TRANSACTION_START,
  XS_WRITE,
} from '../../../lixs/wire/ops.ts'
import { aDaemon, type RingGuest, type RunningDaemon, turn } from '../../support/a-daemon.ts'
import { TestTimers } from '../../support/test-timers.ts'

const CREATORS = 64
const GUESTS = 8
const INCREMENTS = 25

let daemon: RunningDaemon
let timers: TestTimers
let tool: XenstoreClient

beforeEach(async () => {
  timers = new TestTimers()
  daemon = aDaemon({ timers })
  tool = await daemon.connect()
})
afterEach(() => daemon.stop())

test('64 creators below shared parents, all at once, never have to try again', async () => {
  const tries = new Array<number>(CREATORS).fill(0)
  const clients = await Promise.all(tries.map(() => daemon.connect()))
  const commits = clients.map((client, i) =>
    client.transaction(async (tx) => {
      tries[i] = (tries[i] ?? 0) + 1
      const home = `/local/domain/${i}`
      tx.mkdir(home)
      tx.setPerms(home, ['n0'])
      tx.write(`/vm/${i}/name`, `guest-${i}`)
      tx.write(`/libxl/${i}/device/vbd/51712/state`, '1')
      tx.write(`/local/domain/0/backend/vbd/${i}/51712/state`, '1')
      await tx.read(home)
    }),
  )
  await Promise.all(commits)
  expect(tries).toEqual(tries.map(() => 1))
  expect((await tool.directory('/local/domain'))?.length).toBe(CREATORS)
})

/** Adds one, as often as it takes. @returns how often it took */
async function increment(ring: RingGuest): Promise<number> {
  for (let tries = 1; ; tries++) {
    const tx = Number((await ring.ask(XS_TRANSACTION_START, '|')).replace('|', ''))
    const value = Number(await ring.ask(XS_READ, '/counter|', tx))
    await ring.ask(XS_WRITE, `/counter|${value + 1}`, tx)
    const outcome = await ring.ask(XS_TRANSACTION_END, 'T|', tx)
    if (outcome === 'OK|') return tries
    if (outcome !== 'EAGAIN|') throw new Error(outcome)
  }
}

async function guests(): Promise<RingGuest[]> {
  await tool.write('/counter', '0')
  await tool.setPerms('/counter', ['b0'])
  const rings: RingGuest[] = []
  for (let domid = 1; domid <= GUESTS; domid++) {
    const ring = daemon.guest(domid)
    await tool.introduce(domid, 0, ring.end.port)
    rings.push(ring)
  }
  return rings
}

/** Lets time pass while the promise is open: whoever waits for another one's transaction goes on. */
async function finished<T>(promise: Promise<T>): Promise<T> {
  let isOpen = true
  const settled = promise.finally(() => {
    isOpen = false
  })
  while (isOpen) {
    for (let i = 0; i < 50 && isOpen; i++) await turn()
    timers.pass(1)
  }
  return settled
}

test('no update is lost, whoever adds to a counter and however often', async () => {
  const rings = await guests()
  const tools = await Promise.all([daemon.connect(), daemon.connect()])
  const adding = [
    ...rings.map(async (ring) => {
      for (let i = 0; i < INCREMENTS; i++) await increment(ring)
    }),
    ...tools.map(async (client) => {
      for (let i = 0; i < INCREMENTS; i++) {
        await client.transaction(async (tx) => {
          tx.write('/counter', String(Number(await tx.read('/counter')) + 1))
        })
      }
    }),
  ]
  await finished(Promise.all(adding))
  expect(await tool.read('/counter')).toBe(String((GUESTS + 2) * INCREMENTS))
})

test('guests that update the same node need few tries, and none is left behind', async () => {
  const rings = await guests()
  const tries: number[] = []
  const adding = rings.map(async (ring) => {
    for (let i = 0; i < INCREMENTS; i++) tries.push(await increment(ring))
  })
  await finished(Promise.all(adding))
  const mean = tries.reduce((sum, count) => sum + count, 0) / tries.length
  expect(mean).toBeLessThanOrEqual(GUESTS)
  expect(Math.max(...tries)).toBeLessThanOrEqual(3 * GUESTS)
  expect(await tool.read('/counter')).toBe(String(GUESTS * INCREMENTS))
})
