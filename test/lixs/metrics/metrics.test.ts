import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  BATCH_BROKEN,
  CONNECTION_QUEUED_BYTES,
  CONNECTION_QUEUED_REPLIES,
  CONNECTION_WORDS,
} from '../../../native/ring-set.ts'
import { type ParsedFamily, parseExposition } from '../../native/os/metrics/parse-exposition.ts'
import { aConversation, type Conversation, type Peer } from '../../support/a-conversation.ts'

let talk: Conversation
let tool: Peer
beforeEach(() => {
  talk = aConversation()
  tool = talk.tool()
})
afterEach(() => talk.end())

function family(name: string): ParsedFamily {
  const found = parseExposition(talk.metrics()).get(name)
  if (found === undefined) throw new Error(`no family ${name}`)
  return found
}
const value = (name: string, labels = '', of = name.replace(/_(bucket|sum|count)$/, '')) =>
  family(of).samples.get(name + labels)

test('the page of a daemon in use is well-formed, all names begin with lixs_', () => {
  const guest = talk.guest(7)
  guest.ask('WATCH', 'a|t|')
  guest.ask('READ', 'nothing|')
  guest.ask(99, '|')
  tool.ask('TRANSACTION_END', 'T|', tool.start())
  const families = parseExposition(talk.metrics())
  expect([...families.keys()].filter((name) => !name.startsWith('lixs_'))).toEqual([])
  expect(families.size).toBeGreaterThan(20)
})

test('the page of a daemon that nobody has used is well-formed', () => {
  const fresh = aConversation()
  expect(parseExposition(fresh.metrics()).get('lixs_requests_total')?.samples.size).toBe(0)
  fresh.end()
})

test('requests are counted by operation and result', () => {
  tool.ask('WRITE', '/a|x')
  tool.ask('READ', '/a|')
  tool.ask('READ', '/a|')
  tool.ask('READ', '/b|')
  const { samples } = family('lixs_requests_total')
  expect([...samples]).toEqual([
    ['lixs_requests_total{op="READ",result="OK"}', 2],
    ['lixs_requests_total{op="READ",result="ENOENT"}', 1],
    ['lixs_requests_total{op="WRITE",result="OK"}', 1],
  ])
})

test('operations that nobody knows are counted together, whatever their numbers', () => {
  for (const type of [27, 99, 65_535, 0x7fffffff]) tool.ask(type, '|')
  expect([...family('lixs_requests_total').samples]).toEqual([
    ['lixs_requests_total{op="other",result="ENOSYS"}', 4],
  ])
})

test('the time of a batch is counted once for each of its requests', () => {
  const requests = ['/a|', '/b|', '/c|'].map((path) => tool.request('READ', path))
  talk.rings.deliver(...requests)
  expect(value('lixs_request_duration_seconds_count')).toBe(3)
  expect(value('lixs_batch_requests_sum')).toBe(3)
  expect(value('lixs_batch_requests_bucket', '{le="2"}')).toBe(0)
  expect(value('lixs_batch_requests_bucket', '{le="4"}')).toBe(1)
})

test('the time of a batch is what handling it took', () => {
  const attach = talk.rings.attach.bind(talk.rings)
  talk.rings.attach = (...how) => {
    talk.timers.pass(30)
    return attach(...how)
  }
  talk.guest(7)
  expect(value('lixs_request_duration_seconds_sum')).toBeCloseTo(0.03)
  expect(value('lixs_request_duration_seconds_bucket', '{le="0.05"}')).toBe(1)
  expect(value('lixs_request_duration_seconds_bucket', '{le="0.025"}')).toBe(0)
})

test('connections, what waits for them, and domains are told as they are', () => {
  const guest = talk.guest(7)
  const at = guest.id * CONNECTION_WORDS
  talk.rings.connections[at + CONNECTION_QUEUED_BYTES] = 500
  talk.rings.connections[at + CONNECTION_QUEUED_REPLIES] = 2
  talk.rings.leaveEvents(guest.id, 3)
  expect(value('lixs_connections', '{kind="ring"}')).toBe(1)
  // INTRODUCE came from a tool of its own.
  expect(value('lixs_connections', '{kind="socket"}')).toBe(2)
  expect(value('lixs_queued_bytes')).toBe(500)
  expect(value('lixs_queued_messages', '{kind="reply"}')).toBe(2)
  expect(value('lixs_queued_messages', '{kind="event"}')).toBe(3)
  expect(value('lixs_domains')).toBe(1)
  expect(value('lixs_domain_introductions_total')).toBe(1)
})

test('nodes, watches, open transactions, commits and conflicts are told', () => {
  tool.ask('WATCH', '/tool|t|')
  const tx = tool.start()
  tool.ask('READ', '/tool|', tx)
  tool.ask('WRITE', '/tool|x')
  tool.ask('WRITE', '/tool|y', tx)
  tool.ask('TRANSACTION_END', 'T|', tx)
  tool.ask('TRANSACTION_END', 'T|', tool.start())
  tool.start()
  expect(value('lixs_watches')).toBe(1)
  expect(value('lixs_transactions')).toBe(1)
  expect(value('lixs_nodes')).toBe(6)
  expect(value('lixs_transactions_total', '{outcome="committed"}')).toBe(1)
  expect(value('lixs_transactions_total', '{outcome="conflict"}')).toBe(1)
})

test('events are counted by what becomes of them', () => {
  const guest = talk.guest(7)
  tool.ask('WRITE', '/local/domain/7/a|')
  tool.ask('SET_PERMS', '/local/domain/7/a|n7|')
  guest.ask('WATCH', 'a|t|')
  talk.rings.leaveEvents(guest.id, 1024)
  tool.ask('WRITE', '/local/domain/7/a|x')
  expect(value('lixs_events_total', '{outcome="queued"}')).toBe(1)
  expect(value('lixs_events_total', '{outcome="dropped"}')).toBe(1)
  const expire = talk.rings.expireEvents.bind(talk.rings)
  talk.rings.expireEvents = (id, olderThanMs) => {
    talk.rings.leaveEvents(id, 1000)
    return expire(id, olderThanMs)
  }
  talk.timers.pass(1000)
  expect(value('lixs_events_total', '{outcome="expired"}')).toBe(24)
})

test('rings that were broken are counted', () => {
  talk.rings.deliver({ connection: talk.guest(7).id, type: BATCH_BROKEN, reqId: 2 })
  expect(value('lixs_broken_rings_total')).toBe(1)
})

test('memory is told: state, heap, resident', () => {
  expect(value('lixs_state_memory_bytes', '{table="nodes"}')).toBe(784)
  expect(value('lixs_heap_bytes')).toBeGreaterThan(1e6)
  expect(value('lixs_resident_memory_bytes')).toBeGreaterThan(1e6)
})

test('no label names a domain or a path', () => {
  const pages = [talk.metrics()]
  for (let domid = 1; domid <= 20; domid++) talk.guest(domid).ask('WRITE', `x${domid}|y`)
  pages.push(talk.metrics())
  const [before = [], after = []] = pages.map((page) =>
    page.split('\n').map((line) => line.replace(/ \S+$/, '')),
  )
  expect(after.filter((line) => !before.includes(line))).toEqual([
    'lixs_requests_total{op="INTRODUCE",result="OK"}',
    'lixs_requests_total{op="WRITE",result="EACCES"}',
  ])
})
