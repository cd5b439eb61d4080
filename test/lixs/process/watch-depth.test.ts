import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { DOMAIN_SHUTDOWN } from '../../../native/hypervisor.ts'
import {
  aConversation,
  aDomain,
  type Conversation,
  type Peer,
} from '../../support/a-conversation.ts'

let talk: Conversation
let tool: Peer
beforeEach(() => {
  talk = aConversation()
  tool = talk.tool()
})
afterEach(() => talk.end())

describe('a watch with a depth', () => {
  test.each([
    [0, ['/a']],
    [1, ['/a', '/a/b']],
    [2, ['/a', '/a/b', '/a/b/c']],
    [2147483647, ['/a', '/a/b', '/a/b/c', '/a/b/c/d']],
  ])('of %i hears so many levels below its node', (depth, paths) => {
    tool.ask('WATCH', `/a|t|${depth}|`)
    const heard = ['/a', '/a/b', '/a/b/c', '/a/b/c/d', '/b'].flatMap((path) =>
      tool.ask('WRITE', `${path}|x`).filter((line) => line.startsWith('EVENT')),
    )
    expect(heard).toEqual(paths.map((path) => `EVENT ${path}|t|`))
  })

  test('at the root counts a child of the root as the first level', () => {
    tool.ask('WATCH', '/|t|1|')
    expect(tool.ask('WRITE', '/a|x')).toEqual(['EVENT /a|t|', 'WRITE OK|'])
    expect(tool.ask('WRITE', '/a/b|x')).toEqual(['WRITE OK|'])
    tool.ask('WATCH', '/|0|0|')
    expect(tool.ask('WRITE', '/a|x')).toEqual(['EVENT /a|t|', 'WRITE OK|'])
    expect(tool.ask('WRITE', '/|x')).toEqual(['EVENT /|t|', 'EVENT /|0|', 'WRITE OK|'])
  })

  test('gets its first event like any other, and bytes behind the depth are ignored', () => {
    expect(tool.ask('WATCH', '/a|t|0|loose')).toEqual(['WATCH OK|', 'EVENT /a|t|'])
  })

  test('is the same watch as one with another depth, or with none', () => {
    tool.ask('WATCH', '/a|t|0|')
    expect(tool.answer('WATCH', '/a|t|1|')).toBe('ERROR EEXIST|')
    expect(tool.answer('WATCH', '/a|t|')).toBe('ERROR EEXIST|')
    expect(tool.answer('UNWATCH', '/a|t|')).toBe('UNWATCH OK|')
  })

  test('hears of a removal by its own node, whatever its depth', () => {
    tool.ask('WRITE', '/a/b/c|')
    tool.ask('WATCH', '/a/b/c|own|0|')
    tool.ask('WATCH', '/a|parent|1|')
    tool.ask('WATCH', '/|root|0|')
    expect(tool.ask('RM', '/a/b|')).toEqual(['EVENT /a/b/c|own|', 'EVENT /a/b|parent|', 'RM OK|'])
  })

  test('hears of a commit as of single changes', () => {
    tool.ask('WATCH', '/a|t|1|')
    const tx = tool.start()
    tool.ask('WRITE', '/a/b/c|x', tx)
    tool.ask('WRITE', '/a/d|x', tx)
    expect(tool.ask('TRANSACTION_END', 'T|', tx)).toEqual(['EVENT /a/d|t|', 'TRANSACTION_END OK|'])
  })

  test.each([
    '/a|t|-1|',
    '/a|t|x|',
    '/a|t||',
    '/a|t|1|2|',
    '/a|t|2147483648|',
    '/a|t| 1|',
  ])('%j is invalid', (payload) => {
    expect(tool.answer('WATCH', payload)).toBe('ERROR EINVAL|')
  })

  test('is invalid for a domain that is not offered it; a socket always is', () => {
    talk.domains.set(7, aDomain(7))
    tool.ask('SET_FEATURE', '7|11|')
    const guest = talk.guest(7)
    expect(guest.answer('WATCH', 'a|t|1|')).toBe('ERROR EINVAL|')
    expect(guest.ask('WATCH', 'a|t|')[0]).toBe('WATCH OK|')
    expect(talk.guest(8).ask('WATCH', 'a|t|1|')[0]).toBe('WATCH OK|')
    expect(tool.ask('WATCH', 'a|t|1|')[0]).toBe('WATCH OK|')
  })
})

