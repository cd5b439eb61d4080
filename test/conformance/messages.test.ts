import { afterEach, beforeEach, expect } from 'vitest'
import { aConversation, type Conversation, type Peer } from '../support/a-conversation.ts'
import { aGuestAtHome, rule } from './rule.ts'

let talk: Conversation
let tool: Peer
let guest: Peer
beforeEach(() => {
  talk = aConversation()
  tool = talk.tool()
  guest = aGuestAtHome(talk, tool, 7)
})
afterEach(() => talk.end())

const ONE_STRING = ['READ', 'DIRECTORY', 'GET_PERMS', 'MKDIR', 'RM', 'GET_DOMAIN_PATH']
const PRIVILEGED = [0, 8, 9, 17, 18, 19, 24, 25, 26]

rule('1.1', () => {
  expect(tool.answer('WRITE', 'who|dom0')).toBe('WRITE OK|')
  expect(tool.answer('READ', '/local/domain/0/who|')).toBe('READ dom0')
  expect(tool.answer('CONTROL', 'check|')).toMatch(/^CONTROL /)
})

rule('1.3', () => {
  const with9 = aConversation({ privilegedDomid: 9 })
  expect(with9.guest(9).answer('WRITE', '/anywhere|x')).toBe('WRITE OK|')
  expect(with9.guest(8).answer('WRITE', '/anywhere|x')).toBe('ERROR EACCES|')
  with9.end()
})

rule('1.4', () => {
  const other = talk.tool()
  const tx = tool.start()
  tool.ask('WATCH', '/a|t|')
  expect(other.answer('READ', '/tool|', tx)).toBe('ERROR ENOENT|')
  expect(other.answer('UNWATCH', '/a|t|')).toBe('ERROR ENOENT|')
  expect(other.ask('WRITE', '/a|x')).toEqual(['WRITE OK|'])
})

rule('2.2', () => {
  const requests = Array.from({ length: 20 }, (_, i) => tool.request('WRITE', `/n${i}|${i}`))
  const reads = Array.from({ length: 20 }, (_, i) => tool.request('READ', `/n${i}|`))
  talk.rings.deliver(...requests, ...reads)
  expect(tool.heard().slice(20)).toEqual(Array.from({ length: 20 }, (_, i) => `READ ${i}`))
})

rule('2.3', () => {
  const tx = tool.start()
  talk.rings.deliver(
    { ...tool.request('READ', '/tool|', tx), reqId: 0x7fffffff },
    { ...tool.request('READ', '/none|', tx), reqId: 5 },
  )
  const [read, error] = tool.messages()
  expect([read?.reqId, read?.txId]).toEqual([0x7fffffff, tx])
  expect([error?.type, error?.reqId, error?.txId]).toEqual([16, 5, tx])
})

rule('2.6', () => {
  for (let i = 0; i < 300; i++) tool.ask('MKDIR', `/wide/a-long-name-of-a-child-${i}|`)
  expect(tool.answer('DIRECTORY', '/wide|')).toBe('ERROR E2BIG|')
})

rule('2.7', () => {
  const token = 'x'.repeat(2500)
  const path = `/${'y'.repeat(1800)}`
  tool.ask('WATCH', `/|${token}|`)
  expect(tool.ask('WRITE', `${path}|`)).toEqual(['WRITE OK|'])
  expect(tool.ask('WRITE', '/short|')).toEqual([`EVENT /short|${token}|`, 'WRITE OK|'])
})

rule('2.9', () => {
  talk.rings.deliver(tool.request('WRITE', '/a|x'), tool.request('READ', '/none|'))
  expect(tool.messages().map(({ payload }) => String(payload))).toEqual(['OK\0', 'ENOENT\0'])
})

rule('2.12', () => {
  for (const type of [15, 16, 20, 27, 1000, 65535, 0x7fffffff]) {
    expect(tool.answer(type, '/|', 99)).toBe('ERROR ENOSYS|')
    expect(guest.answer(type, '/|')).toBe('ERROR ENOSYS|')
  }
})

rule('2.13', () => {
  for (const type of PRIVILEGED) expect(guest.answer(type, '7|')).toBe('ERROR EACCES|')
})

rule('2.14', () => {
  for (let type = 0; type <= 26; type++) {
    if ([4, 5, 15, 16, 20].includes(type)) continue
    expect(tool.answer(type, '7|', 99)).toBe('ERROR ENOENT|')
  }
  expect(tool.ask('WATCH', '/a|t|', 99)[0]).toBe('WATCH OK|')
  expect(tool.answer('UNWATCH', '/a|t|', 99)).toBe('UNWATCH OK|')
})

rule('2.15', () => {
  expect(guest.answer(20, 'bad', 99)).toBe('ERROR ENOSYS|')
  expect(guest.answer('INTRODUCE', 'bad', 99)).toBe('ERROR EACCES|')
  expect(guest.answer('READ', 'bad//path', 99)).toBe('ERROR ENOENT|')
  expect(guest.answer('READ', 'bad//path|')).toBe('ERROR EINVAL|')
})

rule('2.16', () => {
  // Be there a node of that name or not.
  expect(tool.answer('MKDIR', '7|')).toBe('MKDIR OK|')
  for (const op of ONE_STRING) {
    for (const bad of ['', '7', '77', '7|x', '7||', '7|x|']) {
      expect(tool.answer(op, bad)).toBe('ERROR EINVAL|')
    }
  }
  for (const op of ['RELEASE', 'RESUME', 'IS_DOMAIN_INTRODUCED']) {
    for (const bad of ['', '7', '7|x', '7||']) expect(tool.answer(op, bad)).toBe('ERROR EINVAL|')
  }
})

rule('2.17', () => {
  expect(tool.ask('WATCH', '/a|t|loose')[0]).toBe('WATCH OK|')
  expect(tool.answer('SET_PERMS', '/tool|n0|loose')).toBe('SET_PERMS OK|')
  expect(tool.answer('CONTROL', 'print|text|loose')).toBe('CONTROL OK|')
})

rule('2.18', () => {
  expect(tool.answer('GET_DOMAIN_PATH', '007|')).toBe('GET_DOMAIN_PATH /local/domain/7|')
  for (const bad of ['x', '7x', '-7', '+7', ' 7', '0x7', '65536', '']) {
    expect(tool.answer('GET_DOMAIN_PATH', `${bad}|`)).toBe('ERROR EINVAL|')
  }
})

rule('2.19', () => {
  const real = talk.domains.get
  talk.domains.get = () => {
    throw new Error('out of order')
  }
  expect(tool.answer('INTRODUCE', '9|1000|5|')).toBe('ERROR EIO|')
  talk.domains.get = real
  expect(tool.answer('READ', '/tool|')).toBe('READ')
})
