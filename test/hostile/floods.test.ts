/** Every request there is, as fast as the ring takes it: cheap ones, and those that cost the daemon most. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  XS_CONTROL,
  XS_DIRECTORY,
  XS_DIRECTORY_PART,
  XS_GET_DOMAIN_PATH,
  XS_GET_FEATURE,
  XS_GET_PERMS,
  XS_GET_QUOTA,
  XS_INTRODUCE,
  XS_IS_DOMAIN_INTRODUCED,
  XS_MKDIR,
  XS_READ,
  XS_RELEASE,
  XS_RESET_WATCHES,
  XS_RESUME,
  XS_RM,
  XS_SET_FEATURE,
  XS_SET_PERMS,
  XS_SET_QUOTA,
  XS_SET_TARGET,
  XS_TRANSACTION_END,
  XS_TRANSACTION_START,
  XS_UNWATCH,
  XS_WATCH,
  XS_WRITE,
} from '../../lixs/wire/ops.ts'
import { ATTACKER, askAll, type Kept, type Request, Siege, type SiegeGuest } from './a-siege.ts'

const HOME = `/local/domain/${ATTACKER}`
/** What may wait for one unprivileged connection (docs/decisions/0004). */
const QUEUED_BYTES = 256 * 1024
const QUEUED_EVENTS = 1024
const WIDE = Array.from({ length: 150 }, (_, i): Request => [XS_MKDIR, `wide/${i}|`])
const WATCHES = Array.from(
  { length: 100 },
  (_, i): Request => [XS_WATCH, `.|`.replace('.', `${HOME}|${i}`)],
)
const DEEP = `deep${'/n'.repeat(300)}`

/** Its answers, apart from events, as many as its requests. */
interface Flood {
  readonly name: string
  /** What is asked before, once. */
  readonly before?: readonly Request[]
  /** Asked over and over. */
  readonly requests: readonly Request[]
  /** How often; the dear ones less often. */
  readonly rounds: number
  /** What the requests of one round are answered with. */
  readonly answers: readonly string[]
}

const FLOODS: readonly Flood[] = [
  {
    name: 'READ',
    before: [[XS_WRITE, `data|${'x'.repeat(1900)}`]],
    requests: [[XS_READ, 'data|']],
    rounds: 200,
    answers: [`READ ${'x'.repeat(1900)}`],
  },
  {
    name: 'READ of nothing',
    requests: [[XS_READ, `${'none/'.repeat(300)}none|`]],
    rounds: 200,
    answers: ['ERROR ENOENT|'],
  },
  { name: 'no operation', requests: [[99, 'data|']], rounds: 500, answers: ['ERROR ENOSYS|'] },
  {
    name: 'what only a toolstack may ask',
    requests: [
      [XS_CONTROL, 'help|'],
      [XS_INTRODUCE, '1|1|1|'],
      [XS_RELEASE, '1|'],
      [XS_IS_DOMAIN_INTRODUCED, '1|'],
      [XS_RESUME, '1|'],
      [XS_SET_TARGET, '7|1|'],
      [XS_GET_FEATURE, '1|'],
      [XS_SET_FEATURE, '7|0|'],
      [XS_GET_QUOTA, 'nodes|'],
      [XS_SET_QUOTA, '7|nodes|0|'],
    ],
    rounds: 60,
    answers: Array.from({ length: 10 }, () => 'ERROR EACCES|'),
  },
  {
    name: 'GET_DOMAIN_PATH',
    requests: [[XS_GET_DOMAIN_PATH, '1|']],
    rounds: 500,
    answers: ['GET_DOMAIN_PATH /local/domain/1|'],
  },
  {
    name: 'an empty payload',
    requests: [
      [XS_READ, ''],
      [XS_WRITE, ''],
      [XS_WATCH, ''],
      [XS_TRANSACTION_END, ''],
    ],
    rounds: 150,
    answers: ['ERROR EINVAL|', 'ERROR EINVAL|', 'ERROR EINVAL|', 'ERROR EINVAL|'],
  },
  {
    name: 'DIRECTORY of a wide directory',
    before: WIDE,
    requests: [[XS_DIRECTORY, 'wide|']],
    rounds: 200,
    answers: [`DIRECTORY ${WIDE.map((_, i) => `${i}|`).join('')}`],
  },
  {
    name: 'GET_PERMS and SET_PERMS',
    before: [[XS_MKDIR, 'p|']],
    requests: [
      [XS_SET_PERMS, 'p|n7|r1|'],
      [XS_GET_PERMS, 'p|'],
      [XS_SET_PERMS, 'p|b7|'],
      [XS_GET_PERMS, 'p|'],
    ],
    rounds: 100,
    answers: ['SET_PERMS OK|', 'GET_PERMS n7|r1|', 'SET_PERMS OK|', 'GET_PERMS b7|'],
  },
  {
    name: 'WRITE below a hundred watches',
    before: WATCHES,
    requests: [[XS_WRITE, 'data|x']],
    rounds: 50,
    answers: ['WRITE OK|'],
  },
  {
    name: 'WATCH and UNWATCH',
    requests: [
      [XS_WATCH, `${DEEP}|t|`],
      [XS_UNWATCH, `${DEEP}|t|`],
    ],
    rounds: 100,
    answers: ['WATCH OK|', 'UNWATCH OK|'],
  },
  {
    name: 'WATCH with a depth',
    requests: [
      [XS_WATCH, 'data|t|1000000|'],
      [XS_WATCH, 'data|t|0|'],
      [XS_WATCH, 'data|u|-1|'],
      [XS_WATCH, 'data|u|x|'],
      [XS_WATCH, 'data|u|1|2|'],
      [XS_UNWATCH, 'data|t|'],
    ],
    rounds: 60,
    answers: [
      'WATCH OK|',
      'ERROR EEXIST|',
      'ERROR EINVAL|',
      'ERROR EINVAL|',
      'ERROR EINVAL|',
      'UNWATCH OK|',
    ],
  },
  {
    name: 'RESET_WATCHES',
    requests: [
      [XS_WATCH, 'a|t|'],
      [XS_WATCH, 'b|t|'],
      [XS_RESET_WATCHES, '|'],
    ],
    rounds: 100,
    answers: ['WATCH OK|', 'WATCH OK|', 'RESET_WATCHES OK|'],
  },
  {
    name: 'MKDIR and RM of three hundred levels',
    requests: [
      [XS_MKDIR, `${DEEP}|`],
      [XS_RM, 'deep|'],
    ],
    rounds: 40,
    answers: ['MKDIR OK|', 'RM OK|'],
  },
]

