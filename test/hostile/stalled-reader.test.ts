/** Guests that ask, or are told, and never take what comes back. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { XS_READ, XS_WATCH, XS_WRITE } from '../../lixs/wire/ops.ts'
import { encode } from '../native/guest-ring.ts'
import { TestTimers } from '../support/test-timers.ts'
import {
  ATTACKER,
  askAll,
  heard,
  type Kept,
  type Request,
  Siege,
  type SiegeGuest,
  settle,
} from './a-siege.ts'

const HOME = `/local/domain/${ATTACKER}`
const OUTSTANDING = 20
const QUEUED_EVENTS = 1024
const QUEUED_BYTES = 256 * 1024
/** Short, for native code reads the real clock; when it is looked at is the test's to say. */
const TIMEOUT_MS = 10

let siege: Siege
let timers: TestTimers
let before: Kept
let attacker: SiegeGuest
beforeEach(async () => {
  timers = new TestTimers()
  siege = await Siege.begin({ timers, eventTimeoutMs: TIMEOUT_MS })
  await siege.isReleased(await siege.attacker())
  before = await siege.kept()
  attacker = await siege.attacker()
})
afterEach(() => siege.stop())

/** Sends without taking anything, until the daemon takes no more. @returns whole requests it has taken */
async function pour(bytes: Uint8Array): Promise<number> {
  let sent = 0
  for (let idle = 0; idle < 20; ) {
    const taken = attacker.ring.put(bytes.subarray(sent % bytes.length))
    sent += taken
    attacker.kernel.end.kick()
    await settle(1)
    idle = taken === 0 ? idle + 1 : 0
  }
  return Math.floor((sent - attacker.ring.unconsumed) / bytes.length)
}

async function toldOf(changes: number): Promise<void> {
  for (let i = 0; i < changes; i++) await siege.tool.write(`${HOME}/data/${i}`, 'told')
}

test('requests are taken up to the quota of those outstanding, and go on when replies are taken', async () => {
  const read = encode(XS_READ, 1, 0, Buffer.from('none\0'))
  const inRing = Math.floor(1024 / (16 + 'ENOENT\0'.length))
  const taken = await pour(read)
  expect(taken).toBeGreaterThanOrEqual(inRing)
  expect(taken).toBeLessThanOrEqual(inRing + OUTSTANDING + 1)
  expect(siege.queued(ATTACKER).replies).toBeLessThanOrEqual(OUTSTANDING + 1)
  expect(siege.queued(ATTACKER).bytes).toBeLessThan(OUTSTANDING * 256)
  await siege.victimIsServed()
  let replies = 0
  while (attacker.ring.waiting > 0 || attacker.ring.unconsumed >= read.length) {
    replies += attacker.ring.receive().length
    await settle(1)
  }
  expect(replies).toBeGreaterThanOrEqual(taken)
  expect(siege.queued(ATTACKER)).toEqual({ replies: 0, events: 0, bytes: 0 })
  await siege.isReleased(attacker)
  await siege.isOver(before)
})

test('long replies that nobody takes are bounded in bytes', async () => {
  await askAll(attacker, [[XS_WRITE, `large|${'x'.repeat(1900)}`]])
  await pour(encode(XS_READ, 1, 0, Buffer.from('large\0')))
  const { replies, bytes } = siege.queued(ATTACKER)
  expect(replies).toBeGreaterThan(10)
  expect(replies).toBeLessThanOrEqual(OUTSTANDING + 1)
  expect(bytes).toBeLessThanOrEqual((OUTSTANDING + 1) * (1900 + 1024))
  await siege.victimIsServed()
  await siege.isReleased(attacker)
  await siege.isOver(before)
})

test('events that nobody takes are bounded in number and in bytes, and nobody waits for it', async () => {
  const watches = Array.from(
    { length: 8 },
    (_, i): Request => [XS_WATCH, `${HOME}/data|${'t'.repeat(200)}${i}|`],
  )
  await askAll(attacker, watches)
  let mostBytes = 0
  for (let i = 0; i < 300; i++) {
    await siege.tool.write(`${HOME}/data/${i}`, 'told')
    const { events, bytes } = siege.queued(ATTACKER)
    expect(events).toBeLessThanOrEqual(QUEUED_EVENTS)
    mostBytes = Math.max(mostBytes, bytes)
  }
  expect(mostBytes).toBeGreaterThan(QUEUED_BYTES / 2)
  expect(mostBytes).toBeLessThanOrEqual(QUEUED_BYTES)
  await siege.victimIsServed()
  await siege.isReleased(attacker)
  await siege.isOver(before)
})

test('the same event waits once, however often it happens', async () => {
  await heard(attacker.kernel, XS_WATCH, `${HOME}/data|t|`, 2)
  await toldOf(60)
  const { events } = siege.queued(ATTACKER)
  expect(events).toBeGreaterThan(10)
  for (let i = 0; i < 5; i++) await toldOf(60)
  // Those that lie in the ring already are told of once more.
  expect(siege.queued(ATTACKER).events).toBeLessThanOrEqual(60)
  await siege.isReleased(attacker)
  await siege.isOver(before)
})

test('events that wait too long are given up; then the guest is served as before', async () => {
  await heard(attacker.kernel, XS_WATCH, `${HOME}/data|t|`, 2)
  await toldOf(100)
  expect(siege.queued(ATTACKER).events).toBeGreaterThan(OUTSTANDING)
  attacker.ring.send(encode(XS_READ, 9, 0, Buffer.from('data/1\0')))
  await settle()
  expect(attacker.ring.unconsumed).toBeGreaterThan(0)
  while (siege.queued(ATTACKER).events > 1) {
    await settle(1)
    timers.pass(1000)
  }
  await settle()
  // Room in the queue: what it asked meanwhile is read, though it has taken nothing yet.
  expect(attacker.ring.unconsumed).toBe(0)
  let reply: string | undefined
  while (reply === undefined) {
    for (const message of attacker.ring.receive()) {
      if (message.type === XS_READ) reply = Buffer.from(message.payload).toString()
    }
    await settle(1)
  }
  expect(reply).toBe('told')
  expect(await heard(attacker.kernel, XS_WRITE, 'data/x|1', 2)).toEqual([
    `EVENT ${HOME}/data/x|t|`,
    'WRITE OK|',
  ])
  await siege.victimIsServed()
  await siege.isReleased(attacker)
  await siege.isOver(before)
})

test('replies never expire', async () => {
  await askAll(attacker, [[XS_WRITE, `large|${'x'.repeat(1900)}`]])
  await pour(encode(XS_READ, 1, 0, Buffer.from('large\0')))
  const { replies } = siege.queued(ATTACKER)
  timers.pass(1_000_000)
  await settle()
  expect(siege.queued(ATTACKER).replies).toBe(replies)
  await siege.isReleased(attacker)
  await siege.isOver(before)
})

test('no timer runs for guests to whom nothing waits', async () => {
  await heard(attacker.kernel, XS_WATCH, `${HOME}/data|t|`, 2)
  await toldOf(100)
  expect(timers.pending).toBe(1)
  while (timers.pending > 0) {
    await settle(1)
    timers.pass(1000)
  }
  expect(siege.queued(ATTACKER).events).toBeLessThanOrEqual(1)
  while (siege.queued(ATTACKER).events > 0) {
    attacker.ring.receive()
    await settle(1)
  }
  expect(timers.pending).toBe(0)
  await siege.isReleased(attacker)
  await siege.isOver(before)
})
