import { afterEach, beforeEach, expect, test } from 'vitest'
import type { ConnectionId } from '../../../native/ring-set.ts'
import { aConversation, type Conversation, Peer } from '../../support/a-conversation.ts'

let talk: Conversation
let tool: Peer
beforeEach(() => {
  talk = aConversation()
  tool = talk.tool()
})
afterEach(() => talk.end())

test('help lists the commands', () => {
  expect(tool.answer('CONTROL', 'help|')).toContain('quota           [set <name> <val>|<domid>]')
})

test.each([
  '',
  'help',
  'nonsense|',
  'help|me|',
  'quota|set|nodes|',
  'quota|set|nodes|0|',
])('%j is invalid', (payload) => {
  expect(tool.answer('CONTROL', payload)).toBe('ERROR EINVAL|')
})

test('figures are told, one a line', () => {
  const stats = () =>
    Object.fromEntries(
      tool
        .answer('CONTROL', 'stats|')
        .replace(/^CONTROL /, '')
        .split('\n')
        .map((line) => line.split(' '))
        .map(([name, value]) => [name, Number(value)]),
    )
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

test('quotas are shown, and take effect when set', () => {
  expect(tool.answer('CONTROL', 'quota|')).toMatch(/^CONTROL nodes +: +1000 /)
  expect(tool.answer('CONTROL', 'quota|set|transactions|2|')).toBe('CONTROL OK|')
  const guest = talk.guest(7)
  guest.start()
  guest.start()
  expect(guest.answer('TRANSACTION_START', '|')).toBe('ERROR ENOSPC|')
})

test('what a domain uses is told', () => {
  const guest = talk.guest(7)
  guest.ask('WATCH', 'a|t|')
  expect(tool.answer('CONTROL', 'quota|7|')).toMatch(
    /^CONTROL Domain 7:\nnodes +: +0\nwatches +: +1\n/,
  )
  expect(tool.answer('CONTROL', 'quota|9|')).toBe('ERROR ENOENT|')
})

test('a limit of requests in work reaches the rings that are there', () => {
  const guest = talk.guest(7)
  tool.ask('CONTROL', 'quota|set|outstanding|3|')
  expect(talk.rings.connections[guest.id * 32 + 5]).toBe(3)
  expect(talk.rings.connections[tool.id * 32 + 5]).toBe(1024)
  expect(talk.rings.calls).toContain(`resume ${guest.id}`)
})

test('text is printed into the log, the log goes where it is told', () => {
  expect(tool.answer('CONTROL', 'print|hello|')).toBe('CONTROL OK|')
  expect(talk.logged.at(-1)).toContain('hello')
  expect(tool.answer('CONTROL', 'logfile|/x/log|')).toBe('CONTROL OK|')
  expect(talk.logged.at(-1)).toBe('switched to /x/log')
  expect(tool.answer('CONTROL', 'logfile|relative|')).toBe('ERROR EINVAL|')
  expect(tool.answer('CONTROL', 'log|off|')).toBe('CONTROL OK|')
})

test("what dom0's own ring asks is counted apart from what guests ask", () => {
  const both = aConversation({ isDom0Served: true })
  const asker = both.tool()
  // The first connection of all, made before any socket.
  const dom0 = new Peer(both.rings, 0 as ConnectionId)
  dom0.ask('WRITE', '/a|x')
  both.guest(7).ask('READ', 'nothing|')
  const stats = asker.answer('CONTROL', 'stats|').split('\n')
  expect(stats).toEqual(
    expect.arrayContaining([
      'ringRequests 1',
      'ringReplies 1',
      'dom0RingRequests 1',
      'dom0RingReplies 1',
    ]),
  )
  both.end()
})