let siege: Siege
let before: Kept
beforeAll(async () => {
  siege = await Siege.begin()
  await siege.isReleased(await siege.attacker())
  before = await siege.kept()
})
afterAll(() => siege.stop())

/** The victim asks again and again, for as long as `flood` runs. @returns how often it was answered */
async function whileServed(flood: Promise<unknown>): Promise<number> {
  let isOver = false
  const ended = flood.finally(() => {
    isOver = true
  })
  let served = 0
  for (; !isOver; served++) await siege.victimIsServed()
  await ended
  return served
}

const bounded = (): void => {
  const { events, bytes } = siege.queued(ATTACKER)
  expect(events).toBeLessThanOrEqual(QUEUED_EVENTS)
  expect(bytes).toBeLessThanOrEqual(QUEUED_BYTES)
}

const flooded = (attacker: SiegeGuest, requests: readonly Request[]): Promise<string[]> =>
  askAll(attacker, requests, bounded)

test.each(FLOODS)('$name: each is answered once, and so is the victim', async (flood) => {
  const attacker = await siege.attacker()
  await askAll(attacker, flood.before ?? [])
  const requests = Array.from({ length: flood.rounds }, () => flood.requests).flat()
  const flooding = flooded(attacker, requests)
  expect(await whileServed(flooding)).toBeGreaterThan(1)
  const expected = Array.from({ length: flood.rounds }, () => flood.answers).flat()
  expect(await flooding).toEqual(expected)
  await siege.isReleased(attacker)
  await siege.isOver(before)
})

test('transactions of many nodes: each is committed, and the victim is served', async () => {
  const attacker = await siege.attacker()
  const rounds = 20
  const requests = Array.from({ length: rounds }, (_, round): Request[] => {
    const tx = round + 1
    const writes = Array.from({ length: 50 }, (_, i): Request => [XS_WRITE, `t/${i}|${round}`, tx])
    return [[XS_TRANSACTION_START, '|'], ...writes, [XS_TRANSACTION_END, 'T|', tx]]
  })
  const flooding = flooded(attacker, requests.flat())
  expect(await whileServed(flooding)).toBeGreaterThan(1)
  const ends = (await flooding).filter((line) => line.startsWith('TRANSACTION_END'))
  expect(ends).toEqual(Array.from({ length: rounds }, () => 'TRANSACTION_END OK|'))
  expect(await siege.tool.read(`${HOME}/t/49`)).toBe(String(rounds - 1))
  await siege.isReleased(attacker)
  await siege.isOver(before)
})

test('a directory wider than a message, in parts: each part is whole, and the victim is served', async () => {
  const attacker = await siege.attacker()
  for (let i = 0; i < 500; i++) await siege.tool.mkdir(`${HOME}/wide/child-${i}`)
  const requests = Array.from({ length: 100 }, (): Request => [XS_DIRECTORY_PART, 'wide|0|'])
  const flooding = flooded(attacker, requests)
  expect(await whileServed(flooding)).toBeGreaterThan(1)
  const parts = new Set(await flooding)
  expect(parts.size).toBe(1)
  expect([...parts][0]).toMatch(/^DIRECTORY_PART [0-9]+\|child-0\|child-1\|/)
  await siege.isReleased(attacker)
  await siege.isOver(before)
})

test('five guests that flood at once: the victim is served, and all of theirs is answered', async () => {
  const domids = [10, 11, 12, 13, 14]
  const attackers: SiegeGuest[] = []
  for (const domid of domids) attackers.push(await siege.attacker(domid))
  const requests = Array.from({ length: 200 }, (_, i): Request => [XS_WRITE, `data/${i % 7}|${i}`])
  const floods = Promise.all(attackers.map((attacker) => askAll(attacker, requests)))
  expect(await whileServed(floods)).toBeGreaterThan(1)
  for (const answers of await floods) {
    expect(new Set(answers)).toEqual(new Set(['WRITE OK|']))
    expect(answers).toHaveLength(requests.length)
  }
  for (const attacker of attackers) await siege.dies(attacker)
  await siege.isOver(before)
})
