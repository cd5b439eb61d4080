import { afterEach, beforeEach, expect } from 'vitest'
import { aConversation, aDomain, type Conversation, type Peer } from '../support/a-conversation.ts'
import { aGuestAtHome, limit, rule } from './rule.ts'

let talk: Conversation
let tool: Peer
let guest: Peer
let other: Peer
beforeEach(() => {
  talk = aConversation()
  tool = talk.tool()
  guest = aGuestAtHome(talk, tool, 7)
  other = aGuestAtHome(talk, tool, 8)
})
afterEach(() => talk.end())

/** A node at /p with these permissions. */
function node(perms: string): void {
  tool.ask('WRITE', '/p|value')
  expect(tool.answer('SET_PERMS', `/p|${perms}`)).toBe('SET_PERMS OK|')
}

rule('4.1', () => {
  node('n0|r7|w8|b7|n8|r7|')
  expect(tool.answer('GET_PERMS', '/p|')).toBe('GET_PERMS n0|r7|w8|b7|n8|r7|')
  for (const bad of ['x0|', 'r|', 'r7x|', '7|', 'R7|', 'r-1|', 'r 7|']) {
    expect(tool.answer('SET_PERMS', `/p|${bad}`)).toBe('ERROR EINVAL|')
  }
})

rule('4.2', () => {
  node('n0|r0x1f|r010|r007|')
  expect(tool.answer('GET_PERMS', '/p|')).toBe('GET_PERMS n0|r31|r8|r7|')
})

rule('4.3', () => {
  node('n7|')
  expect(guest.answer('READ', '/p|')).toBe('READ value')
  expect(guest.answer('WRITE', '/p|mine')).toBe('WRITE OK|')
  expect(guest.answer('SET_PERMS', '/p|n7|r8|')).toBe('SET_PERMS OK|')
  expect(guest.answer('RM', '/p|')).toBe('RM OK|')
})

rule('4.4', () => {
  node('b0|n7|r7|b7|')
  expect(guest.answer('READ', '/p|')).toBe('ERROR EACCES|')
  expect(other.answer('READ', '/p|')).toBe('READ value')
})

rule('4.5', () => {
  node('r0|')
  expect(guest.answer('READ', '/p|')).toBe('READ value')
  expect(guest.answer('WRITE', '/p|x')).toBe('ERROR EACCES|')
  node('w0|')
  expect(guest.answer('READ', '/p|')).toBe('ERROR EACCES|')
  expect(guest.answer('WRITE', '/p|x')).toBe('WRITE OK|')
})

rule('4.6', () => {
  tool.ask('WRITE', '/closed/open|seen')
  tool.ask('SET_PERMS', '/closed|n0|')
  tool.ask('SET_PERMS', '/closed/open|n0|r7|')
  expect(guest.answer('READ', '/closed|')).toBe('ERROR EACCES|')
  expect(guest.answer('READ', '/closed/open|')).toBe('READ seen')
})

rule('4.7', () => {
  tool.ask('MKDIR', '/open|')
  tool.ask('SET_PERMS', '/open|n0|b7|')
  expect(guest.answer('WRITE', '/open/a/b|x')).toBe('WRITE OK|')
  expect(other.answer('WRITE', '/open/c/d|x')).toBe('ERROR EACCES|')
  expect(guest.answer('MKDIR', '/elsewhere|')).toBe('ERROR EACCES|')
})

rule('4.8', () => {
  tool.ask('WRITE', '/closed/mine/deep|x')
  tool.ask('SET_PERMS', '/closed|n0|')
  tool.ask('SET_PERMS', '/closed/mine|n0|b7|')
  tool.ask('SET_PERMS', '/closed/mine/deep|n0|')
  expect(guest.answer('RM', '/closed/mine/deep|')).toBe('ERROR EACCES|')
  expect(guest.answer('RM', '/closed/mine|')).toBe('RM OK|')
  expect(tool.answer('READ', '/closed/mine/deep|')).toBe('ERROR ENOENT|')
})

rule('4.9', () => {
  node('n0|b7|')
  expect(guest.answer('WRITE', '/p|x')).toBe('WRITE OK|')
  expect(guest.answer('SET_PERMS', '/p|n0|r8|')).toBe('ERROR EACCES|')
})

