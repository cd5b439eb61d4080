import { afterEach, beforeEach, expect } from 'vitest'
import { aConversation, type Conversation, type Peer } from '../support/a-conversation.ts'
import { aGuestAtHome, limit, rule } from './rule.ts'

let talk: Conversation
let tool: Peer
let guest: Peer
beforeEach(() => {
  talk = aConversation()
  tool = talk.tool()
  guest = aGuestAtHome(talk, tool, 7)
})
afterEach(() => talk.end())

/** What a guest is answered to many requests of a kind, as text of the last. */
function many(count: number, op: string, payload: (i: number) => string, tx = 0): string[] {
  const answers: string[] = []
  for (let i = 0; i < count; i++) answers.push(guest.ask(op, payload(i), tx)[0] ?? '')
  return answers
}

rule('10.1', () => {
  limit(tool, 7, { nodes: 10 })
  const answers = many(12, 'WRITE', (i) => `n${i}|x`)
  expect(answers.slice(0, 9)).toEqual(Array(9).fill('WRITE OK|'))
  expect(answers.slice(9)).toEqual(Array(3).fill('ERROR ENOSPC|'))
})

rule('10.2', () => {
  const answers = many(130, 'WATCH', (i) => `a|${i}|`)
  expect(answers.slice(0, 128)).toEqual(Array(128).fill('WATCH OK|'))
  expect(answers.slice(128)).toEqual(Array(2).fill('ERROR E2BIG|'))
})

rule('10.3', () => {
  const answers = many(12, 'TRANSACTION_START', () => '|')
  expect(answers.slice(10)).toEqual(Array(2).fill('ERROR ENOSPC|'))
  expect(answers[9]).toBe('TRANSACTION_START 10|')
})

rule('10.4', () => {
  expect(guest.answer('WRITE', `v|${'x'.repeat(2010)}`)).toBe('WRITE OK|')
  expect(guest.answer('WRITE', `v|${'x'.repeat(2020)}`)).toBe('ERROR ENOSPC|')
  expect(guest.answer('WRITE', `new|${'x'.repeat(2020)}`)).toBe('ERROR ENOSPC|')
  for (let i = 0; i < 300; i++) {
    tool.ask('WRITE', `/local/domain/7/wide/child-${i}|`)
  }
  // dom0 has made it larger than the guest may; the guest may still make it smaller.
  expect(guest.answer('MKDIR', 'wide/more|')).toBe('ERROR ENOSPC|')
  expect(guest.answer('RM', 'wide/child-0|')).toBe('RM OK|')
})

rule('10.5', () => {
  guest.ask('WRITE', 'v|x')
  expect(guest.answer('SET_PERMS', `v|${'n7|'.repeat(5)}`)).toBe('SET_PERMS OK|')
  expect(guest.answer('SET_PERMS', `v|${'n7|'.repeat(6)}`)).toBe('ERROR ENOSPC|')
  expect(tool.answer('SET_PERMS', `/local/domain/7/v|${'n7|'.repeat(9)}`)).toBe('SET_PERMS OK|')
})

rule('10.6', () => {
  limit(tool, 7, { 'transaction-nodes': 5 })
  const tx = guest.start()
  const answers = many(9, 'WRITE', (i) => `n${i}|x`, tx)
  expect(answers[0]).toBe('WRITE OK|')
  expect(answers.at(-1)).toBe('ERROR ENOSPC|')
  expect(guest.answer('TRANSACTION_END', 'T|', tx)).toBe('ERROR ENOMEM|')
})

rule('10.7', () => {
  limit(tool, 7, { memory: 20_000 })
  const value = 'x'.repeat(1500)
  expect(many(40, 'WRITE', (i) => `n${i}|${value}`).at(-1)).toBe('ERROR ENOMEM|')
  expect(guest.answer('WATCH', `a|${value}${value}|`)).toBe('ERROR ENOMEM|')
  const tx = guest.start()
  expect(guest.answer('WRITE', `more|${value}`, tx)).toBe('ERROR ENOMEM|')
  expect(guest.answer('READ', 'n0|')).toBe(`READ ${value}`)
})

rule('10.9', () => {
  limit(tool, 7, { nodes: 0, watches: 0, transactions: 0, 'node-permissions': 0 })
  expect(new Set(many(1100, 'WRITE', (i) => `n${i % 300}/${i}|`))).toEqual(new Set(['WRITE OK|']))
  expect(many(200, 'WATCH', (i) => `a|${i}|`).at(-1)).toBe('WATCH OK|')
  expect(guest.start()).toBe(1)
  limit(tool, 7, { nodes: 1, watches: 1, transactions: 1, 'node-size': 10 })
  for (let i = 0; i < 5; i++) {
    expect(tool.answer('WRITE', `/t${i}|${'x'.repeat(3000)}`)).toBe('WRITE OK|')
    expect(tool.ask('WATCH', `/t|${i}|`)[0]).toBe('WATCH OK|')
    expect(tool.start()).toBe(i + 1)
  }
})

rule('10.10', () => {
  limit(tool, 7, { memory: 1 })
  expect(guest.answer('WRITE', 'a|x')).toBe('ERROR ENOMEM|')
  expect(guest.answer('READ', 'none|')).toBe('ERROR ENOENT|')
  expect(guest.answer('READ', '/tool|')).toBe('ERROR EACCES|')
})

rule('10.11', () => {
  limit(tool, 7, { nodes: 1000 })
  // The home is one of them.
  const made = many(1001, 'WRITE', (i) => `d${i % 40}/${i}|`).filter((text) => text === 'WRITE OK|')
  expect(made.length).toBe(1000 - 1 - 40)
  expect(guest.answer('WRITE', 'late|')).toBe('ERROR ENOSPC|')
  guest.ask('RM', 'd0/0|')
  expect(guest.answer('WRITE', 'late|')).toBe('WRITE OK|')
  expect(guest.answer('WRITE', 'later|')).toBe('ERROR ENOSPC|')
})
