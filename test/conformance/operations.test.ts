import { afterEach, beforeEach, expect } from 'vitest'
import { aConversation, aDomain, type Conversation, type Peer } from '../support/a-conversation.ts'
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

rule('5.1', () => {
  tool.ask('WRITE', '/v|a|b')
  expect(tool.answer('READ', '/v|')).toBe('READ a|b')
  tool.ask('WRITE', '/v|')
  expect(tool.answer('READ', '/v|')).toBe('READ')
})

rule('5.2', () => {
  expect(tool.answer('WRITE', '/v')).toBe('ERROR EINVAL|')
  expect(tool.answer('WRITE', '')).toBe('ERROR EINVAL|')
  expect(tool.answer('WRITE', '/v|x|y||')).toBe('WRITE OK|')
  expect(tool.answer('READ', '/v|')).toBe('READ x|y||')
})

rule('5.3', () => {
  tool.ask('WRITE', '/v|same')
  tool.ask('WATCH', '/v|t|')
  expect(tool.ask('WRITE', '/v|same')).toEqual(['EVENT /v|t|', 'WRITE OK|'])
})

rule('5.4', () => {
  tool.ask('WRITE', '/v|value')
  tool.ask('WATCH', '/v|t|')
  expect(tool.ask('MKDIR', '/v|')).toEqual(['MKDIR OK|'])
  expect(tool.answer('READ', '/v|')).toBe('READ value')
  tool.ask('SET_PERMS', '/v|r0|')
  expect(guest.answer('MKDIR', '/v|')).toBe('ERROR EACCES|')
})

rule('5.5', () => {
  tool.ask('WATCH', '/|t|')
  tool.ask('MKDIR', '/there|')
  expect(tool.ask('RM', '/there/none|')).toEqual(['RM OK|'])
  expect(tool.ask('RM', '/none/none|')).toEqual(['ERROR ENOENT|'])
  expect(tool.ask('RM', '/none|')).toEqual(['RM OK|'])
})

rule('5.6', () => {
  expect(tool.answer('RM', '/|')).toBe('ERROR EINVAL|')
  expect(guest.answer('RM', '/|')).toBe('ERROR EACCES|')
  tool.ask('SET_PERMS', '/|b0|')
  expect(guest.answer('RM', '/|')).toBe('ERROR EINVAL|')
})

rule('5.7', () => {
  for (const name of ['zebra', 'ant', 'mole']) tool.ask('MKDIR', `/d/${name}|`)
  tool.ask('RM', '/d/ant|')
  tool.ask('MKDIR', '/d/ant|')
  expect(tool.answer('DIRECTORY', '/d|')).toBe('DIRECTORY zebra|mole|ant|')
  expect(tool.answer('DIRECTORY', '/d/mole|')).toBe('DIRECTORY')
})

/** A directory whose list is longer than a message. */
function aLongList(): string[] {
  const names = Array.from({ length: 450 }, (_, i) => `child-${i}-${'x'.repeat(i % 7)}`)
  for (const name of names) tool.ask('MKDIR', `/long/${name}|`)
  return names
}

rule('5.8', () => {
  aLongList()
  expect(tool.answer('DIRECTORY', '/long|')).toBe('ERROR E2BIG|')
})

rule('5.9', () => {
  const names = aLongList()
  const found: string[] = []
  const list = `${names.join('|')}|`
  for (let offset = 0; ; ) {
    const [part = ''] = tool.ask('DIRECTORY_PART', `/long|${offset}|`)
    const [generation, ...rest] = part.replace('DIRECTORY_PART ', '').split('|')
    expect(generation).toMatch(/^[0-9]+$/)
    // Whole names; behind the last part an empty one.
    const isLast = part.endsWith('||')
    const here = rest.slice(0, isLast ? -2 : -1)
    const bytes = here.join('|').length + 1
    expect(here.join('|')).toBe(list.slice(offset, offset + bytes - 1))
    const next = names[found.length + here.length]
    if (!isLast) {
      const room = 4096 - ((generation as string).length + 1) - 1
      expect(bytes).toBeLessThan(room)
      expect(bytes + (next as string).length + 1).toBeGreaterThanOrEqual(room)
    }
    found.push(...here)
    offset += bytes
    if (isLast) break
  }
  expect(found).toEqual(names)
  expect(tool.answer('DIRECTORY_PART', '/long|99999|')).toMatch(/^DIRECTORY_PART [0-9]+\|\|$/)
})

