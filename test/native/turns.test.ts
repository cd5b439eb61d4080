/** A turn of the loop: as many batches as there is something to say, then one empty one. */
import { expect, onTestFinished, test } from 'vitest'
import type { Domid, Gref } from '../../native/hypervisor.ts'
import { openLoopback } from '../../native/loopback.ts'
import { StateMemory } from '../../native/os/state-memory.ts'
import type { RingSet } from '../../native/ring-set.ts'
import { encode, GuestRing } from './guest-ring.ts'

function aSet() {
  const memory = StateMemory.anonymous(2 ** 30)
  const loopback = openLoopback()
  const options = { memory, maxConnections: 8, maxQueuedBytes: 2 ** 20, virqs: [] }
  const rings = loopback.rings('xenstore', options)
  onTestFinished(() => {
    rings.close()
    memory.close()
  })
  return { loopback, rings }
}

interface Heard {
  readonly words: number
  readonly nowMs: number
}

/** Notes batches, and the ends of turns as batches of no words. */
function listenTo(rings: RingSet, during: () => void = () => undefined): Heard[] {
  const heard: Heard[] = []
  rings.onBatch(
    ({ length, nowMs }) => {
      heard.push({ words: length, nowMs })
      during()
    },
    ({ length, nowMs }) => heard.push({ words: length, nowMs }),
  )
  return heard
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise<void>((resolve) => setImmediate(resolve))
}

const REQUEST = encode(2, 1, 0, Buffer.from('domid\0'))
const REQUEST_WORDS = 6 + 2

test('requests of one guest come one by one, in one turn, which then ends', async () => {
  const { loopback, rings } = aSet()
  const end = loopback.guest(1 as Domid, 1 as Gref)
  rings.attach(end.domid, { kind: 'gref', gref: 1 as Gref }, end.port, 0)
  const heard = listenTo(rings)
  const ring = new GuestRing(end)
  for (let i = 0; i < 3; i++) ring.put(REQUEST)
  ring.end.kick()
  await until(() => heard.some(({ words }) => words === 0))
  const words = [REQUEST_WORDS, REQUEST_WORDS, REQUEST_WORDS, 0]
  expect(heard.map((each) => each.words)).toEqual(words)
  const times = heard.map(({ nowMs }) => nowMs)
  expect(times).toEqual([...times].sort((a, b) => a - b))
  expect(times[0]).toBeGreaterThan(0)
})

test('what is asked while a batch is handled is served in the same turn', async () => {
  const { loopback, rings } = aSet()
  const [first, second] = [1, 2].map((domid) => loopback.guest(domid as Domid, 1 as Gref))
  if (first === undefined || second === undefined) throw new Error('no guests')
  for (const { domid, port } of [first, second]) {
    rings.attach(domid, { kind: 'gref', gref: 1 as Gref }, port, 0)
  }
  const late = new GuestRing(second)
  let hasAsked = false
  const heard = listenTo(rings, () => {
    if (hasAsked) return
    hasAsked = true
    late.send(REQUEST)
  })
  new GuestRing(first).send(REQUEST)
  await until(() => heard.some(({ words }) => words === 0))
  expect(heard.map(({ words }) => words)).toEqual([REQUEST_WORDS, REQUEST_WORDS, 0])
})

test('a set that is closed while a batch is handled has no other one', async () => {
  const { loopback, rings } = aSet()
  const end = loopback.guest(1 as Domid, 1 as Gref)
  rings.attach(end.domid, { kind: 'gref', gref: 1 as Gref }, end.port, 0)
  const heard = listenTo(rings, () => rings.close())
  const ring = new GuestRing(end)
  for (let i = 0; i < 3; i++) ring.put(REQUEST)
  ring.end.kick()
  await until(() => heard.some(({ words }) => words === 0))
  expect(heard.map(({ words }) => words)).toEqual([REQUEST_WORDS, 0])
})

test('a turn ends when its time is over, and the next one serves what is left', async () => {
  const { loopback, rings } = aSet()
  const end = loopback.guest(1 as Domid, 1 as Gref)
  rings.attach(end.domid, { kind: 'gref', gref: 1 as Gref }, end.port, 0)
  const heard = listenTo(rings, () => {
    const until = performance.now() + 5
    while (performance.now() < until);
  })
  const ring = new GuestRing(end)
  for (let i = 0; i < 3; i++) ring.put(REQUEST)
  ring.end.kick()
  await until(() => heard.filter(({ words }) => words > 0).length === 3)
  await until(() => heard.at(-1)?.words === 0)
  const words = [REQUEST_WORDS, 0, REQUEST_WORDS, 0, REQUEST_WORDS, 0]
  expect(heard.map((each) => each.words)).toEqual(words)
})
