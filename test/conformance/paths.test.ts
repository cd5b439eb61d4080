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

rule('3.1', () => {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_@'
  expect(tool.answer('WRITE', `/${letters}|x`)).toBe('WRITE OK|')
  for (const bad of ['.', ':', ' ', '+', ',', '*', '~', '\\', '\u00e4', '\x7f', '\n']) {
    expect(tool.answer('WRITE', `/a${bad}b|x`)).toBe('ERROR EINVAL|')
    expect(guest.answer('WATCH', `a${bad}b|t|`)).toBe('ERROR EINVAL|')
  }
})

rule('3.2', () => {
  for (const bad of ['', '/a/', '//', '/a//b', 'a/', 'a//b', '/local/domain/']) {
    for (const op of ['READ', 'MKDIR', 'RM', 'DIRECTORY', 'GET_PERMS']) {
      expect(guest.answer(op, `${bad}|`)).toBe('ERROR EINVAL|')
      expect(tool.answer(op, `${bad}|`)).toBe('ERROR EINVAL|')
    }
  }
  expect(tool.answer('DIRECTORY', '/|')).toBe('DIRECTORY tool|local|')
})

rule('3.3', () => {
  guest.ask('WRITE', 'data|mine')
  expect(tool.answer('READ', '/local/domain/7/data|')).toBe('READ mine')
  tool.ask('WRITE', 'foo/bar|dom0')
  expect(tool.answer('READ', '/local/domain/0/foo/bar|')).toBe('READ dom0')
})

rule('3.4', () => {
  for (const name of ['@releaseDomain', '@introduceDomain', '@other']) {
    // At home there is a node of that name, which only its whole path names.
    for (const home of ['/local/domain/0', '/local/domain/7']) {
      expect(tool.answer('WRITE', `${home}/${name}|there`)).toBe('WRITE OK|')
      expect(tool.answer('READ', `${home}/${name}|`)).toBe('READ there')
    }
    for (const op of ['READ', 'DIRECTORY', 'MKDIR', 'RM']) {
      expect(tool.answer(op, `${name}|`)).toBe('ERROR EINVAL|')
      expect(guest.answer(op, `${name}|`)).toBe('ERROR EINVAL|')
    }
    expect(tool.answer('WRITE', `${name}|x`)).toBe('ERROR EINVAL|')
    expect(tool.answer('DIRECTORY_PART', `${name}|0|`)).toBe('ERROR EINVAL|')
  }
  expect(tool.answer('GET_PERMS', '@releaseDomain|')).toMatch(/^GET_PERMS n0\|/)
  expect(tool.answer('SET_PERMS', '@releaseDomain|n0|r7|')).toBe('SET_PERMS OK|')
  expect(guest.ask('WATCH', '@releaseDomain|t|')[0]).toBe('WATCH OK|')
  expect(guest.answer('UNWATCH', '@releaseDomain|t|')).toBe('UNWATCH OK|')
})

rule('3.5', () => {
  expect(tool.answer('WRITE', '/a@b|x')).toBe('WRITE OK|')
  expect(tool.answer('READ', '/a@b|')).toBe('READ x')
})

rule('3.6', () => {
  const longest = 'x'.repeat(2048)
  // Missing, and so refused or not there: but it is a path.
  expect(guest.answer('READ', `${longest}|`)).toBe('ERROR ENOENT|')
  expect(guest.answer('READ', `/local/domain/7/${longest}|`)).toBe('ERROR ENOENT|')
  expect(guest.answer('READ', `${longest}x|`)).toBe('ERROR EINVAL|')
  expect(guest.answer('READ', `/local/domain/7/${longest}x|`)).toBe('ERROR EINVAL|')
  expect(guest.answer('READ', `/${'x'.repeat(2048)}|`)).toBe('ERROR EINVAL|')
  expect(guest.answer('READ', `/${'x'.repeat(2047)}|`)).toBe('ERROR EACCES|')
  // What is there is refused as well, by a limit that was set lower.
  guest.ask('WRITE', 'data|x')
  limit(tool, 7, { 'path-max': 4 })
  expect(guest.answer('READ', 'data|')).toBe('READ x')
  limit(tool, 7, { 'path-max': 3 })
  expect(guest.answer('READ', 'data|')).toBe('ERROR EINVAL|')
  expect(tool.answer('READ', '/local/domain/7/data|')).toBe('READ x')
})

rule('3.7', () => {
  const beyond = 'x'.repeat(2048)
  expect(guest.answer('READ', `/local/domain/123456/${beyond}|`)).toBe('ERROR EINVAL|')
  expect(guest.answer('READ', `/local/domain/12345/${beyond}|`)).toBe('ERROR EACCES|')
})

rule('3.8', () => {
  const long = `/${'y'.repeat(3000)}`
  expect(tool.answer('WRITE', `${long}|x`)).toBe('WRITE OK|')
  expect(tool.answer('READ', `${long}|`)).toBe('READ x')
})

rule('3.9', () => {
  const fresh = aConversation()
  const first = fresh.tool()
  expect(first.answer('DIRECTORY', '/|')).toBe('DIRECTORY tool|')
  expect(first.answer('DIRECTORY', '/tool|')).toBe('DIRECTORY xenstored|')
  expect(first.answer('READ', '/tool/xenstored|')).toBe('READ')
  expect(first.answer('GET_PERMS', '/tool/xenstored|')).toBe('GET_PERMS n0|')
  expect(first.answer('GET_PERMS', '@introduceDomain|')).toBe('GET_PERMS n0|')
  expect(first.answer('GET_PERMS', '@releaseDomain|')).toMatch(/^GET_PERMS n0\|/)
  fresh.end()
})
