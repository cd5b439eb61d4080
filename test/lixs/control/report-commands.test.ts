import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { reportCommands } from '../../../lixs/control/report-commands.ts'
import { Counters } from '../../../lixs/counters.ts'
import { makeLog } from '../../../native/os/log.ts'
import { StateMemory } from '../../../native/os/state-memory.ts'
import type { ConnectionId } from '../../../native/ring-set.ts'
import { aConversation, type Conversation, Peer } from '../../support/a-conversation.ts'
import { aTrace } from '../../support/a-trace.ts'

let talk: Conversation
let tool: Peer
beforeEach(() => {
  talk = aConversation()
  tool = talk.tool()
})
afterEach(() => talk.end())

const stats = (asker = tool): Record<string, number> =>
  Object.fromEntries(
    asker
      .answer('CONTROL', 'stats|')
      .replace(/^CONTROL /, '')
      .replace(/\|$/, '')
      .split('\n')
      .map((line) => line.split(' '))
      .map(([name, value]) => [name, Number(value)]),
  )

test('check of a store in order is OK', () => {
  const guest = talk.guest(7)
  tool.ask('WRITE', '/a/b|x')
  guest.ask('WATCH', 'a|t|')
  guest.start()
  expect(tool.answer('CONTROL', 'check|')).toBe('CONTROL OK|')
})

test('check tells what is wrong, as much as fits into an answer; the log has it, too', () => {
  const logged: string[] = []
  const memory = StateMemory.anonymous()
  onTestFinished(() => memory.close())
  const sentences = Array.from({ length: 50 }, (_, i) => `node ${i}: ${'x'.repeat(90)}`)
  const [check] = reportCommands({
    store: {
      accounts: {
        held: () => {
          throw new Error('nobody asked')
        },
        tableUses: () => [],
        check: () => ({ count: 77, sentences }),
      },
    },
    counters: new Counters(memory),
    connections: { count: 0 },
    domains: { count: 0 },
    trace: aTrace().trace,
    log: makeLog({ name: 'lixs', level: 'info' }, { write: (line) => logged.push(line) }).log,
    memoryUsage: process.memoryUsage,
  })
  const answer = check?.run([], { connection: 0 as ConnectionId, reqId: 0, txId: 0 })
  const text = answer?.kind === 'text' ? answer.text : ''
  expect(text).toContain('77 things are wrong:\nnode 0: x')
  expect(text.length).toBeGreaterThan(3000)
  expect(text.length).toBeLessThan(4096)
  expect(JSON.parse(logged[0] ?? '')).toMatchObject({ count: 77, sentences })
})

test('memreport without a file goes into the trace', () => {
  tool.ask('CONTROL', 'log|-io|')
  tool.ask('CONTROL', 'logfile|/x/trace|')
  talk.traced.take()
  expect(tool.answer('CONTROL', 'memreport|')).toBe('CONTROL OK|')
  const lines = talk.traced.take()
  expect(lines[0]).toMatch(/^memory +bytes$/)
  expect(lines.find((line) => line.startsWith('nodes'))).toMatch(/^nodes +6 +6 +16384 +784$/)
})

test('memreport without a file and without a trace is an error', () => {
  expect(tool.answer('CONTROL', 'memreport|')).toBe('ERROR EINVAL|')
})

test('memreport into a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lixs-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'report')
  expect(tool.answer('CONTROL', `memreport|${file}|`)).toBe('CONTROL OK|')
  expect(readFileSync(file, 'utf8')).toMatch(/^blocks of bytes +5 /m)
  expect(tool.answer('CONTROL', `memreport|${folder}|`)).toBe('ERROR EIO|')
})

test('stats tells figures, one a line', () => {
  const before = stats()
  const guest = talk.guest(7)
  guest.ask('WATCH', 'a|t|')
  guest.ask('READ', 'nothing|')
  guest.start()
  tool.ask('WRITE', '/a|x')
  const after = stats()
  const more = (name: string) => Number(after[name]) - Number(before[name])
  expect([more('ringRequests'), more('ringReplies')]).toEqual([3, 3])
  // INTRODUCE came from a tool of its own.
  expect([more('socketRequests'), more('socketReplies')]).toEqual([3, 3])
  expect([more('events'), more('eventsDropped'), more('introductions')]).toEqual([1, 0, 1])
  expect([more('domains'), more('connections')]).toEqual([1, 2])
  expect([more('watches'), more('transactions')]).toEqual([1, 1])
  expect([more('batches') > 5, more('batchBytes') > 100, more('nodes') > 0]).toEqual([
    true,
    true,
    true,
  ])
  talk.domains.delete(7)
  talk.virq()
  const end = stats()
  expect([end.domains, end.removals, end.listings, end.watches]).toEqual([0, 1, 1, before.watches])
})

test('commits and conflicts are counted', () => {
  const tx = tool.start()
  tool.ask('READ', '/tool|', tx)
  tool.ask('WRITE', '/tool|x')
  tool.ask('WRITE', '/tool|y', tx)
  expect(tool.answer('TRANSACTION_END', 'T|', tx)).toBe('ERROR EAGAIN|')
  tool.ask('TRANSACTION_END', 'T|', tool.start())
  tool.ask('TRANSACTION_END', 'F|', tool.start())
  expect(stats()).toMatchObject({ commits: 1, conflicts: 1 })
})

test("what dom0's own ring asks is counted apart from what guests ask", () => {
  const both = aConversation({ isDom0Served: true })
  const asker = both.tool()
  // The first connection of all, made before any socket.
  const dom0 = new Peer(both.rings, 0 as ConnectionId)
  dom0.ask('WRITE', '/a|x')
  both.guest(7).ask('READ', 'nothing|')
  expect(stats(asker)).toMatchObject({
    ringRequests: 1,
    ringReplies: 1,
    dom0RingRequests: 1,
    dom0RingReplies: 1,
  })
  both.end()
})
