import { afterEach, beforeEach, expect } from 'vitest'
import { BATCH_BROKEN } from '../../native/ring-set.ts'
import { aConversation, type Conversation, type Peer } from '../support/a-conversation.ts'
import { aGuestAtHome, limit, rule } from './rule.ts'

let talk: Conversation
let tool: Peer
let other: Peer
let guest: Peer
beforeEach(() => {
  talk = aConversation()
  tool = talk.tool()
  other = talk.tool()
  guest = aGuestAtHome(talk, tool, 7)
  tool.ask('WRITE', '/x|before')
})
afterEach(() => talk.end())

const commit = (peer: Peer, tx: number): string[] => peer.ask('TRANSACTION_END', 'T|', tx)

rule('6.1', () => {
  const tx = tool.start()
  tool.ask('WRITE', '/x|inside', tx)
  tool.ask('MKDIR', '/new|', tx)
  expect(tool.answer('READ', '/x|', tx)).toBe('READ inside')
  expect(tool.answer('READ', '/x|')).toBe('READ before')
  expect(tool.answer('READ', '/new|')).toBe('ERROR ENOENT|')
  expect(commit(tool, tx)).toEqual(['TRANSACTION_END OK|'])
  expect(other.answer('READ', '/x|')).toBe('READ inside')
})

rule('6.2', () => {
  const tx = tool.start()
  expect(tool.answer('READ', '/x|', tx)).toBe('READ before')
  other.ask('WRITE', '/x|outside')
  expect(tool.answer('READ', '/x|', tx)).toBe('READ before')
})

rule('6.3', () => {
  const tx = tool.start()
  tool.ask('READ', '/x|', tx)
  other.ask('WRITE', '/x|outside')
  tool.ask('WRITE', '/x|inside', tx)
  expect(commit(tool, tx)).toEqual(['ERROR EAGAIN|'])
  expect(tool.answer('READ', '/x|')).toBe('READ outside')
})

rule('6.5', () => {
  for (const change of ['MKDIR', 'RM']) {
    const tx = tool.start()
    tool.ask('DIRECTORY', '/|', tx)
    tool.ask('WRITE', '/result|x', tx)
    other.ask(change, '/child|')
    expect(commit(tool, tx)).toEqual(['ERROR EAGAIN|'])
  }
})

rule('6.6', () => {
  const tx = tool.start()
  expect(tool.answer('READ', '/none|', tx)).toBe('ERROR ENOENT|')
  tool.ask('WRITE', '/result|x', tx)
  other.ask('WRITE', '/none|made')
  expect(commit(tool, tx)).toEqual(['ERROR EAGAIN|'])
})

rule('6.7', () => {
  const tx = tool.start()
  tool.ask('READ', '/x|', tx)
  other.ask('WRITE', '/x|outside')
  commit(tool, tx)
  expect(tool.answer('READ', '/x|', tx)).toBe('ERROR ENOENT|')
  expect(commit(tool, tx)).toEqual(['ERROR ENOENT|'])
})

rule('6.8', () => {
  limit(tool, 7, { 'transaction-nodes': 4 })
  const tx = guest.start()
  const answers = [1, 2, 3, 4, 5, 6].map((i) => guest.answer('READ', `none${i}|`, tx))
  expect(answers).toContain('ERROR ENOSPC|')
  expect(commit(guest, tx)).toEqual(['ERROR ENOMEM|'])
})

rule('6.9', () => {
  limit(tool, 7, { 'transaction-nodes': 1 })
  const tx = guest.start()
  guest.ask('WRITE', 'a|x', tx)
  expect(guest.answer('WRITE', 'b|x', tx)).toBe('ERROR ENOSPC|')
  expect(guest.answer('TRANSACTION_END', 'F|', tx)).toBe('TRANSACTION_END OK|')
})

