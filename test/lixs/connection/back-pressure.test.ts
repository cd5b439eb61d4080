/** When a guest is not read from, and what lets it go on. */
import { afterEach, describe, expect, test } from 'vitest'
import type { XenstoreClient } from '../../../lixs/client/client.ts'
import { XS_READ, XS_WATCH, XS_WATCH_EVENT, XS_WRITE } from '../../../lixs/wire/ops.ts'
import {
  aDaemon,
  type DaemonOptions,
  type RingGuest,
  type RunningDaemon,
  turn,
} from '../../support/a-daemon.ts'
import { TestTimers } from '../../support/test-timers.ts'

const HARD = 300 * 1024

let daemon: RunningDaemon
let tool: XenstoreClient
let timers: TestTimers
let log: string[]

afterEach(() => daemon.stop())

async function begin(options: DaemonOptions = {}): Promise<void> {
  timers = new TestTimers()
  log = []
  daemon = aDaemon({ timers, log: (line) => log.push(line), ...options })
  tool = await daemon.connect()
}

/** A guest with a home of its own, which everybody may write. */
async function guest(domid: number): Promise<RingGuest> {
  const ring = daemon.guest(domid)
  await tool.mkdir(`/local/domain/${domid}`)
  await tool.setPerms(`/local/domain/${domid}`, [`b${domid}`])
  await tool.introduce(domid, 0, ring.end.port)
  return ring
}

/** Lets everything that can happen happen. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await turn()
}

const answers = (ring: RingGuest) => ring.takeAll().filter(({ type }) => type !== XS_WATCH_EVENT)

test('requests of which another guest leaves events lying are outstanding', async () => {
  await begin()
  const writer = await guest(1)
  const watcher = await guest(2)
  expect(await watcher.ask(XS_WATCH, `/local/domain/1|${'t'.repeat(900)}|`)).toBe('OK|')
  // Of the initial event and the first ones the ring is full.
  let answered = 0
  for (let i = 0; i < 60; i++) {
    void writer.send(XS_WRITE, `n${i}|x`)
    await turn()
    answered += answers(writer).length
  }
  await settle()
  answered += answers(writer).length
  expect(answered).toBeGreaterThanOrEqual(20)
  expect(answered).toBeLessThanOrEqual(23)
  while (answered < 60) {
    watcher.takeAll()
    await turn()
    answered += answers(writer).length
  }
})

test('requests are outstanding no more when the events of them have expired', async () => {
  await begin({ eventTimeoutMs: 1 })
  const writer = await guest(1)
  const watcher = await guest(2)
  await watcher.ask(XS_WATCH, `/local/domain/1|${'t'.repeat(900)}|`)
  let answered = 0
  for (let i = 0; i < 60; i++) void writer.send(XS_WRITE, `n${i}|x`)
  await settle()
  answered += answers(writer).length
  expect(answered).toBeLessThanOrEqual(23)
  while (answered < 60) {
    await turn()
    timers.pass(1)
    answered += answers(writer).length
  }
})

describe('memory', () => {
  test('a guest above the hard quota is not read from until it uses less', async () => {
    await begin({ quotas: { memoryHard: HARD } })
    const ring = await guest(7)
    for (let i = 0; i < HARD / 2000; i++) {
      await tool.write(`/local/domain/7/given/${i}`, 'x'.repeat(2000))
    }
    await ring.send(XS_READ, '/local/domain/7|')
    await settle()
    expect(ring.takeAll()).toEqual([])
    await tool.rm('/local/domain/7/given')
    expect((await ring.next()).payload.length).toBe(0)
    expect(timers.pending).toBe(0)
  })

  test('the quota itself is too much already', async () => {
    await begin({ quotas: { memoryHard: HARD } })
    const ring = await guest(7)
    const memory = async () =>
      Number(/memory +: +(\d+)/.exec(await tool.control('quota', '7'))?.[1])
    // The quota is just above what the domain uses, at that, or just below.
    const limited = async (room: number) => {
      await tool.control('quota', 'set', 'memory', String((await memory()) + room))
      await ring.send(XS_READ, '/local/domain/7|')
      await settle()
      return ring.takeAll().length
    }
    expect(await limited(1)).toBe(1)
    expect(await limited(0)).toBe(0)
    await tool.control('quota', 'set', 'memory', String(HARD))
    await settle()
    expect(ring.takeAll()).toHaveLength(1)
    expect(await limited(-1)).toBe(0)
  })

  test('what waits for a guest is charged to it', async () => {
    await begin({ quotas: { memoryHard: HARD } })
    const ring = await guest(7)
    await ring.ask(XS_WATCH, '/local/domain/7|t|')
    const memory = async () =>
      Number(/memory +: +(\d+)/.exec(await tool.control('quota', '7'))?.[1])
    const before = await memory()
    for (let i = 0; i < 100; i++) await tool.write('/tool/a', 'x')
    for (let i = 0; i < 100; i++) await tool.write(`/local/domain/7/n${i}`, 'x')
    const withQueue = await memory()
    ring.takeAll()
    while (ring.takeAll().length > 0) await turn()
    await settle()
    ring.takeAll()
    await settle()
    const without = await memory()
    expect(withQueue).toBeGreaterThan(without)
    expect(without).toBeGreaterThan(before)
  })

  test('events that would exceed the hard quota are dropped, replies are not', async () => {
    await begin({ quotas: { memoryHard: HARD } })
    const ring = await guest(7)
    const writeAll = async () => {
      for (let i = 0; i < 120; i++) await tool.write(`/local/domain/7/n${i}`, 'x'.repeat(1500))
    }
    await writeAll()
    await ring.ask(XS_WATCH, `/local/domain/7|${'t'.repeat(2000)}|`)
    await writeAll()
    const memory = /memory +: +(\d+)/.exec(await tool.control('quota', '7'))?.[1]
    expect(Number(memory)).toBeLessThanOrEqual(HARD)
    await ring.send(XS_READ, '/local/domain/7/n0|')
    for (;;) {
      const heard = answers(ring)
      if (heard.length === 0) {
        await turn()
        continue
      }
      expect(heard[0]?.payload.length).toBe(1500)
      break
    }
  })

  test('a guest that is refused memory is told of once', async () => {
    await begin({ quotas: { memoryHard: HARD, nodes: 0 } })
    const ring = await guest(7)
    let refused = 0
    for (let i = 0; refused < 5; i++) {
      if ((await ring.ask(XS_WRITE, `n${i}|${'x'.repeat(1900)}`)) === 'ENOMEM|') refused++
    }
    expect(log.filter((line) => line.includes('was refused memory'))).toHaveLength(1)
    expect(await ring.ask(XS_READ, 'n0|')).toBe('x'.repeat(1900))
  })
})
