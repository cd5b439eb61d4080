import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { aConversation, type Conversation, type Peer } from '../../support/a-conversation.ts'

let talk: Conversation
let tool: Peer
beforeEach(() => {
  talk = aConversation()
  tool = talk.tool()
})
afterEach(() => talk.end())

/** A guest with a home of its own, made as toolstacks make it. */
function atHome(domid: number): Peer {
  const guest = talk.guest(domid)
  tool.ask('MKDIR', `/local/domain/${domid}|`)
  tool.ask('SET_PERMS', `/local/domain/${domid}|n0|r${domid}|`)
  tool.ask('MKDIR', `/local/domain/${domid}/data|`)
  tool.ask('SET_PERMS', `/local/domain/${domid}/data|n${domid}|`)
  return guest
}

test('a fresh store holds /tool/xenstored and nothing else', () => {
  expect(tool.answer('DIRECTORY', '/|')).toBe('DIRECTORY tool|')
  expect(tool.answer('DIRECTORY', '/tool|')).toBe('DIRECTORY xenstored|')
  expect(tool.answer('READ', '/tool/xenstored|')).toBe('READ')
  expect(tool.answer('GET_PERMS', '/|')).toBe('GET_PERMS n0|')
})

describe('READ and WRITE', () => {
  test('a value is bytes: empty, with NULs, without an end mark', () => {
    expect(tool.answer('WRITE', '/a|one|two')).toBe('WRITE OK|')
    expect(tool.answer('READ', '/a|')).toBe('READ one|two')
    expect(tool.answer('WRITE', '/a|')).toBe('WRITE OK|')
    expect(tool.answer('READ', '/a|')).toBe('READ')
  })

  test('the value may be as long as a message allows', () => {
    const value = 'x'.repeat(4096 - '/a|'.length)
    expect(tool.answer('WRITE', `/a|${value}`)).toBe('WRITE OK|')
    expect(tool.answer('READ', '/a|')).toBe(`READ ${value}`)
  })

  test.each([
    '',
    '/a',
    '/a|b',
    '/a||',
    '|',
    '/a/|',
    '//a|',
    '/a b|',
    '/a.b|',
    '@releaseDomain|',
  ])('READ of %j is invalid', (payload) => {
    expect(tool.answer('READ', payload)).toBe('ERROR EINVAL|')
  })

  test.each([
    '',
    '/a',
    '|x',
    '/a/|x',
    '/a:b|x',
    '@releaseDomain|x',
  ])('WRITE %j is invalid', (payload) => {
    expect(tool.answer('WRITE', payload)).toBe('ERROR EINVAL|')
  })

  test('relative paths begin at the home of who asks', () => {
    const guest = atHome(7)
    expect(guest.answer('WRITE', 'data/x|1')).toBe('WRITE OK|')
    expect(tool.answer('READ', '/local/domain/7/data/x|')).toBe('READ 1')
    expect(tool.answer('WRITE', 'y|2')).toBe('WRITE OK|')
    expect(tool.answer('READ', '/local/domain/0/y|')).toBe('READ 2')
  })

  test('what is hidden from a guest is refused, what is missing in sight is missing', () => {
    const guest = atHome(7)
    expect(guest.answer('READ', '/tool/xenstored|')).toBe('ERROR EACCES|')
    expect(guest.answer('READ', '/tool/none|')).toBe('ERROR EACCES|')
    expect(guest.answer('READ', 'none|')).toBe('ERROR ENOENT|')
    expect(guest.answer('WRITE', 'name|x')).toBe('ERROR EACCES|')
  })

  test("a guest's path may be 2048 bytes, its home not counted", () => {
    const guest = atHome(7)
    const longest = `data/${'x'.repeat(2048 - 'data/'.length)}`
    expect(guest.answer('READ', `${longest}|`)).toBe('ERROR ENOENT|')
    expect(guest.answer('READ', `/local/domain/7/${longest}|`)).toBe('ERROR ENOENT|')
    expect(guest.answer('READ', `${longest}x|`)).toBe('ERROR EINVAL|')
    expect(guest.answer('READ', `/local/domain/7/${longest}x|`)).toBe('ERROR EINVAL|')
    expect(tool.answer('READ', `/${longest}|`)).toBe('ERROR ENOENT|')
  })
})

