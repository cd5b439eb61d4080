import { afterEach, beforeEach, expect } from 'vitest'
import { OUTPUT_COALESCE } from '../../native/ring-set.ts'
import { aConversation, aDomain, type Conversation, type Peer } from '../support/a-conversation.ts'
import { aGuestAtHome, rule } from './rule.ts'

let talk: Conversation
let tool: Peer
let watcher: Peer
let guest: Peer
beforeEach(() => {
  talk = aConversation()
  tool = talk.tool()
  watcher = talk.tool()
  guest = aGuestAtHome(talk, tool, 7)
})
afterEach(() => talk.end())

/** Registers a watch and forgets its first event. */
function watch(peer: Peer, path: string, token = 't'): void {
  peer.ask('WATCH', `${path}|${token}|`)
}

rule('7.1', () => {
  watch(watcher, '/')
  tool.ask('WRITE', '/a|x')
  tool.ask('MKDIR', '/b|')
  tool.ask('MKDIR', '/b|')
  tool.ask('SET_PERMS', '/b|n0|')
  tool.ask('RM', '/b|')
  tool.ask('RM', '/b|')
  for (const op of ['READ', 'DIRECTORY', 'GET_PERMS']) tool.ask(op, '/a|')
  expect(watcher.heard()).toEqual(['EVENT /a|t|', 'EVENT /b|t|', 'EVENT /b|t|', 'EVENT /b|t|'])
})

rule('7.2', () => {
  watch(watcher, '/')
  watch(watcher, '/a', 'exact')
  tool.ask('WRITE', '/a/b/c|x')
  expect(watcher.heard()).toEqual(['EVENT /a/b/c|t|', 'EVENT /a/b/c|exact|'])
})

rule('7.3', () => {
  watch(watcher, '/a/b')
  tool.ask('WRITE', '/a/b|x')
  tool.ask('WRITE', '/a/b/c/d|x')
  tool.ask('WRITE', '/a/bc|x')
  tool.ask('WRITE', '/a|x')
  expect(watcher.heard()).toEqual(['EVENT /a/b|t|', 'EVENT /a/b/c/d|t|'])
})

rule('7.4', () => {
  watch(watcher, '/')
  tool.ask('WRITE', '/any/where|x')
  talk.guest(9)
  tool.ask('RELEASE', '9|')
  expect(watcher.heard()).toEqual(['EVENT /any/where|t|'])
})

rule('7.5', () => {
  tool.ask('WRITE', '/d/a/x|')
  tool.ask('WRITE', '/d/b|')
  for (const path of ['/d', '/d/b', '/d/a', '/d/a/x']) watch(watcher, path, path.slice(1))
  tool.ask('RM', '/d|')
  expect(watcher.heard()).toEqual([
    'EVENT /d/a/x|d/a/x|',
    'EVENT /d/a|d/a|',
    'EVENT /d/b|d/b|',
    'EVENT /d|d|',
  ])
})

rule('7.6', () => {
  tool.ask('WRITE', '/up/d/a/x|')
  watch(watcher, '/up')
  tool.ask('RM', '/up/d|')
  expect(watcher.heard()).toEqual(['EVENT /up/d|t|'])
})

rule('7.7', () => {
  tool.ask('WRITE', '/d/a|')
  watch(watcher, '/d/a/none')
  watch(watcher, '/d/none')
  tool.ask('RM', '/d|')
  expect(watcher.heard()).toEqual([])
})

rule('7.8', () => {
  watch(guest, 'data', 'relative')
  watch(guest, '/local/domain/7/data', 'absolute')
  guest.ask('WRITE', 'data/x|1')
  guest.heard()
  tool.ask('WRITE', '/local/domain/7/data/x|2')
  expect(guest.heard()).toEqual([
    'EVENT data/x|relative|',
    'EVENT /local/domain/7/data/x|absolute|',
  ])
})

rule('7.9', () => {
  for (const token of ['c', 'a', 'b']) watch(watcher, '/x', token)
  watch(watcher, '/', 'root')
  watch(watcher, '/x', 'last')
  tool.ask('WRITE', '/x|1')
  expect(watcher.heard()).toEqual(['c', 'a', 'b', 'root', 'last'].map((t) => `EVENT /x|${t}|`))
})

rule('7.10', () => {
  for (const path of ['/secret', '/secret/open', '/shown', '/shown/shut'])
    tool.ask('MKDIR', `${path}|`)
  tool.ask('SET_PERMS', '/secret|n0|')
  tool.ask('SET_PERMS', '/secret/open|n0|r7|')
  tool.ask('SET_PERMS', '/shown|n0|r7|')
  tool.ask('SET_PERMS', '/shown/shut|n0|')
  watch(guest, '/secret')
  watch(guest, '/shown')
  tool.ask('WRITE', '/secret|x')
  tool.ask('WRITE', '/secret/open|x')
  tool.ask('WRITE', '/shown/shut|x')
  tool.ask('WRITE', '/shown/shut/deep|x')
  tool.ask('RM', '/secret/open|')
  expect(guest.heard()).toEqual([
    'EVENT /secret/open|t|',
    'EVENT /shown/shut|t|',
    'EVENT /secret/open|t|',
  ])
})