rule('5.10', () => {
  tool.ask('MKDIR', '/d|')
  for (const bad of ['/d|', '/d', '/d|0', '/d|0|0|']) {
    expect(tool.answer('DIRECTORY_PART', bad)).toBe('ERROR EINVAL|')
  }
})

rule('5.11', () => {
  const generation = (): string => tool.answer('DIRECTORY_PART', '/d|9|')
  tool.ask('MKDIR', '/d|')
  const seen = new Set([generation()])
  tool.ask('MKDIR', '/d/a|')
  seen.add(generation())
  tool.ask('RM', '/d/a|')
  seen.add(generation())
  expect(seen.size).toBe(3)
})

rule('5.12', () => {
  tool.ask('WRITE', '/p|x')
  tool.ask('SET_PERMS', '/p|n0|r7|w8|')
  expect(guest.answer('GET_PERMS', '/p|')).toBe('GET_PERMS n0|r7|w8|')
  tool.ask('SET_PERMS', '/p|n0|w7|')
  expect(guest.answer('GET_PERMS', '/p|')).toBe('ERROR EACCES|')
})

rule('5.13', () => {
  expect(tool.answer('GET_PERMS', '@introduceDomain|')).toBe('GET_PERMS n0|')
  expect(tool.answer('GET_PERMS', '@other|')).toBe('ERROR ENOENT|')
  expect(guest.answer('GET_PERMS', '@other|')).toBe('ERROR EACCES|')
  expect(guest.answer('GET_PERMS', '@introduceDomain|')).toBe('ERROR EACCES|')
})

rule('5.14', () => {
  guest.ask('WRITE', 'mine|x')
  const sixty = 'n7|'.repeat(6)
  // Each row is wrong in all that follows, too: the first complaint is the one that is made.
  expect(guest.answer('SET_PERMS', 'bad//path|')).toBe('ERROR EINVAL|')
  expect(guest.answer('SET_PERMS', `bad//path|x99|${sixty}`)).toBe('ERROR ENOSPC|')
  expect(guest.answer('SET_PERMS', 'bad//path|n99|x|')).toBe('ERROR EINVAL|')
  expect(guest.answer('SET_PERMS', 'bad//path|n99|')).toBe('ERROR ENOENT|')
  expect(guest.answer('SET_PERMS', 'bad//path|n0|')).toBe('ERROR EINVAL|')
  expect(guest.answer('SET_PERMS', '/tool|n0|')).toBe('ERROR EACCES|')
  expect(guest.answer('SET_PERMS', 'mine|n0|')).toBe('ERROR EPERM|')
})

rule('5.15', () => {
  tool.ask('WRITE', '/p|x')
  expect(tool.answer('SET_PERMS', '/p|n0|r7|b8')).toBe('SET_PERMS OK|')
  expect(tool.answer('GET_PERMS', '/p|')).toBe('GET_PERMS n0|r7|')
})

rule('5.16', () => {
  const nodes = (domid: number): number =>
    Number(/nodes +: +([0-9]+)/.exec(tool.answer('CONTROL', `quota|${domid}|`))?.[1])
  const before = nodes(0)
  tool.ask('WRITE', '/p|x')
  expect([nodes(0), nodes(7)]).toEqual([before + 1, 1])
  tool.ask('SET_PERMS', '/p|n7|')
  expect([nodes(0), nodes(7)]).toEqual([before, 2])
})

rule('5.17', () => {
  tool.ask('MKDIR', '/shut|')
  tool.ask('WRITE', '/shut/p|x')
  guest.ask('WATCH', '/shut/p|t|')
  tool.ask('SET_PERMS', '/shut/p|n0|r7|')
  expect(guest.heard()).toEqual(['EVENT /shut/p|t|'])
  tool.ask('SET_PERMS', '/shut/p|n0|')
  expect(guest.heard()).toEqual(['EVENT /shut/p|t|'])
  tool.ask('SET_PERMS', '/shut/p|n0|w7|')
  expect(guest.heard()).toEqual([])
})

rule('5.18', () => {
  expect(guest.ask('WATCH', '/tool|t|')).toEqual(['WATCH OK|', 'EVENT /tool|t|'])
  expect(guest.ask('WATCH', '@releaseDomain|t|')).toEqual(['WATCH OK|', 'EVENT @releaseDomain|t|'])
})

rule('5.19', () => {
  guest.ask('WATCH', 'data|t|')
  expect(guest.answer('WATCH', 'data|t|')).toBe('ERROR EEXIST|')
  expect(guest.answer('WATCH', '/local/domain/7/data|t|')).toBe('ERROR EEXIST|')
  expect(guest.ask('WATCH', 'data|u|')).toEqual(['WATCH OK|', 'EVENT data|u|'])
  expect(tool.ask('WATCH', '/local/domain/7/data|t|')[0]).toBe('WATCH OK|')
})

