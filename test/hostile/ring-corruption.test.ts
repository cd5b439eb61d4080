/** Indices of the ring that cannot be, in both directions and at every state of a connection. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { XS_READ, XS_TRANSACTION_START, XS_WATCH, XS_WRITE } from '../../lixs/wire/ops.ts'
import { ATTACKER, heard, type Kept, Siege, settle } from './a-siege.ts'
import { request, STATES } from './states.ts'

const HOME = `/local/domain/${ATTACKER}`
const RING_INDEX = 2
/** Words of the page: xen/include/public/io/xs_wire.h. */
const REQ_CONS = 2048 / 4
const REQ_PROD = 2052 / 4
const RSP_CONS = 2056 / 4
const RSP_PROD = 2060 / 4

let siege: Siege
let before: Kept
beforeAll(async () => {
  siege = await Siege.begin()
  // Once, so that what a first guest leaves for good is there.
  await siege.isReleased(await siege.attacker())
  before = await siege.kept()
})
afterAll(() => siege.stop())

const CORRUPTIONS: Readonly<Record<string, (words: Int32Array) => void>> = {
  'more requests than the ring holds': (words) => set(words, REQ_PROD, at(words, REQ_CONS) + 1025),
  'half of all requests there can be': (words) =>
    set(words, REQ_PROD, at(words, REQ_CONS) + 0x8000_0000),
  'requests taken back': (words) => set(words, REQ_PROD, at(words, REQ_CONS) - 1),
  'requests consumed that never were': (words) => set(words, REQ_CONS, at(words, REQ_PROD) + 1),
  'replies consumed that never were': (words) => set(words, RSP_CONS, at(words, RSP_PROD) + 1),
  'replies given back': (words) => set(words, RSP_CONS, at(words, RSP_PROD) - 1025),
  'more replies than the ring holds': (words) => set(words, RSP_PROD, at(words, RSP_CONS) + 1025),
}

const at = (words: Int32Array, index: number): number => Atomics.load(words, index)
const set = (words: Int32Array, index: number, value: number): void => {
  Atomics.store(words, index, value | 0)
}

describe.each(Object.keys(STATES))('a ring %s', (state) => {
  test.each(Object.keys(CORRUPTIONS))('breaks at %s, alone, and leaves nothing', async (name) => {
    const attacker = await siege.attacker()
    await heard(attacker.kernel, XS_WATCH, 'data|t|', 2)
    await STATES[state]?.(siege, attacker)
    CORRUPTIONS[name]?.(attacker.kernel.words)
    attacker.kernel.end.kick()
    // What is wrong with the way back is seen when something has to go that way.
    await siege.tool.write(`${HOME}/data/poke`, name)
    await settle()
    // Nor is a request looked at while events wait for who sends it.
    while (attacker.ring.errorWord === 0 && attacker.ring.waiting > 0) {
      attacker.ring.receive()
      await settle()
    }
    expect(attacker.ring.errorWord).toBe(RING_INDEX)
    expect(
      siege.logged.filter((line) => line.includes(`"domid":${ATTACKER},"error":2`)),
    ).toHaveLength(1)
    expect(siege.queued(ATTACKER)).toEqual({ replies: 0, events: 0, bytes: 0 })
    await siege.victimIsServed()
    expect(await siege.tool.isIntroduced(ATTACKER)).toBe(true)
    await siege.isReleased(attacker)
    await siege.isOver(before)
  })
})

test('a ring that was broken is broken only once, whatever its guest does then', async () => {
  const attacker = await siege.attacker()
  for (const corrupt of Object.values(CORRUPTIONS)) {
    corrupt(attacker.kernel.words)
    attacker.kernel.end.kick()
    await settle()
  }
  attacker.ring.setIndices(0)
  attacker.ring.send(request(XS_READ, 'data|'))
  await siege.victimIsServed()
  await settle()
  expect(attacker.ring.waiting).toBe(0)
  expect(siege.logged.filter((line) => line.includes('ring protocol broken'))).toHaveLength(1)
  await siege.isReleased(attacker)
  await siege.isOver(before)
})

test('a broken ring that is introduced anew is served anew, with nothing of before', async () => {
  const attacker = await siege.attacker()
  await heard(attacker.kernel, XS_WATCH, 'data|t|', 2)
  expect(await attacker.kernel.ask(XS_TRANSACTION_START, '|')).toBe('1|')
  attacker.kernel.claim(2000)
  await settle()
  expect(attacker.ring.errorWord).toBe(RING_INDEX)
  await siege.tool.introduce(ATTACKER, 1, attacker.kernel.end.port)
  expect(attacker.ring.errorWord).toBe(0)
  expect(await heard(attacker.kernel, XS_WRITE, 'data/x|1', 1)).toEqual(['WRITE OK|'])
  expect(await attacker.kernel.ask(XS_READ, 'data/x|', 1)).toBe('ENOENT|')
  await siege.isReleased(attacker)
  await siege.isOver(before)
})