describe('MKDIR and RM', () => {
  test('MKDIR makes what is missing above, and is content with what is there', () => {
    expect(tool.answer('MKDIR', '/a/b|')).toBe('MKDIR OK|')
    expect(tool.answer('WRITE', '/a/b|x')).toBe('WRITE OK|')
    expect(tool.answer('MKDIR', '/a/b|')).toBe('MKDIR OK|')
    expect(tool.answer('READ', '/a/b|')).toBe('READ x')
    expect(tool.answer('READ', '/a|')).toBe('READ')
  })

  test('RM takes the subtree; below nothing it is an error', () => {
    tool.ask('MKDIR', '/a/b/c|')
    expect(tool.answer('RM', '/a|')).toBe('RM OK|')
    expect(tool.answer('READ', '/a/b/c|')).toBe('ERROR ENOENT|')
    expect(tool.answer('RM', '/a|')).toBe('RM OK|')
    expect(tool.answer('RM', '/a/b|')).toBe('ERROR ENOENT|')
    expect(tool.answer('RM', '/|')).toBe('ERROR EINVAL|')
    expect(talk.guest(7).answer('RM', '/|')).toBe('ERROR EACCES|')
  })
})

describe('DIRECTORY', () => {
  test('children come in the order of their creation', () => {
    for (const name of ['c', 'a', 'b']) tool.ask('MKDIR', `/d/${name}|`)
    tool.ask('RM', '/d/a|')
    tool.ask('MKDIR', '/d/a|')
    expect(tool.answer('DIRECTORY', '/d|')).toBe('DIRECTORY c|b|a|')
    expect(tool.answer('DIRECTORY', '/d/a|')).toBe('DIRECTORY')
  })

  test('a list that is too long is E2BIG, and comes in parts that end with an empty name', () => {
    const names = Array.from({ length: 500 }, (_, i) => `child-${String(i).padStart(4, '0')}`)
    for (const name of names) tool.ask('MKDIR', `/d/${name}|`)
    expect(tool.answer('DIRECTORY', '/d|')).toBe('ERROR E2BIG|')
    const seen: string[] = []
    let offset = 0
    for (;;) {
      const reply = tool.answer('DIRECTORY_PART', `/d|${offset}|`)
      expect(reply).toMatch(/^DIRECTORY_PART [0-9]+\|/)
      const list = reply.slice(reply.indexOf('|') + 1)
      const part = list.split('|').filter((name) => name !== '')
      seen.push(...part)
      if (list.endsWith('||')) break
      offset += list.length
    }
    expect(seen).toEqual(names)
  })

  test.each([
    ['0', 'abc|defg||'],
    ['4', 'defg||'],
    ['x', 'abc|defg||'],
    ['1x', 'bc|defg||'],
    ['3', '|defg||'],
    ['-1', '|'],
    ['4294967296', '|'],
  ])('a part from %j on is what C reads there, byte by byte', (offset, list) => {
    tool.ask('MKDIR', '/d/abc|')
    tool.ask('MKDIR', '/d/defg|')
    expect(tool.answer('DIRECTORY_PART', `/d|${offset}|`).replace(/^\D+[0-9]+\|/, '')).toBe(list)
  })

  test('a part is filled with whole names up to 4,096 bytes, the end mark included', () => {
    // The generation then has three digits, for as long as the test lasts.
    for (let i = 0; i < 150; i++) tool.ask('WRITE', '/x|')
    for (let i = 0; i < 40; i++) tool.ask('MKDIR', `/d/${String(i).padEnd(100, '_')}|`)
    const room = 4096 - 4 - 40 * 101 - 1
    const part = (offset: number) =>
      tool.answer('DIRECTORY_PART', `/d|${offset}|`).slice('DIRECTORY_PART '.length)
    tool.ask('MKDIR', `/d/${'l'.repeat(room - 1)}|`)
    expect([part(0).length, part(0).endsWith('l||')]).toEqual([4096, true])
    tool.ask('RM', `/d/${'l'.repeat(room - 1)}|`)
    tool.ask('MKDIR', `/d/${'l'.repeat(room)}|`)
    expect([part(0).length, part(0).endsWith('_|')]).toEqual([4 + 40 * 101, true])
    expect(part(40 * 101)).toMatch(/^\d{3}\|l+\|\|$/)
  })

  test('a part at or behind the end is the end mark; its generation follows the list', () => {
    tool.ask('MKDIR', '/d/a|')
    const before = tool.answer('DIRECTORY_PART', '/d|2|')
    expect(before).toMatch(/^DIRECTORY_PART [0-9]+\|\|$/)
    tool.ask('MKDIR', '/d/b|')
    const after = tool.answer('DIRECTORY_PART', '/d|4|')
    expect(after).toMatch(/^DIRECTORY_PART [0-9]+\|\|$/)
    expect(tool.answer('DIRECTORY_PART', '/d|4|loose')).toBe(after)
    expect(after).not.toBe(before)
  })

  test.each([
    '/d|',
    '/d',
    '/d|0',
    '/d|0|0|',
    '@releaseDomain|0|',
  ])('DIRECTORY_PART %j is invalid', (payload) => {
    expect(tool.answer('DIRECTORY_PART', payload)).toBe('ERROR EINVAL|')
  })
})

