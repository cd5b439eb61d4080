import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { OUTPUT_COALESCE, OUTPUT_EVENT } from '../../../native/ring-set.ts'
import { aConversation, type Conversation, type Peer } from '../../support/a-conversation.ts'

let talk: Conversation
let tool: Peer
beforeEach(() => {
  talk = aConversation()
  tool = talk.tool()
})
afterEach(() => talk.end())

describe('WATCH', () => {
  test('is answered first, then comes its first event', () => {
    expect(tool.ask('WATCH', '/a|token|')).toEqual(['WATCH OK|', 'EVENT /a|token|'])
  })

  test('the node need not exist, the token may be empty, loose bytes are ignored', () => {
    expect(tool.ask('WATCH', '/none/below||')).toEqual(['WATCH OK|', 'EVENT /none/below||'])
    expect(tool.ask('WATCH', '/a|t|loose')).toEqual(['WATCH OK|', 'EVENT /a|t|'])
  })

  test('the same path and token twice is EEXIST, also when spelled otherwise', () => {
    expect(tool.ask('WATCH', 'x|t|')).toEqual(['WATCH OK|', 'EVENT x|t|'])
    expect(tool.answer('WATCH', '/local/domain/0/x|t|')).toBe('ERROR EEXIST|')
    expect(tool.ask('WATCH', 'x|u|')).toEqual(['WATCH OK|', 'EVENT x|u|'])
  })

  test.each([
    '',
    '/a',
    '/a|',
    '/a|t',
    '/a|t|u|',
    '|t|',
    '/a/|t|',
    '/a.b|t|',
  ])('%j is invalid', (payload) => {
    expect(tool.answer('WATCH', payload)).toBe('ERROR EINVAL|')
  })
})

