import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  CONNECTION_MAX_OUTSTANDING,
  CONNECTION_QUEUED_EVENTS,
  CONNECTION_WORDS,
} from '../../../native/ring-set.ts'
import { aConversation, type Conversation, type Peer } from '../../support/a-conversation.ts'

let talk: Conversation
let tool: Peer
beforeEach(() => {
  talk = aConversation()
  tool = talk.tool()
})
afterEach(() => talk.end())

const lines = (command: string): string[] =>
  tool
    .answer('CONTROL', command)
    .replace(/^CONTROL /, '')
    .replace(/\|$/, '')
    .split('\n')

test('quota shows every limit: name, value, description', () => {
  expect(lines('quota|')).toEqual([
    'nodes               :     1000 Nodes per domain',
    'watches             :      128 Watches per domain',
    'transactions        :       10 Transactions per domain',
    'outstanding         :       20 Outstanding requests per domain',
    'transaction-nodes   :     1024 Nodes per transaction',
    'memory              :  2621440 Memory in bytes per domain',
    'node-size           :     2048 Size in bytes of a node',
    'node-permissions    :        5 Permissions per node',
    'path-max            :     2048 Length of a path',
  ])
})

test('quota set takes effect at once', () => {
  expect(tool.answer('CONTROL', 'quota|set|transactions|2|')).toBe('CONTROL OK|')
  const guest = talk.guest(7)
  guest.start()
  guest.start()
  expect(guest.answer('TRANSACTION_START', '|')).toBe('ERROR ENOSPC|')
})

test('quota set knows the names of all versions of upstream', () => {
  expect(tool.answer('CONTROL', 'quota|set|permissions|7|')).toBe('CONTROL OK|')
  expect(lines('quota|')).toContain('node-permissions    :        7 Permissions per node')
})

test.each(['0', '-1', 'many', '', '12345678901'])('quota set to %j is invalid', (value) => {
  expect(tool.answer('CONTROL', `quota|set|nodes|${value}|`)).toBe('ERROR EINVAL|')
})

test('quota set of a name that is none is invalid', () => {
  expect(tool.answer('CONTROL', 'quota|set|nonsense|5|')).toBe('ERROR EINVAL|')
})

test('a limit of requests in work reaches the rings that are there', () => {
  const guest = talk.guest(7)
  tool.ask('CONTROL', 'quota|set|outstanding|3|')
  const limitOf = (id: number) =>
    talk.rings.connections[id * CONNECTION_WORDS + CONNECTION_MAX_OUTSTANDING]
  expect([limitOf(guest.id), limitOf(tool.id)]).toEqual([3, 1024])
  expect(talk.rings.calls).toContain(`resume ${guest.id}`)
})

test('quota DOMID tells what a domain uses, the most it has used, and its limits', () => {
  const guest = talk.guest(7)
  guest.ask('WATCH', 'a|t|')
  guest.ask('WATCH', 'b|t|')
  guest.ask('UNWATCH', 'b|t|')
  tool.ask('SET_QUOTA', '7|nodes|500|')
  talk.rings.connections[guest.id * CONNECTION_WORDS + CONNECTION_QUEUED_EVENTS] = 4
  const [head, ...rows] = lines('quota|7|')
  expect(head).toBe('Domain 7:')
  expect(rows.slice(0, 3)).toEqual([
    'nodes               :        0 (max        0, limit      500)',
    'watches             :        1 (max        2, limit      128)',
    'transactions        :        0 (max        0, limit       10)',
  ])
  expect(rows.at(-1)).toBe('outstanding         :        4 (limit       20)')
})

test('quota of a domain that was not introduced is ENOENT', () => {
  expect(tool.answer('CONTROL', 'quota|9|')).toBe('ERROR ENOENT|')
})

test('quota max tells the most that any guest has used, also one that is gone', () => {
  const guest = talk.guest(7)
  guest.start()
  guest.start()
  talk.guest(8).start()
  talk.domains.delete(7)
  talk.virq()
  expect(lines('quota|max|')).toEqual(
    expect.arrayContaining(['Most that any guest has used:', 'transactions        :        2']),
  )
})

test('quota max -r begins anew with what is used now', () => {
  const guest = talk.guest(7)
  const first = guest.start()
  guest.start()
  guest.ask('TRANSACTION_END', 'F|', first)
  expect(lines('quota|max|-r|')).toContain('transactions        :        2')
  expect(lines('quota|max|')).toContain('transactions        :        1')
  expect(lines('quota|7|')).toContain(
    'transactions        :        1 (max        1, limit       10)',
  )
})

test('what dom0 uses is nobody else’s maximum', () => {
  tool.start()
  expect(lines('quota|max|')).toContain('transactions        :        0')
})

test('quota-soft shows and sets what is only warned of', () => {
  expect(tool.answer('CONTROL', 'quota-soft|set|memory|1000|')).toBe('CONTROL OK|')
  expect(lines('quota-soft|')).toEqual([
    'memory              :     1000 Memory in bytes per domain that is warned of',
  ])
  expect(talk.quotas.memorySoft).toBe(1000)
})