rule('6.10', () => {
  limit(tool, 7, { nodes: 3 })
  const tx = guest.start()
  guest.ask('WRITE', 'a|x', tx)
  guest.ask('WRITE', 'b|x', tx)
  guest.ask('WRITE', 'c|x')
  expect(commit(guest, tx)).toEqual(['ERROR ENOSPC|'])
  expect(guest.answer('DIRECTORY', '/local/domain/7|')).toBe('DIRECTORY c|')
})

rule('6.11', () => {
  tool.ask('WATCH', '/|t|')
  const tx = tool.start()
  tool.ask('WRITE', '/b|1', tx)
  tool.ask('WRITE', '/a|1', tx)
  tool.ask('WRITE', '/b|2', tx)
  expect(commit(tool, tx)).toEqual(['EVENT /b|t|', 'EVENT /a|t|', 'TRANSACTION_END OK|'])
})

rule('6.12', () => {
  tool.ask('WATCH', '/|t|')
  const tx = tool.start()
  tool.ask('WRITE', '/brief|x', tx)
  tool.ask('RM', '/brief|', tx)
  expect(commit(tool, tx)).toEqual(['TRANSACTION_END OK|'])
  expect(tool.answer('READ', '/brief|')).toBe('ERROR ENOENT|')
})

rule('6.13', () => {
  tool.ask('WATCH', '/|t|')
  const aborted = tool.start()
  tool.ask('WRITE', '/a|x', aborted)
  expect(tool.ask('TRANSACTION_END', 'F|', aborted)).toEqual(['TRANSACTION_END OK|'])
  const failed = tool.start()
  tool.ask('READ', '/x|', failed)
  tool.ask('WRITE', '/a|x', failed)
  other.ask('WRITE', '/x|outside')
  tool.heard()
  expect(commit(tool, failed)).toEqual(['ERROR EAGAIN|'])
})

rule('6.14', () => {
  tool.ask('WRITE', '/d/a/b|x')
  for (const path of ['/d/a/b', '/d/a', '/d']) tool.ask('WATCH', `${path}|t|`)
  const tx = tool.start()
  tool.ask('RM', '/d|', tx)
  expect(commit(tool, tx)).toEqual([
    'EVENT /d|t|',
    'EVENT /d/a|t|',
    'EVENT /d/a/b|t|',
    'TRANSACTION_END OK|',
  ])
})

rule('6.15', () => {
  const reset = guest.start()
  guest.ask('RESET_WATCHES', '|')
  expect(commit(guest, reset)).toEqual(['ERROR ENOENT|'])
  const introduced = guest.start()
  tool.ask('INTRODUCE', '7|1000|6|')
  expect(commit(guest, introduced)).toEqual(['ERROR ENOENT|'])
  guest.start()
  talk.rings.deliver({ connection: guest.id, type: BATCH_BROKEN, reqId: 2 })
  expect(tool.answer('CONTROL', 'quota|7|')).toMatch(/transactions +: +0 /)
})

rule('6.16', () => {
  guest.ask('WRITE', 'data|x')
  const tx = tool.start()
  tool.ask('READ', '/local/domain/7/data|', tx)
  tool.ask('WRITE', '/local/domain/7/other|x', tx)
  other.ask('RELEASE', '7|')
  expect(commit(tool, tx)).toEqual(['ERROR EAGAIN|'])
  expect(tool.answer('READ', '/local/domain/7|')).toBe('ERROR ENOENT|')
})

rule('6.18', () => {
  tool.ask('MKDIR', '/shared|')
  const first = tool.start()
  const second = other.start()
  tool.ask('MKDIR', '/shared/a|', first)
  other.ask('MKDIR', '/shared/b|', second)
  expect(commit(tool, first)).toEqual(['TRANSACTION_END OK|'])
  expect(commit(other, second)).toEqual(['TRANSACTION_END OK|'])
  expect(tool.answer('DIRECTORY', '/shared|')).toBe('DIRECTORY a|b|')
})