rule('7.11', () => {
  tool.ask('MKDIR', '/closed|')
  tool.ask('SET_PERMS', '/closed|n0|')
  tool.ask('WRITE', '/closed/p|x')
  tool.ask('SET_PERMS', '/closed/p|n0|r7|')
  watch(guest, '/closed/p')
  tool.ask('SET_PERMS', '/closed/p|n0|')
  expect(guest.heard()).toEqual(['EVENT /closed/p|t|'])
  tool.ask('WRITE', '/closed/p|y')
  tool.ask('RM', '/closed/p|')
  expect(guest.heard()).toEqual([])
})

rule('7.12', () => {
  for (const depth of [0, 1, 2]) watcher.ask('WATCH', `/d|depth${depth}|${depth}|`)
  watcher.ask('WATCH', '/|root|1|')
  watcher.heard()
  tool.ask('WRITE', '/d|x')
  expect(watcher.heard()).toEqual(
    ['depth0', 'depth1', 'depth2', 'root'].map((t) => `EVENT /d|${t}|`),
  )
  tool.ask('WRITE', '/d/a|x')
  expect(watcher.heard()).toEqual(['EVENT /d/a|depth1|', 'EVENT /d/a|depth2|'])
  tool.ask('WRITE', '/d/a/b|x')
  expect(watcher.heard()).toEqual(['EVENT /d/a/b|depth2|'])
  tool.ask('WRITE', '/d/a/b/c|x')
  expect(watcher.heard()).toEqual([])
})

rule('7.13', () => {
  watch(watcher, '@introduceDomain')
  watch(watcher, '@releaseDomain')
  talk.guest(9)
  expect(watcher.heard()).toEqual(['EVENT @introduceDomain|t|'])
  talk.domains.set(9, aDomain(9, { isShutdown: true, shutdownReason: 'crash' }))
  talk.virq()
  expect(watcher.heard()).toEqual(['EVENT @releaseDomain|t|'])
  tool.ask('RELEASE', '7|')
  expect(watcher.heard()).toEqual(['EVENT @releaseDomain|t|'])
})

rule('7.14', () => {
  watch(watcher, '@releaseDomain')
  talk.domains.set(7, aDomain(7, { isShutdown: true, shutdownReason: 'poweroff' }))
  talk.virq()
  expect(watcher.heard()).toEqual(['EVENT @releaseDomain|t|'])
  talk.domains.delete(7)
  talk.timers.pass(5000)
  talk.virq()
  talk.timers.pass(5000)
  expect(watcher.heard()).toEqual(['EVENT @releaseDomain|t|'])
})

rule('7.15', () => {
  watch(guest, '@introduceDomain')
  talk.guest(9)
  expect(guest.heard()).toEqual([])
  tool.ask('SET_PERMS', '@introduceDomain|n0|r7|')
  talk.guest(10)
  expect(guest.heard()).toContain('EVENT @introduceDomain|t|')
})

rule('7.16', () => {
  watch(watcher, '@introduceDomain')
  watch(watcher, '/a')
  talk.guest(9)
  tool.ask('WRITE', '/a|x')
  const flags = new Map(watcher.messages().map(({ payload, flags }) => [String(payload), flags]))
  expect((flags.get('@introduceDomain\0t\0') ?? OUTPUT_COALESCE) & OUTPUT_COALESCE).toBe(0)
  expect((flags.get('/a\0t\0') ?? 0) & OUTPUT_COALESCE).toBe(OUTPUT_COALESCE)
})

rule('7.17', () => {
  watcher.ask('WATCH', '@releaseDomain|which|1|')
  watch(watcher, '@releaseDomain', 'bare')
  watch(watcher, '@releaseDomain/7', 'seven')
  watch(watcher, '@releaseDomain/8', 'eight')
  watcher.heard()
  tool.ask('RELEASE', '7|')
  expect(watcher.heard().sort()).toEqual([
    'EVENT @releaseDomain/7|seven|',
    'EVENT @releaseDomain/7|which|',
    'EVENT @releaseDomain|bare|',
  ])
  talk.guest(8)
  watcher.heard()
  talk.domains.set(8, aDomain(8, { isShutdown: true, shutdownReason: 'poweroff' }))
  talk.timers.pass(5000)
  talk.virq()
  talk.timers.pass(5000)
  expect(watcher.heard().sort()).toEqual([
    'EVENT @releaseDomain/8|eight|',
    'EVENT @releaseDomain/8|which|',
    'EVENT @releaseDomain|bare|',
  ])
})

rule('7.19', () => {
  watch(watcher, '/a')
  talk.rings.deliver(tool.request('WRITE', '/a|x'), watcher.request('READ', '/a|'))
  expect(watcher.heard()).toEqual(['EVENT /a|t|', 'READ x'])
})

rule('7.20', () => {
  watch(tool, '/a')
  expect(tool.ask('WRITE', '/a|x')).toEqual(['EVENT /a|t|', 'WRITE OK|'])
  expect(tool.ask('MKDIR', '/a/b|')).toEqual(['EVENT /a/b|t|', 'MKDIR OK|'])
  expect(tool.ask('SET_PERMS', '/a|n0|')).toEqual(['EVENT /a|t|', 'SET_PERMS OK|'])
  expect(tool.ask('RM', '/a|')).toEqual(['EVENT /a|t|', 'RM OK|'])
})
