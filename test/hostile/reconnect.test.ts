/** Guests that ask for a new beginning of their ring, at every state of it and without end. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { XS_READ, XS_TRANSACTION_START, XS_WATCH, XS_WRITE } from '../../lixs/wire/ops.ts'
import { ATTACKER, askAll, heard, type Kept, Siege, type SiegeGuest, settle } from './a-siege.ts'
import { request, STATES } from './states.ts'

const HOME = `/local/domain/${ATTACKER}`
/** Words of the page: xen/include/public/io/xs_wire.h. */
const FEATURES = 2064 / 4
const CONNECTION = 2068 / 4
const RECONNECT = 1

let siege: Siege
let before: Kept
beforeAll(async () => {
  siege = await Siege.begin()
  await siege.isReleased(await siege.attacker())
  before = await siege.kept()
})
afterAll(() => siege.stop())

function asksAnew({ kernel }: SiegeGuest): void {
  Atomics.store(kernel.words, CONNECTION, RECONNECT)
  kernel.end.kick()
}

async function isAnew({ kernel }: SiegeGuest): Promise<void> {
  while (Atomics.load(kernel.words, CONNECTION) !== 0) await settle(1)
}

test.each(
  Object.keys(STATES),
)('a ring %s begins anew when it is asked to, with nothing of before', async (state) => {
  const attacker = await siege.attacker()
  expect(Atomics.load(attacker.kernel.words, FEATURES) & 1).toBe(1)
  await heard(attacker.kernel, XS_WATCH, 'data|t|', 2)
  await askAll(attacker, [[XS_TRANSACTION_START, '|']])
  await STATES[state]?.(siege, attacker)
  asksAnew(attacker)
  await isAnew(attacker)
  const successor = siege.at(attacker)
  expect(successor.ring.waiting).toBe(0)
  expect(siege.queued(ATTACKER)).toEqual({ replies: 0, events: 0, bytes: 0 })
  expect(await heard(successor.kernel, XS_WRITE, 'data/y|1', 1)).toEqual(['WRITE OK|'])
  expect(await askAll(successor, [[XS_READ, 'data/y|', 1]])).toEqual(['ERROR ENOENT|'])
  expect((await siege.usage(ATTACKER)).get('watches')).toBe(0)
  expect((await siege.usage(ATTACKER)).get('transactions')).toBe(0)
  await siege.victimIsServed()
  await siege.isReleased(attacker)
  await siege.isOver(before)
})

test('who asks again and again, amid its traffic, is alone with it and fills no log', async () => {
  const attacker = await siege.attacker()
  for (let round = 0; round < 200; round++) {
    attacker.ring.put(request(XS_WRITE, `data/${round}|x`).subarray(0, 10 + (round % 30)))
    if (round % 2 === 0) attacker.kernel.claim(5000)
    asksAnew(attacker)
    if (round % 3 === 0) await settle(round % 5)
    if (round % 20 === 0) await siege.victimIsServed()
  }
  await isAnew(attacker)
  const { kernel } = siege.at(attacker)
  expect(await heard(kernel, XS_READ, 'none|', 1)).toEqual(['ERROR ENOENT|'])
  expect(siege.logged.length).toBeLessThan(10)
  await siege.isReleased(attacker)
  await siege.isOver(before)
})

test('who asks and goes on writing is not served before it was told', async () => {
  const attacker = await siege.attacker()
  asksAnew(attacker)
  attacker.ring.put(request(XS_WRITE, 'data/early|x'))
  attacker.kernel.end.kick()
  await isAnew(attacker)
  await settle()
  expect(await siege.tool.read(`${HOME}/data/early`)).toBeUndefined()
  await siege.isReleased(attacker)
  await siege.isOver(before)
})

test('a word of the page that means nothing is no question', async () => {
  const attacker = await siege.attacker()
  await askAll(attacker, [[XS_TRANSACTION_START, '|']])
  for (const word of [2, 3, -1]) {
    Atomics.store(attacker.kernel.words, CONNECTION, word)
    expect(await askAll(attacker, [[XS_WRITE, `data/x|${word}`, 1]])).toEqual(['WRITE OK|'])
  }
  await siege.isReleased(attacker)
  await siege.isOver(before)
})