rule('4.10', () => {
  tool.ask('MKDIR', '/seen|')
  tool.ask('SET_PERMS', '/seen|n0|r7|')
  tool.ask('MKDIR', '/written|')
  tool.ask('SET_PERMS', '/written|n0|w7|')
  for (const op of ['READ', 'DIRECTORY', 'GET_PERMS']) {
    expect(guest.answer(op, '/seen/none|')).toBe('ERROR ENOENT|')
    expect(guest.answer(op, '/seen/none/deep|')).toBe('ERROR ENOENT|')
    expect(guest.answer(op, '/written/none|')).toBe('ERROR EACCES|')
    expect(guest.answer(op, '/nowhere|')).toBe('ERROR EACCES|')
  }
  expect(guest.answer('RM', '/written/none/deep|')).toBe('ERROR ENOENT|')
  expect(guest.answer('RM', '/seen/none|')).toBe('ERROR EACCES|')
  expect(guest.answer('SET_PERMS', '/written/none|n7|')).toBe('ERROR ENOENT|')
  expect(guest.answer('SET_PERMS', '/seen/none|n7|')).toBe('ERROR EACCES|')
})

rule('4.11', () => {
  for (const op of ['READ', 'DIRECTORY', 'GET_PERMS']) {
    expect(tool.answer(op, '/none/deep|')).toBe('ERROR ENOENT|')
  }
  expect(tool.answer('SET_PERMS', '/none|n0|')).toBe('ERROR ENOENT|')
  expect(tool.answer('RM', '/none/deep|')).toBe('ERROR ENOENT|')
})

rule('4.12', () => {
  tool.ask('WRITE', '/a/b/c|x')
  expect(tool.answer('READ', '/a|')).toBe('READ')
  expect(tool.answer('READ', '/a/b|')).toBe('READ')
  expect(tool.answer('READ', '/a/b/c|')).toBe('READ x')
})

rule('4.13', () => {
  tool.ask('MKDIR', '/sh|')
  tool.ask('SET_PERMS', '/sh|n0|b8|r7|')
  expect(other.answer('WRITE', '/sh/a/b|x')).toBe('WRITE OK|')
  for (const made of ['/sh/a', '/sh/a/b']) {
    expect(tool.answer('GET_PERMS', `${made}|`)).toBe('GET_PERMS n8|b8|r7|')
  }
})

rule('4.14', () => {
  limit(tool, 7, { nodes: 2 })
  expect(guest.answer('WRITE', 'one|x')).toBe('WRITE OK|')
  expect(guest.answer('WRITE', 'two|x')).toBe('ERROR ENOSPC|')
  for (let i = 0; i < 5; i++) {
    expect(tool.answer('WRITE', `/local/domain/7/made${i}|x`)).toBe('WRITE OK|')
  }
  expect(tool.answer('GET_PERMS', '/local/domain/7/made0|')).toBe('GET_PERMS n7|')
})

rule('4.15', () => {
  tool.ask('WRITE', '/p|x')
  expect(tool.answer('SET_PERMS', '/p|n99|r7|')).toBe('ERROR ENOENT|')
  expect(tool.answer('GET_PERMS', '/p|')).toBe('GET_PERMS n0|')
})

rule('4.16', () => {
  node('n0|r9|')
  const late = aGuestAtHome(talk, tool, 9)
  expect(late.answer('READ', '/p|')).toBe('ERROR EACCES|')
})

rule('4.17', () => {
  node('n0|b7|')
  tool.ask('RELEASE', '7|')
  const heir = aGuestAtHome(talk, tool, 7)
  expect(heir.answer('READ', '/p|')).toBe('ERROR EACCES|')
  expect(heir.answer('WRITE', '/p|x')).toBe('ERROR EACCES|')
})

rule('4.18', () => {
  node('n0|r7|r99|')
  tool.ask('RELEASE', '7|')
  expect(tool.answer('GET_PERMS', '/p|')).toBe('GET_PERMS n0|r7|r99|')
})

rule('4.19', () => {
  tool.ask('WRITE', '/elsewhere/of7|x')
  tool.ask('SET_PERMS', '/elsewhere/of7|n7|')
  tool.ask('WATCH', '/elsewhere/of7|node|')
  tool.ask('WATCH', '/local/domain/7|home|')
  tool.ask('WATCH', '@releaseDomain|dead|')
  const heard = tool.ask('RELEASE', '7|')
  expect(heard.slice(-2)).toEqual(['EVENT @releaseDomain|dead|', 'RELEASE OK|'])
  expect(heard.slice(0, -2).sort()).toEqual([
    'EVENT /elsewhere/of7|node|',
    'EVENT /local/domain/7|home|',
  ])
  expect(tool.answer('READ', '/elsewhere/of7|')).toBe('ERROR ENOENT|')
  expect(tool.answer('READ', '/elsewhere|')).toBe('READ')
})

