import { afterEach, beforeEach, expect, test } from 'vitest'
import { aConversation, type Conversation, type Peer } from '../../support/a-conversation.ts'

let talk: Conversation
let tool: Peer
beforeEach(() => {
  talk = aConversation()
  tool = talk.tool()
})
afterEach(() => talk.end())

test('ids are counted per connection, from 1', () => {
  expect(tool.answer('TRANSACTION_START', '|')).toBe('TRANSACTION_START 1|')
  expect(tool.answer('TRANSACTION_START')).toBe('TRANSACTION_START 2|')
  expect(talk.tool().answer('TRANSACTION_START', '|')).toBe('TRANSACTION_START 1|')
})

test('a transaction in a transaction is EBUSY', () => {
  expect(tool.answer('TRANSACTION_START', '|', tool.start())).toBe('ERROR EBUSY|')
})

test('what is written inside is seen inside only, until the end', () => {
  const tx = tool.start()
  expect(tool.answer('WRITE', '/a|x', tx)).toBe('WRITE OK|')
  expect(tool.answer('READ', '/a|', tx)).toBe('READ x')
  expect(tool.answer('READ', '/a|')).toBe('ERROR ENOENT|')
  expect(tool.answer('TRANSACTION_END', 'T|', tx)).toBe('TRANSACTION_END OK|')
  expect(tool.answer('READ', '/a|')).toBe('READ x')
  expect(tool.answer('TRANSACTION_END', 'T|', tx)).toBe('ERROR ENOENT|')
})

test('an end with F leaves nothing', () => {
  const tx = tool.start()
  tool.ask('WRITE', '/a|x', tx)
  expect(tool.answer('TRANSACTION_END', 'F|', tx)).toBe('TRANSACTION_END OK|')
  expect(tool.answer('READ', '/a|')).toBe('ERROR ENOENT|')
})

test("Xen's own test: what was read has changed, so the end says EAGAIN", () => {
  tool.ask('WRITE', '/a|old')
  const tx = tool.start()
  expect(tool.answer('READ', '/a|', tx)).toBe('READ old')
  tool.ask('WRITE', '/a|outside')
  expect(tool.answer('READ', '/a|', tx)).toBe('READ old')
  tool.ask('WRITE', '/a|inside', tx)
  expect(tool.answer('TRANSACTION_END', 'T|', tx)).toBe('ERROR EAGAIN|')
  expect(tool.answer('READ', '/a|')).toBe('READ outside')
})

test('events come with the commit, once a node, before its OK', () => {
  tool.ask('WATCH', '/a|t|')
  const tx = tool.start()
  expect(tool.ask('WRITE', '/a/b|1', tx)).toEqual(['WRITE OK|'])
  expect(tool.ask('WRITE', '/a/b|2', tx)).toEqual(['WRITE OK|'])
  expect(tool.ask('TRANSACTION_END', 'T|', tx)).toEqual(['EVENT /a/b|t|', 'TRANSACTION_END OK|'])
})

test.each([
  '',
  'T',
  'X|',
  'T|F|',
  'TT|',
])('an end with %j is invalid and ends nothing', (payload) => {
  const tx = tool.start()
  expect(tool.answer('TRANSACTION_END', payload, tx)).toBe('ERROR EINVAL|')
  expect(tool.answer('TRANSACTION_END', 'F|', tx)).toBe('TRANSACTION_END OK|')
})

test('an end outside of any transaction is ENOENT', () => {
  expect(tool.answer('TRANSACTION_END', 'T|')).toBe('ERROR ENOENT|')
  expect(tool.answer('TRANSACTION_END', 'X|')).toBe('ERROR EINVAL|')
})

test('a guest has ten at most', () => {
  const guest = talk.guest(7)
  for (let i = 1; i <= 10; i++) {
    expect(guest.answer('TRANSACTION_START', '|')).toBe(`TRANSACTION_START ${i}|`)
  }
  expect(guest.answer('TRANSACTION_START', '|')).toBe('ERROR ENOSPC|')
})