rule('5.20', () => {
  expect(guest.ask('WATCH', 'none/deep||')).toEqual(['WATCH OK|', 'EVENT none/deep||'])
  expect(guest.ask('WRITE', 'none/deep|x')).toEqual(['EVENT none/deep||', 'WRITE OK|'])
})

rule('5.21', () => {
  for (const bad of ['/a|t|-1|', '/a|t|x|', '/a|t||', '/a|t|1|2|']) {
    expect(tool.answer('WATCH', bad)).toBe('ERROR EINVAL|')
  }
  expect(tool.ask('WATCH', '/a|t|1|')).toEqual(['WATCH OK|', 'EVENT /a|t|'])
  expect(tool.ask('WATCH', '/a|loose|1')).toEqual(['WATCH OK|', 'EVENT /a|loose|'])
})

rule('5.22', () => {
  limit(tool, 7, { watches: 2 })
  guest.ask('WATCH', 'a|1|')
  guest.ask('WATCH', 'a|2|')
  expect(guest.answer('WATCH', 'a|3|')).toBe('ERROR E2BIG|')
  limit(tool, 7, { watches: 0 })
  limit(tool, 7, { memory: 6000 })
  const token = 'x'.repeat(3000)
  expect(guest.ask('WATCH', `a|${token}|`)[0]).toBe('WATCH OK|')
  expect(guest.answer('WATCH', `a|${token}y|`)).toBe('ERROR ENOMEM|')
})

rule('5.23', () => {
  guest.ask('WATCH', 'data|t|')
  expect(guest.answer('UNWATCH', '/local/domain/7/data|t|')).toBe('UNWATCH OK|')
  expect(guest.answer('UNWATCH', 'data|t|')).toBe('ERROR ENOENT|')
  guest.ask('WATCH', '/local/domain/7/data|t|')
  talk.rings.deliver(
    tool.request('WRITE', '/local/domain/7/data|x'),
    guest.request('UNWATCH', 'data|t|'),
  )
  expect(guest.heard()).toEqual(['EVENT /local/domain/7/data|t|', 'UNWATCH OK|'])
  for (const bad of ['data|t', 'data|', 'data|t|u|', 'da..ta|t|']) {
    expect(guest.answer('UNWATCH', bad)).toBe('ERROR EINVAL|')
  }
})

rule('5.24', () => {
  guest.ask('WATCH', 'data|t|')
  const tx = guest.start()
  const own = guest.start()
  expect(guest.answer('RESET_WATCHES', '|', own)).toBe('RESET_WATCHES OK|')
  expect(guest.answer('READ', 'data|', tx)).toBe('ERROR ENOENT|')
  expect(guest.answer('READ', 'data|', own)).toBe('ERROR ENOENT|')
  expect(guest.ask('WRITE', 'data|x')).toEqual(['WRITE OK|'])
})

rule('5.25', () => {
  const tx = guest.start()
  expect(guest.answer('TRANSACTION_START', '|', tx)).toBe('ERROR EBUSY|')
  expect(guest.answer('TRANSACTION_START', '|', tx + 1)).toBe('ERROR ENOENT|')
})

rule('5.26', () => {
  expect([guest.start(), guest.start(), talk.tool().start()]).toEqual([1, 2, 1])
  guest.ask('TRANSACTION_END', 'F|', 1)
  expect(guest.start()).toBe(3)
})

rule('5.27', () => {
  const tx = guest.start()
  for (const bad of ['', '|', 'T', 'X|', 'TT|', 'T||', 't|']) {
    expect(guest.answer('TRANSACTION_END', bad, tx)).toBe('ERROR EINVAL|')
  }
  expect(guest.answer('TRANSACTION_END', 'F|', tx)).toBe('TRANSACTION_END OK|')
  expect(guest.answer('TRANSACTION_END', 'F|', tx)).toBe('ERROR ENOENT|')
})

rule('5.28', () => {
  expect(guest.answer('TRANSACTION_END', 'T|')).toBe('ERROR ENOENT|')
  expect(guest.answer('TRANSACTION_END', 'T|', 5)).toBe('ERROR ENOENT|')
})