rule('4.20', () => {
  const keeping = aConversation({ keepOrphans: true })
  const first = keeping.tool()
  const dying = aGuestAtHome(keeping, first, 7)
  dying.ask('WRITE', 'data|x')
  first.ask('RELEASE', '7|')
  expect(first.answer('GET_PERMS', '/local/domain/7/data|')).toBe('GET_PERMS n0|')
  keeping.end()
})

rule('4.21', () => {
  expect(tool.answer('SET_PERMS', '@introduceDomain|n7|r8|')).toBe('SET_PERMS OK|')
  tool.ask('RELEASE', '7|')
  expect(tool.answer('GET_PERMS', '@introduceDomain|')).toBe('GET_PERMS n0|r8|')
})

rule('4.22', () => {
  limit(tool, 7, { nodes: 3 })
  guest.ask('WRITE', 'a|x')
  guest.ask('WRITE', 'b|x')
  expect(guest.answer('WRITE', 'c|x')).toBe('ERROR ENOSPC|')
  guest.ask('WATCH', 'a|t|')
  guest.start()
  tool.ask('RELEASE', '7|')
  const heir = aGuestAtHome(talk, tool, 7)
  expect(heir.answer('WRITE', 'a|x')).toBe('WRITE OK|')
  expect(heir.answer('WRITE', 'b|x')).toBe('WRITE OK|')
  const usage = tool.answer('CONTROL', 'quota|7|')
  expect(usage).toMatch(/nodes +: +3 /)
  expect(usage).toMatch(/watches +: +0 /)
  expect(usage).toMatch(/transactions +: +0 /)
})

rule('4.23', () => {
  node('n0|r8|')
  expect(tool.answer('SET_TARGET', '7|8|')).toBe('SET_TARGET OK|')
  expect(guest.answer('READ', '/p|')).toBe('READ value')
  expect(guest.answer('WRITE', '/local/domain/8/by7|x')).toBe('WRITE OK|')
  expect(tool.answer('GET_PERMS', '/local/domain/8/by7|')).toBe('GET_PERMS n7|')
  tool.ask('RELEASE', '8|')
  aGuestAtHome(talk, tool, 8)
  expect(guest.answer('WRITE', '/local/domain/8/again|x')).toBe('ERROR EACCES|')
})

rule('4.24', () => {
  expect(tool.answer('SET_TARGET', '7|')).toBe('ERROR EINVAL|')
  expect(tool.answer('SET_TARGET', '7|x|')).toBe('ERROR EINVAL|')
  expect(tool.answer('SET_TARGET', '7|99|')).toBe('ERROR ENOENT|')
  expect(tool.answer('SET_TARGET', '99|7|')).toBe('ERROR ENOENT|')
  expect(guest.answer('SET_TARGET', '7|8|')).toBe('ERROR EACCES|')
})

rule('4.25', () => {
  node('n0|r32757|')
  expect(guest.answer('READ', '/p|')).toBe('READ value')
  expect(other.answer('READ', '/p|')).toBe('READ value')
  expect(guest.answer('WRITE', '/p|x')).toBe('ERROR EACCES|')
  expect(tool.answer('GET_PERMS', '/p|')).toBe('GET_PERMS n0|r32757|')
})

rule('4.26', () => {
  guest.ask('WRITE', 'mine|x')
  expect(guest.answer('SET_PERMS', 'mine|n8|')).toBe('ERROR EPERM|')
  expect(guest.answer('SET_PERMS', 'mine|n0|')).toBe('ERROR EPERM|')
  expect(tool.answer('GET_PERMS', '/local/domain/7/mine|')).toBe('GET_PERMS n7|')
  expect(tool.answer('SET_PERMS', '/local/domain/7/mine|n8|')).toBe('SET_PERMS OK|')
})

rule('9.3', () => {
  guest.ask('WRITE', 'data|x')
  node('n0|b7|')
  guest.ask('WATCH', '@other|t|')
  tool.ask('WATCH', '/local/domain/7/data|data|')
  tool.ask('WATCH', '@releaseDomain|dead|')
  talk.domains.set(7, aDomain(7, { isDying: true }))
  talk.virq()
  // The ring went before the nodes, and the end is told last.
  expect(talk.rings.calls.at(-1)).toBe(`detach ${guest.id}`)
  expect(tool.heard()).toEqual(['EVENT /local/domain/7/data|data|', 'EVENT @releaseDomain|dead|'])
  talk.domains.delete(7)
  const heir = aGuestAtHome(talk, tool, 7)
  expect(heir.answer('READ', '/p|')).toBe('ERROR EACCES|')
  expect(tool.answer('CONTROL', 'quota|7|')).toMatch(/nodes +: +1 /)
})