describe('events', () => {
  test('of a request come before its reply', () => {
    tool.ask('WATCH', '/a|t|')
    expect(tool.ask('WRITE', '/a/b|x')).toEqual(['EVENT /a/b|t|', 'WRITE OK|'])
    expect(tool.ask('RM', '/a|')).toEqual(['EVENT /a|t|', 'RM OK|'])
  })

  test('reach others before a later request is handled', () => {
    const other = talk.tool()
    other.ask('WATCH', '/a|t|')
    talk.rings.deliver(tool.request('WRITE', '/a|x'), other.request('READ', '/a|'))
    expect(other.heard()).toEqual(['EVENT /a|t|', 'READ x'])
  })

  test('of a watch with a relative path are relative', () => {
    const guest = talk.guest(7)
    guest.ask('WATCH', 'data|t|')
    guest.ask('WATCH', '/local/domain/7/data|abs|')
    tool.ask('MKDIR', '/local/domain/7|')
    tool.ask('SET_PERMS', '/local/domain/7|n0|r7|')
    guest.heard()
    tool.ask('WRITE', '/local/domain/7/data/x|1')
    // The watcher cannot see x unless it, or its parent, is readable: it inherits r7 from above.
    expect(guest.heard()).toEqual(['EVENT data/x|t|', 'EVENT /local/domain/7/data/x|abs|'])
  })

  test('may be merged with one that waits, except those of domains', () => {
    tool.ask('WATCH', '/a|t|')
    tool.ask('WATCH', '@introduceDomain|t|')
    tool.ask('WRITE', '/a|x')
    talk.guest(7)
    const flags = new Map(tool.messages().map(({ payload, flags }) => [payload.toString(), flags]))
    expect(flags.get('@introduceDomain\0t\0')).toBe(OUTPUT_EVENT)
    tool.ask('WRITE', '/a|x')
    talk.rings.deliver(tool.request('WRITE', '/a|y'))
    expect(tool.messages()[0]?.flags).toBe(OUTPUT_EVENT | OUTPUT_COALESCE)
  })

  test('that would be longer than a message are not sent', () => {
    const token = 't'.repeat(2000)
    expect(tool.ask('WATCH', `/a|${token}|`)).toHaveLength(2)
    const long = `/a/${'x'.repeat(2200)}`
    expect(tool.ask('WRITE', `${long}|v`)).toEqual(['WRITE OK|'])
  })

  test('are not told of new permissions of a special node, whose reader takes them for news', () => {
    for (const path of ['@releaseDomain|a|', '@releaseDomain|b|1|', '@introduceDomain|c|']) {
      tool.ask('WATCH', path)
    }
    expect(tool.ask('SET_PERMS', '@releaseDomain|n0|r7|')).toEqual(['SET_PERMS OK|'])
    const tx = tool.start()
    expect(tool.ask('SET_PERMS', '@introduceDomain|n0|r7|', tx)).toEqual(['SET_PERMS OK|'])
    expect(tool.ask('TRANSACTION_END', 'F|', tx)).toEqual(['TRANSACTION_END OK|'])
    expect(tool.answer('GET_PERMS', '@introduceDomain|')).toBe('GET_PERMS n0|r7|')
  })

  test('stop with UNWATCH, which knows relative and absolute spellings', () => {
    tool.ask('WATCH', 'x|t|')
    expect(tool.answer('UNWATCH', '/local/domain/0/x|t|')).toBe('UNWATCH OK|')
    expect(tool.answer('WRITE', 'x|1')).toBe('WRITE OK|')
    expect(tool.answer('UNWATCH', 'x|t|')).toBe('ERROR ENOENT|')
    expect(tool.answer('UNWATCH', 'x|t|loose')).toBe('ERROR ENOENT|')
    expect(tool.answer('UNWATCH', 'x|t')).toBe('ERROR EINVAL|')
    expect(tool.answer('UNWATCH', 'x|t|u|')).toBe('ERROR EINVAL|')
  })

  test('that a guest leaves lying are discarded after the timeout, and only then', () => {
    const guest = talk.guest(7)
    guest.ask('WATCH', 'data|t|')
    expect(talk.timers.pending).toBe(1)
    talk.rings.unstarted.set(guest.id, 1)
    talk.timers.pass(3_000)
    expect(talk.rings.calls).toContain(`expireEvents ${guest.id} 20000`)
    talk.rings.unstarted.delete(guest.id)
    talk.timers.pass(1_000)
    expect(talk.timers.pending).toBe(0)
  })

  test('are looked for at those connections only that were sent any, and never at tools', () => {
    const guest = talk.guest(7)
    const other = talk.guest(8)
    for (const peer of [guest, other, tool]) peer.ask('WATCH', 'data|t|')
    talk.rings.unstarted.set(guest.id, 1)
    talk.timers.pass(1_000)
    talk.rings.calls.length = 0
    talk.timers.pass(2_000)
    expect(talk.rings.calls).toEqual(Array(2).fill(`expireEvents ${guest.id} 20000`))
  })

  test('of a tool that has the number of a guest with waiting events do not expire', () => {
    const guest = talk.guest(7)
    guest.ask('WATCH', 'data|t|')
    talk.rings.unstarted.set(guest.id, 1)
    tool.ask('RELEASE', '7|')
    expect(talk.tool().id).toBe(guest.id)
    talk.rings.calls.length = 0
    talk.timers.pass(1_000)
    expect(talk.rings.calls).toEqual([])
    expect(talk.timers.pending).toBe(0)
  })

  test('that a guest cannot take any more are not even written', () => {
    const guest = talk.guest(7)
    guest.ask('WATCH', '/a|t|')
    tool.ask('MKDIR', '/a|')
    tool.ask('SET_PERMS', '/a|n0|r7|')
    guest.heard()
    talk.rings.leaveEvents(guest.id, 1024)
    tool.ask('WRITE', '/a|x')
    expect(guest.heard()).toEqual([])
    talk.rings.leaveEvents(guest.id, 1023)
    tool.ask('WRITE', '/a|x')
    expect(guest.heard()).toEqual(['EVENT /a|t|'])
  })

  test('of tools wait for ever: no timer runs for them', () => {
    tool.ask('WATCH', '/a|t|')
    expect(talk.timers.pending).toBe(0)
  })
})

describe('RESET_WATCHES', () => {
  test('drops watches and transactions, also the one it is sent in', () => {
    tool.ask('WATCH', '/a|t|')
    const tx = tool.start()
    talk.rings.deliver(tool.request('RESET_WATCHES', '|', tx))
    expect(tool.messages()).toMatchObject([{ type: 21, txId: tx }])
    expect(tool.answer('READ', '/tool|', tx)).toBe('ERROR ENOENT|')
    expect(tool.answer('WRITE', '/a|x')).toBe('WRITE OK|')
  })
})