rule('5.29', () => {
  expect(guest.answer('GET_DOMAIN_PATH', '1234|')).toBe('GET_DOMAIN_PATH /local/domain/1234|')
  expect(tool.answer('GET_DOMAIN_PATH', '007|')).toBe('GET_DOMAIN_PATH /local/domain/7|')
  expect(tool.answer('GET_DOMAIN_PATH', 'x|')).toBe('ERROR EINVAL|')
  expect(tool.answer('GET_DOMAIN_PATH', '7')).toBe('ERROR EINVAL|')
})

rule('5.30', () => {
  talk.domains.set(9, aDomain(9))
  for (const bad of [
    '9|1000|',
    '9|1000',
    'x|1000|5|',
    '|1000|5|',
    '40000|1000|5|',
    '9|1000|0|',
    '9|1000|-1|',
  ]) {
    expect(tool.answer('INTRODUCE', bad)).toBe('ERROR EINVAL|')
  }
  expect(tool.answer('INTRODUCE', '9|-1|5|more|')).toBe('INTRODUCE OK|')
})

rule('5.31', () => {
  talk.domains.set(9, aDomain(9))
  talk.rings.unmappable.set('gref', 'ENOENT').set('gfn', 'ENOENT')
  tool.ask('WATCH', '@introduceDomain|t|')
  expect(tool.ask('INTRODUCE', '9|1000|5|')).toEqual(['ERROR ENOENT|'])
  talk.rings.unmappable.set('gref', 'ESRCH').set('gfn', 'ESRCH')
  expect(tool.ask('INTRODUCE', '9|1000|5|')).toEqual(['ERROR EINVAL|'])
  expect(tool.answer('IS_DOMAIN_INTRODUCED', '9|')).toBe('IS_DOMAIN_INTRODUCED F|')
})

rule('5.32', () => {
  talk.domains.set(9, aDomain(9))
  tool.ask('WATCH', '@introduceDomain|t|')
  expect(tool.ask('INTRODUCE', '9|1000|5|')).toEqual(['EVENT @introduceDomain|t|', 'INTRODUCE OK|'])
  expect(tool.ask('INTRODUCE', '9|1000|6|')).toEqual(['INTRODUCE OK|'])
})

rule('5.33', () => {
  const tx = guest.start()
  guest.ask('WATCH', 'data|t|')
  expect(tool.answer('INTRODUCE', '7|1000|6|')).toBe('INTRODUCE OK|')
  expect(talk.rings.calls).toContain(`reattach ${guest.id} port 6`)
  expect(guest.answer('READ', 'data|', tx)).toBe('ERROR ENOENT|')
  expect(guest.ask('WRITE', 'data|x')).toEqual(['WRITE OK|'])
})

rule('5.35', () => {
  guest.ask('WRITE', 'data|x')
  tool.ask('WATCH', '@releaseDomain|t|')
  expect(tool.ask('RELEASE', '7|')).toEqual(['EVENT @releaseDomain|t|', 'RELEASE OK|'])
  expect(talk.rings.calls).toContain(`detach ${guest.id}`)
  expect(tool.answer('READ', '/local/domain/7/data|')).toBe('ERROR ENOENT|')
  expect(tool.answer('IS_DOMAIN_INTRODUCED', '7|')).toBe('IS_DOMAIN_INTRODUCED F|')
})

rule('5.36', () => {
  expect(tool.answer('RELEASE', '0|')).toBe('ERROR EINVAL|')
  expect(tool.answer('RELEASE', '9|')).toBe('ERROR ENOENT|')
  expect(tool.answer('RELEASE', 'x|')).toBe('ERROR EINVAL|')
  expect(tool.answer('RELEASE', '7')).toBe('ERROR EINVAL|')
})

rule('5.37', () => {
  for (const [domid, answer] of [
    [0, 'T'],
    [7, 'T'],
    [9, 'F'],
    [32752, 'T'],
  ]) {
    expect(tool.answer('IS_DOMAIN_INTRODUCED', `${domid}|`)).toBe(`IS_DOMAIN_INTRODUCED ${answer}|`)
  }
  expect(guest.answer('IS_DOMAIN_INTRODUCED', '7|')).toBe('ERROR EACCES|')
})

rule('5.38', () => {
  tool.ask('WATCH', '@releaseDomain|t|')
  talk.domains.set(7, aDomain(7, { isShutdown: true, shutdownReason: 'suspend' }))
  talk.virq()
  expect(tool.heard()).toEqual(['EVENT @releaseDomain|t|'])
  talk.timers.pass(5000)
  talk.virq()
  talk.timers.pass(5000)
  expect(tool.heard()).toEqual([])
  expect(tool.answer('RESUME', '7|')).toBe('RESUME OK|')
  talk.virq()
  talk.timers.pass(5000)
  expect(tool.heard()).toEqual(['EVENT @releaseDomain|t|'])
  expect(tool.answer('RESUME', '9|')).toBe('ERROR ENOENT|')
  expect(tool.answer('RESUME', '0|')).toBe('ERROR EINVAL|')
})

