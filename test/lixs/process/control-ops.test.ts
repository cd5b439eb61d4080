import { afterEach, beforeEach, expect, test } from 'vitest'
import { aConversation, type Conversation, type Peer } from '../../support/a-conversation.ts'

let talk: Conversation
let tool: Peer
beforeEach(() => {
  talk = aConversation()
  tool = talk.tool()
})
afterEach(() => talk.end())

test('a command without its NUL is invalid', () => {
  expect(tool.answer('CONTROL', 'help')).toBe('ERROR EINVAL|')
})

test('an empty payload is invalid', () => {
  expect(tool.answer('CONTROL', '')).toBe('ERROR EINVAL|')
})

test('a command that nobody knows is invalid', () => {
  expect(tool.answer('CONTROL', 'nonsense|')).toBe('ERROR EINVAL|')
})

test('bytes behind the last NUL are ignored', () => {
  expect(tool.answer('CONTROL', 'print|text|more')).toBe('CONTROL OK|')
})

test('a guest may not command', () => {
  expect(talk.guest(7).answer('CONTROL', 'help|')).toBe('ERROR EACCES|')
})

test.each([
  'check|now|',
  'help|me|',
  'log|on|off|',
  'log|level|debug|lixs|more|',
  'logfile|',
  'logfile|a|b|',
  'memreport|a|b|',
  'print|',
  'print|a|b|',
  'quota|set|nodes|',
  'quota|set|nodes|1|2|',
  'quota|max|-r|more|',
  'quota-soft|set|memory|',
  'stats|all|',
])('a wrong number of words is invalid: %s', (payload) => {
  expect(tool.answer('CONTROL', payload)).toBe('ERROR EINVAL|')
})

test('help lists each command, padded to 15 columns, with what it takes', () => {
  const lines = tool
    .answer('CONTROL', 'help|')
    .replace(/^CONTROL /, '')
    .replace(/\|$/, '')
    .split('\n')
  expect(lines.map((line) => line.slice(0, 15).trim())).toEqual(
    expect.arrayContaining([
      'check',
      'help',
      'log',
      'logfile',
      'memreport',
      'print',
      'quota',
      'quota-soft',
      'stats',
    ]),
  )
  expect(lines).toContain('logfile         <file>')
})