describe('special events of single domains', () => {
  test('a watch with depth 1 hears which domain it was, one without hears the bare name', () => {
    for (const name of ['@introduceDomain', '@releaseDomain']) {
      expect(tool.ask('WATCH', `${name}|bare|`).at(-1)).toBe(`EVENT ${name}|bare|`)
      expect(tool.ask('WATCH', `${name}|which|1|`).at(-1)).toBe(`EVENT ${name}|which|`)
    }
    talk.guest(7)
    expect(tool.heard()).toEqual([
      'EVENT @introduceDomain|bare|',
      'EVENT @introduceDomain/7|which|',
    ])
    talk.domains.delete(7)
    talk.virq()
    expect(tool.heard()).toEqual(['EVENT @releaseDomain|bare|', 'EVENT @releaseDomain/7|which|'])
  })

  test('a watch on one domain hears of that domain only, before there is one, and ever again', () => {
    tool.ask('WATCH', '@releaseDomain/7|t|')
    tool.ask('WATCH', '@introduceDomain/7|t|')
    tool.heard()
    const lives = [8, 7, 71, 7].map((domid) => {
      talk.guest(domid)
      return tool.ask('RELEASE', `${domid}|`)
    })
    const told = ['EVENT @introduceDomain/7|t|', 'EVENT @releaseDomain/7|t|', 'RELEASE OK|']
    expect(lives).toEqual([['RELEASE OK|'], told, ['RELEASE OK|'], told])
  })

  test('of a shutdown name every domain, the bare name comes once', () => {
    talk.end()
    talk = aConversation({ saysWhich: true })
    tool = talk.tool()
    for (const domid of [7, 8]) talk.guest(domid)
    tool.ask('WATCH', '@releaseDomain|which|1|')
    tool.ask('WATCH', '@releaseDomain|bare|')
    tool.ask('WATCH', '@releaseDomain/8|one|')
    talk.changes.push(7, DOMAIN_SHUTDOWN, 8, DOMAIN_SHUTDOWN)
    talk.virq()
    expect(tool.heard()).toEqual([
      'EVENT @releaseDomain/7|which|',
      'EVENT @releaseDomain/8|which|',
      'EVENT @releaseDomain/8|one|',
      'EVENT @releaseDomain|bare|',
    ])
  })

  test('of one domain are told to whom the special node is readable', () => {
    const guest = talk.guest(7)
    guest.ask('WATCH', '@releaseDomain|which|1|')
    guest.ask('WATCH', '@releaseDomain/8|one|')
    talk.guest(8)
    tool.ask('RELEASE', '8|')
    expect(guest.heard()).toEqual([])
    tool.ask('SET_PERMS', '@releaseDomain|n0|r7|')
    talk.guest(8)
    tool.ask('RELEASE', '8|')
    expect(guest.heard()).toEqual(['EVENT @releaseDomain/8|which|', 'EVENT @releaseDomain/8|one|'])
  })

  test('are no nodes: they have no permissions and cannot be given any', () => {
    tool.ask('WATCH', '@releaseDomain/7|t|')
    expect(tool.answer('GET_PERMS', '@releaseDomain/7|')).toBe('ERROR ENOENT|')
    expect(tool.answer('SET_PERMS', '@releaseDomain/7|n0|')).toBe('ERROR ENOENT|')
    expect(tool.answer('READ', '@releaseDomain/7|')).toBe('ERROR EINVAL|')
  })

  test('a watch with depth 0 on all of them hears of none', () => {
    tool.ask('WATCH', '@releaseDomain|t|0|')
    talk.guest(7)
    tool.ask('RELEASE', '7|')
    expect(tool.heard()).toEqual([])
  })
})