describe('permissions', () => {
  test('come back as they were set, in order, with duplicates', () => {
    talk.guest(3)
    tool.ask('MKDIR', '/a|')
    expect(tool.answer('SET_PERMS', '/a|n0|r3|b3|')).toBe('SET_PERMS OK|')
    expect(tool.answer('GET_PERMS', '/a|')).toBe('GET_PERMS n0|r3|b3|')
  })

  test.each([
    ['/a|', 'EINVAL'],
    ['/a|n0', 'EINVAL'],
    ['/a|x0|', 'EINVAL'],
    ['/a|n|', 'EINVAL'],
    ['/a|n0z|', 'EINVAL'],
    ['/a/|n0|', 'EINVAL'],
    ['/a|n99|', 'ENOENT'],
    ['/a/|n99|', 'ENOENT'], // the owner is looked at before the path
    ['/none|n0|', 'ENOENT'],
  ])('SET_PERMS %j is %s', (payload, errno) => {
    tool.ask('MKDIR', '/a|')
    expect(tool.answer('SET_PERMS', payload)).toBe(`ERROR ${errno}|`)
  })

  test('what follows the last NUL of SET_PERMS is ignored', () => {
    tool.ask('MKDIR', '/a|')
    expect(tool.answer('SET_PERMS', '/a|r0|n0')).toBe('SET_PERMS OK|')
    expect(tool.answer('GET_PERMS', '/a|')).toBe('GET_PERMS r0|')
  })

  test('a guest sets them on its own nodes, gives none away, and lists five at most', () => {
    const guest = atHome(7)
    expect(guest.answer('SET_PERMS', 'data|n7|r0|')).toBe('SET_PERMS OK|')
    expect(guest.answer('SET_PERMS', 'data|n0|r7|')).toBe('ERROR EPERM|')
    expect(guest.answer('SET_PERMS', '/local/domain/7|n7|')).toBe('ERROR EACCES|')
    expect(guest.answer('SET_PERMS', 'data|n7|r0|r1|r2|r3|')).toBe('SET_PERMS OK|')
    expect(guest.answer('SET_PERMS', 'data|n7|r0|r1|r2|r3|r4|')).toBe('ERROR ENOSPC|')
  })
})