rule('5.39', () => {
  expect(guest.answer('GET_FEATURE', '')).toBe('GET_FEATURE 15|')
  expect(guest.answer('GET_FEATURE', '7|')).toBe('ERROR EACCES|')
  expect(tool.answer('GET_FEATURE', '7|')).toBe('GET_FEATURE 15|')
  expect(tool.answer('GET_FEATURE', '99|')).toBe('ERROR ENOENT|')
  expect(tool.answer('GET_FEATURE', '7|1|')).toBe('ERROR EINVAL|')
})

rule('5.40', () => {
  talk.domains.set(9, aDomain(9))
  expect(tool.answer('SET_FEATURE', '7|1|')).toBe('ERROR EBUSY|')
  expect(tool.answer('SET_FEATURE', '9|16|')).toBe('ERROR EINVAL|')
  expect(tool.answer('SET_FEATURE', '99|1|')).toBe('ERROR ENOENT|')
  expect(tool.answer('SET_FEATURE', '9|')).toBe('ERROR EINVAL|')
  expect(guest.answer('SET_FEATURE', '9|1|')).toBe('ERROR EACCES|')
  expect(tool.answer('SET_FEATURE', '9|3|')).toBe('SET_FEATURE OK|')
  const narrowed = talk.guest(9)
  expect(narrowed.answer('GET_FEATURE', '')).toBe('GET_FEATURE 3|')
  expect(narrowed.answer('WATCH', 'a|t|1|')).toBe('ERROR EINVAL|')
})

rule('5.41', () => {
  const names = tool.answer('GET_QUOTA', '').replace('GET_QUOTA ', '').replace('|', '').split(' ')
  for (const name of ['nodes', 'watches', 'outstanding', 'memory', 'soft-memory', 'path-max']) {
    expect(names).toContain(name)
  }
  expect(tool.answer('GET_QUOTA', 'watches|')).toBe('GET_QUOTA 128|')
  expect(tool.answer('GET_QUOTA', '7|nodes|')).toBe('GET_QUOTA 1000|')
  expect(tool.answer('GET_QUOTA', 'bananas|')).toBe('ERROR EINVAL|')
  expect(tool.answer('GET_QUOTA', '99|nodes|')).toBe('ERROR ENOENT|')
  expect(guest.answer('GET_QUOTA', '')).toBe('ERROR EACCES|')
})

rule('5.42', () => {
  expect(tool.answer('SET_QUOTA', 'nodes|7|')).toBe('SET_QUOTA OK|')
  expect(tool.answer('GET_QUOTA', 'nodes|')).toBe('GET_QUOTA 7|')
  expect(tool.answer('SET_QUOTA', '7|watches|1|')).toBe('SET_QUOTA OK|')
  guest.ask('WATCH', 'a|1|')
  expect(guest.answer('WATCH', 'a|2|')).toBe('ERROR E2BIG|')
  expect(tool.answer('SET_QUOTA', 'nodes|4294967295|')).toBe('ERROR EINVAL|')
  expect(tool.answer('SET_QUOTA', 'bananas|1|')).toBe('ERROR EINVAL|')
  expect(tool.answer('SET_QUOTA', '99|nodes|1|')).toBe('ERROR ENOENT|')
  expect(tool.answer('SET_QUOTA', 'nodes|')).toBe('ERROR EINVAL|')
})

rule('5.43', () => {
  tool.ask('SET_QUOTA', 'watches|1|')
  const late = talk.guest(9)
  late.ask('WATCH', 'a|1|')
  expect(late.answer('WATCH', 'a|2|')).toBe('ERROR E2BIG|')
  expect(tool.answer('GET_QUOTA', '9|watches|')).toBe('GET_QUOTA 1|')
})

rule('5.44', () => {
  for (const bad of [
    '',
    'help',
    'bananas|',
    'print|',
    'print|a|b|',
    'check|x|',
    'quota|set|nodes|',
  ]) {
    expect(tool.answer('CONTROL', bad)).toBe('ERROR EINVAL|')
  }
})

rule('5.45', () => {
  const help = tool.answer('CONTROL', 'help|')
  for (const name of ['check', 'help', 'log', 'logfile', 'memreport', 'print', 'quota']) {
    expect(help).toMatch(new RegExp(`^(CONTROL )?${name}( |$)`, 'm'))
  }
})
