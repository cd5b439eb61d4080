import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  DOMAIN_DYING,
  DOMAIN_GONE,
  DOMAIN_REASON_SHIFT,
  DOMAIN_SHUTDOWN,
} from '../../../native/hypervisor.ts'
import {
  BATCH_BROKEN,
  BATCH_CLOSED,
  BATCH_RECONNECT,
  type ConnectionId,
} from '../../../native/ring-set.ts'
import { XenError } from '../../../native/xen-error.ts'
import { aConversation, aDomain, type Conversation, Peer } from '../../support/a-conversation.ts'

let talk: Conversation
let tool: Peer
beforeEach(() => {
  talk = aConversation()
  tool = talk.tool()
})
afterEach(() => talk.end())

describe('INTRODUCE', () => {
  test('maps grant 1 of the domain, and fires before its reply', () => {
    talk.domains.set(7, aDomain(7))
    tool.ask('WATCH', '@introduceDomain|t|')
    expect(tool.ask('INTRODUCE', '7|1000|5|')).toEqual([
      'EVENT @introduceDomain|t|',
      'INTRODUCE OK|',
    ])
    expect(talk.rings.calls).toEqual(['attach 7 gref 1 port 5'])
    expect(tool.answer('IS_DOMAIN_INTRODUCED', '7|')).toBe('IS_DOMAIN_INTRODUCED T|')
  })

  test('falls back to the frame when the grant cannot be mapped', () => {
    talk.domains.set(7, aDomain(7))
    talk.rings.unmappable.set('gref', 'EINVAL')
    expect(tool.answer('INTRODUCE', '7|1000|5|ignored|')).toBe('INTRODUCE OK|')
    expect(talk.rings.calls).toEqual(['attach 7 gref 1 port 5', 'attach 7 gfn 1000 port 5'])
  })

  test.each([
    ['ENOENT', 'ENOENT'],
    ['ESRCH', 'EINVAL'],
  ])('that cannot map at all with %s is %s, and nothing is kept', (code, errno) => {
    talk.domains.set(7, aDomain(7))
    talk.rings.unmappable.set('gref', code).set('gfn', code)
    expect(tool.answer('INTRODUCE', '7|1000|5|')).toBe(`ERROR ${errno}|`)
    expect(tool.answer('IS_DOMAIN_INTRODUCED', '7|')).toBe('IS_DOMAIN_INTRODUCED F|')
  })

  test('again: another port, nothing of before, no event', () => {
    const guest = talk.guest(7)
    const tx = guest.start()
    guest.ask('WATCH', 'data|t|')
    tool.ask('WATCH', '@introduceDomain|t|')
    expect(tool.ask('INTRODUCE', '7|1000|6|')).toEqual(['INTRODUCE OK|'])
    expect(talk.rings.calls).toContain(`reattach ${guest.id} port 6`)
    expect(guest.answer('READ', 'data|', tx)).toBe('ERROR ENOENT|')
    expect(guest.ask('WATCH', 'data|t|')).toEqual(['WATCH OK|', 'EVENT data|t|'])
  })

  test('again: what the batch still holds of the old ring is neither done nor answered', () => {
    const guest = talk.guest(7)
    tool.ask('MKDIR', '/local/domain/7|')
    tool.ask('SET_PERMS', '/local/domain/7|n7|')
    talk.rings.deliver(
      tool.request('INTRODUCE', '7|1000|6|'),
      guest.request('WRITE', 'data|old'),
      guest.request('WATCH', 'data|t|'),
    )
    expect(guest.heard()).toEqual([])
    expect(tool.heard()).toEqual(['INTRODUCE OK|'])
    expect(tool.answer('READ', '/local/domain/7/data|')).toBe('ERROR ENOENT|')
    expect(guest.answer('READ', 'data|')).toBe('ERROR ENOENT|')
  })

  test('again, of another domain with the same domid: nothing of the old one is left', () => {
    const old = talk.guest(7)
    tool.ask('WRITE', '/local/domain/7/secret|x')
    tool.ask('SET_PERMS', '/local/domain/7|n7|')
    tool.ask('SET_PERMS', '/local/domain/7/secret|n7|')
    tool.ask('WATCH', '@releaseDomain|t|')
    // Xen has told of the death, but the pause after the last scan is not over.
    talk.virq()
    talk.domains.set(7, aDomain(7, { uuid: '00000000-0000-0000-0000-000000000002' }))
    talk.virq()
    talk.rings.calls.length = 0
    expect(tool.ask('INTRODUCE', '7|1000|6|')).toEqual(['EVENT @releaseDomain|t|', 'INTRODUCE OK|'])
    expect(talk.rings.calls).toEqual([`detach ${old.id}`, 'attach 7 gref 1 port 6'])
    expect(tool.answer('READ', '/local/domain/7/secret|')).toBe('ERROR ENOENT|')
  })

  test('of another domain than the one that was given permissions before: it gets none of them', () => {
    talk.domains.set(7, aDomain(7))
    tool.ask('WRITE', '/a|secret')
    tool.ask('SET_PERMS', '/a|n0|r7|')
    tool.ask('SET_QUOTA', '7|nodes|5|')
    // Domain 7 dies before anybody introduces it, and its number is given again.
    talk.domains.set(7, aDomain(7, { uuid: '00000000-0000-0000-0000-000000000002' }))
    tool.ask('INTRODUCE', '7|1000|5|')
    const id = talk.rings.connections.findIndex((word, i) => i % 32 === 1 && word === 7)
    const guest = new Peer(talk.rings, Math.floor(id / 32) as ConnectionId)
    expect(guest.answer('READ', '/a|')).toBe('ERROR EACCES|')
    expect(tool.answer('GET_QUOTA', '7|nodes|')).toBe('GET_QUOTA 1000|')
    expect(tool.answer('CONTROL', 'stats|')).toContain('domains 1\n')
  })

  test.each([
    undefined,
    aDomain(7, { isDying: true }),
  ])('of a domain that is gone or dying is invalid, and removes what is left', (info) => {
    talk.guest(7)
    tool.ask('WATCH', '@releaseDomain|t|')
    if (info === undefined) talk.domains.delete(7)
    else talk.domains.set(7, info)
    expect(tool.ask('INTRODUCE', '7|1000|6|')).toEqual(['EVENT @releaseDomain|t|', 'ERROR EINVAL|'])
    expect(tool.answer('IS_DOMAIN_INTRODUCED', '7|')).toBe('IS_DOMAIN_INTRODUCED F|')
  })

  test('of a domain that has shut down already tells of that, too, once', () => {
    talk.domains.set(7, aDomain(7, { isShutdown: true, shutdownReason: 'crash' }))
    tool.ask('WATCH', '@releaseDomain|t|')
    expect(tool.ask('INTRODUCE', '7|1000|5|')).toEqual(['EVENT @releaseDomain|t|', 'INTRODUCE OK|'])
    talk.virq()
    expect(tool.ask('INTRODUCE', '7|1000|6|')).toEqual(['INTRODUCE OK|'])
  })

  test.each([
    '',
    '7|',
    '7|1000|',
    '7|1000|5',
    'x|1000|5|',
    '32752|1000|5|',
    '7|1|0|',
    '0|1|5|',
  ])('%j is invalid', (payload) => {
    expect(tool.answer('INTRODUCE', payload)).toBe('ERROR EINVAL|')
  })

  test('without a hypervisor there is no domain to introduce', () => {
    const alone = aConversation({ hasHypervisor: false })
    expect(alone.tool().answer('INTRODUCE', '7|1000|5|')).toBe('ERROR ENOSYS|')
    alone.end()
  })
})

describe('RELEASE', () => {
  test("takes the guest's nodes and ring, and fires before its reply", () => {
    const guest = talk.guest(7)
    tool.ask('MKDIR', '/local/domain/7|')
    tool.ask('SET_PERMS', '/local/domain/7|n7|')
    tool.ask('WATCH', '/local/domain/7|gone|')
    tool.ask('WATCH', '@releaseDomain|t|')
    expect(tool.ask('RELEASE', '7|')).toEqual([
      'EVENT /local/domain/7|gone|',
      'EVENT @releaseDomain|t|',
      'RELEASE OK|',
    ])
    expect(talk.rings.calls).toContain(`detach ${guest.id}`)
    expect(tool.answer('READ', '/local/domain/7|')).toBe('ERROR ENOENT|')
    expect(tool.answer('RELEASE', '7|')).toBe('ERROR ENOENT|')
  })

  test.each(['', '7', 'x|', '0|', '32752|', '7|8|'])('%j is invalid', (payload) => {
    expect(tool.answer('RELEASE', payload)).toBe('ERROR EINVAL|')
    expect(tool.answer('RESUME', payload)).toBe('ERROR EINVAL|')
  })

  test('of the domain of --priv-domid is invalid, as is its RESUME', () => {
    const own = aConversation({ privilegedDomid: 9 })
    const asker = own.tool()
    for (const op of ['RELEASE', 'RESUME']) expect(asker.answer(op, '9|')).toBe('ERROR EINVAL|')
    own.guest(9)
    for (const op of ['RELEASE', 'RESUME']) expect(asker.answer(op, '9|')).toBe('ERROR EINVAL|')
    own.end()
  })

  test('what a released guest still has in the batch is nobody else’s, even when its number is taken again', () => {
    const guest = talk.guest(7)
    talk.domains.set(8, aDomain(8))
    talk.rings.deliver(
      tool.request('RELEASE', '7|'),
      tool.request('INTRODUCE', '8|1000|5|'),
      guest.request('WRITE', 'data|by 7'),
      guest.request('READ', 'data|'),
    )
    expect(tool.heard()).toEqual(['RELEASE OK|', 'INTRODUCE OK|'])
    expect(guest.messages()).toEqual([])
    // From the next batch on the number is domain 8's.
    expect(guest.answer('GET_DOMAIN_PATH', '8|')).toBe('GET_DOMAIN_PATH /local/domain/8|')
  })
})

describe('domains that end by themselves', () => {
  beforeEach(() => {
    tool.ask('WATCH', '@releaseDomain|t|')
  })

  test('a domain that died is removed', () => {
    const guest = talk.guest(7)
    talk.domains.delete(7)
    talk.virq()
    expect(tool.heard()).toEqual(['EVENT @releaseDomain|t|'])
    expect(talk.rings.calls).toContain(`detach ${guest.id}`)
    expect(tool.answer('IS_DOMAIN_INTRODUCED', '7|')).toBe('IS_DOMAIN_INTRODUCED F|')
  })

  test('several that shut down are one event; the same again is none, until RESUME', () => {
    for (const domid of [7, 8]) {
      talk.guest(domid)
      talk.domains.set(domid, aDomain(domid, { isShutdown: true, shutdownReason: 'poweroff' }))
    }
    talk.virq()
    expect(tool.heard()).toEqual(['EVENT @releaseDomain|t|'])
    talk.timers.pass(100)
    talk.virq()
    expect(tool.heard()).toEqual([])
    expect(tool.answer('RESUME', '7|')).toBe('RESUME OK|')
    talk.timers.pass(100)
    talk.virq()
    expect(tool.heard()).toEqual(['EVENT @releaseDomain|t|'])
  })

  test('one that shut down and is destroyed later is two events', () => {
    talk.guest(7)
    talk.domains.set(7, aDomain(7, { isShutdown: true, shutdownReason: 'crash' }))
    talk.virq()
    talk.domains.set(7, aDomain(7, { isShutdown: true, shutdownReason: 'crash', isDying: true }))
    talk.timers.pass(100)
    talk.virq()
    expect(tool.heard()).toEqual(['EVENT @releaseDomain|t|', 'EVENT @releaseDomain|t|'])
  })

  test('news within 50 ms of a scan is looked at once, when they are over', () => {
    talk.guest(7)
    talk.guest(8)
    talk.virq()
    talk.domains.delete(7)
    talk.virq()
    talk.domains.delete(8)
    talk.virq()
    expect(tool.heard()).toEqual([])
    talk.timers.pass(50)
    expect(tool.heard()).toEqual(['EVENT @releaseDomain|t|', 'EVENT @releaseDomain|t|'])
    talk.timers.pass(50)
    expect(talk.timers.pending).toBe(0)
  })

  test('a scan that Xen refuses is tried again', () => {
    talk.guest(7)
    talk.domains.delete(7)
    const { values } = talk.domains
    talk.domains.values = () => {
      throw new XenError('domctl', 'EAGAIN', 11, 'not now')
    }
    talk.virq()
    expect(tool.heard()).toEqual([])
    talk.domains.values = values
    talk.timers.pass(50)
    expect(tool.heard()).toEqual(['EVENT @releaseDomain|t|'])
  })

  test('a toolstack that destroys one domain after the other costs few listings', () => {
    for (let domid = 1; domid <= 100; domid++) {
      talk.guest(domid)
      // Xen tells of the death twice, the toolstack says its RELEASE in between.
      talk.domains.set(domid, aDomain(domid, { isDying: true }))
      talk.virq()
      tool.ask('RELEASE', `${domid}|`)
      talk.domains.delete(domid)
      talk.virq()
      talk.timers.pass(10)
    }
    // At the beginning, and then at the pace of what explains itself.
    expect(talk.asked.states).toBeLessThanOrEqual(1 + 1000 / 50)
    expect(talk.timers.pending).toBeLessThanOrEqual(1)
  })

  test('a death that hides behind the toolstack’s is found all the same', () => {
    talk.guest(7)
    talk.guest(8)
    tool.ask('RELEASE', '7|')
    tool.heard()
    talk.domains.delete(7)
    talk.domains.delete(8)
    talk.virq()
    expect(tool.heard()).toEqual([])
    talk.timers.pass(50)
    expect(tool.heard()).toEqual(['EVENT @releaseDomain|t|'])
    expect(tool.answer('IS_DOMAIN_INTRODUCED', '8|')).toBe('IS_DOMAIN_INTRODUCED F|')
  })

  test('many at once are dealt with in turns, in which others are served', () => {
    for (let domid = 1; domid <= 150; domid++) talk.guest(domid)
    const events = () => tool.heard().filter((line) => line === 'EVENT @releaseDomain|t|').length
    tool.heard()
    for (let domid = 1; domid <= 150; domid++) talk.domains.delete(domid)
    talk.virq()
    expect(events()).toBe(64)
    expect(tool.answer('IS_DOMAIN_INTRODUCED', '150|')).toBe('IS_DOMAIN_INTRODUCED T|')
    talk.timers.pass(0)
    expect(events()).toBe(150 - 64)
    expect(tool.answer('IS_DOMAIN_INTRODUCED', '150|')).toBe('IS_DOMAIN_INTRODUCED F|')
  })

  test('who has a dead domain’s number before its turn came is not taken for it', () => {
    for (let domid = 1; domid <= 65; domid++) talk.guest(domid)
    for (let domid = 1; domid <= 65; domid++) talk.domains.delete(domid)
    talk.virq()
    talk.domains.set(65, aDomain(65, { uuid: '00000000-0000-0000-0000-000000000002' }))
    expect(tool.ask('INTRODUCE', '65|1000|5|').at(-1)).toBe('INTRODUCE OK|')
    talk.timers.pass(1000)
    expect(tool.answer('IS_DOMAIN_INTRODUCED', '65|')).toBe('IS_DOMAIN_INTRODUCED T|')
  })

  test('RESUME of what is not introduced is ENOENT', () => {
    expect(tool.answer('RESUME', '7|')).toBe('ERROR ENOENT|')
    expect(tool.answer('RESUME', '0|')).toBe('ERROR EINVAL|')
  })
})

describe('where Xen says which domains changed', () => {
  beforeEach(() => {
    talk.end()
    talk = aConversation({ saysWhich: true })
    tool = talk.tool()
    tool.ask('WATCH', '@releaseDomain|t|')
  })

  test.each([
    ['gone', DOMAIN_GONE],
    ['dying', DOMAIN_DYING],
    ['dying after a shutdown', DOMAIN_DYING | DOMAIN_SHUTDOWN],
  ])('one that is %s is removed, and no other is looked at', (_, state) => {
    talk.guest(7)
    talk.guest(8)
    talk.asked.info = 0
    talk.changes.push(7, state)
    talk.virq()
    expect(tool.heard()).toEqual(['EVENT @releaseDomain|t|'])
    expect(tool.answer('IS_DOMAIN_INTRODUCED', '7|')).toBe('IS_DOMAIN_INTRODUCED F|')
    expect(tool.answer('IS_DOMAIN_INTRODUCED', '8|')).toBe('IS_DOMAIN_INTRODUCED T|')
    expect(talk.asked).toEqual({ states: 0, info: 0 })
    expect(talk.timers.pending).toBe(0)
  })

  test('several that shut down are one event, and each is told once', () => {
    for (const domid of [7, 8, 9]) talk.guest(domid)
    const crashed = DOMAIN_SHUTDOWN | (3 << DOMAIN_REASON_SHIFT)
    talk.changes.push(7, crashed, 8, DOMAIN_SHUTDOWN)
    talk.virq()
    expect(tool.heard()).toEqual(['EVENT @releaseDomain|t|'])
    talk.changes.push(7, crashed)
    talk.virq()
    expect(tool.heard()).toEqual([])
    expect(talk.logged.some((line) => line.includes('"domid":7,"reason":"crash"'))).toBe(true)
    expect(talk.asked.states).toBe(0)
  })

  test('news of domains that nobody introduced is no news, nor is that of dom0', () => {
    talk.changes.push(0, 0, 5, DOMAIN_GONE, 6, 0, 7, DOMAIN_SHUTDOWN)
    talk.virq()
    expect(tool.heard()).toEqual([])
    expect(talk.logged).toEqual([])
    expect(talk.asked).toEqual({ states: 0, info: 0 })
  })

  test('a domid that went to another domain in between is that one’s', () => {
    talk.guest(7)
    talk.domains.set(7, aDomain(7, { uuid: '00000000-0000-0000-0000-000000000002' }))
    talk.changes.push(7, 0)
    talk.virq()
    expect(tool.heard()).toEqual(['EVENT @releaseDomain|t|'])
    expect(tool.answer('IS_DOMAIN_INTRODUCED', '7|')).toBe('IS_DOMAIN_INTRODUCED F|')
  })
})

test('a guest that begins anew loses watches and transactions, and what the batch still holds of it', () => {
  const guest = talk.guest(7)
  tool.ask('MKDIR', '/local/domain/7|')
  tool.ask('SET_PERMS', '/local/domain/7|n7|')
  guest.ask('WATCH', 'data|t|')
  const tx = guest.start()
  talk.rings.deliver(
    guest.request('WRITE', 'data|before'),
    { connection: guest.id, type: BATCH_RECONNECT },
    guest.request('WRITE', 'data|behind'),
  )
  expect(talk.rings.calls).toContain(`reconnect ${guest.id}`)
  expect(tool.answer('READ', '/local/domain/7/data|')).toBe('READ before')
  guest.heard()
  expect(guest.answer('READ', 'data|', tx)).toBe('ERROR ENOENT|')
  expect(guest.ask('WATCH', 'data|t|')).toEqual(['WATCH OK|', 'EVENT data|t|'])
})

test('how often a guest breaks its ring is said once; of the next guest it is said again', () => {
  const breaks = () => {
    const guest = talk.guest(7)
    for (let i = 0; i < 3; i++) {
      talk.rings.deliver({ connection: guest.id, type: BATCH_BROKEN, reqId: 2 })
      talk.rings.deliver({ connection: guest.id, type: BATCH_RECONNECT })
    }
    tool.ask('RELEASE', '7|')
    return talk.logged.filter((line) => line.includes('"level":40')).length
  }
  expect([breaks(), breaks()]).toEqual([1, 2])
})

test('a guest that broke its ring is forgotten, but its death is still told', () => {
  tool.ask('WATCH', '@releaseDomain|t|')
  const guest = talk.guest(7)
  const tx = guest.start()
  talk.rings.deliver({ connection: guest.id, type: BATCH_BROKEN, reqId: 2 })
  expect(guest.answer('READ', 'data|', tx)).toBe('ERROR ENOENT|')
  talk.domains.delete(7)
  talk.virq()
  expect(tool.heard()).toEqual(['EVENT @releaseDomain|t|'])
})

test('a closed socket leaves no watch and no transaction to its number’s next owner', () => {
  const gone = talk.tool()
  gone.ask('WATCH', '/a|t|')
  const tx = gone.start()
  talk.rings.deliver({ connection: gone.id, type: BATCH_CLOSED })
  const next = talk.tool()
  expect(next.id).toBe(gone.id)
  expect(next.answer('READ', '/tool|', tx)).toBe('ERROR ENOENT|')
  tool.ask('WRITE', '/a|x')
  expect(next.heard()).toEqual([])
})

test('the path of a domain needs no domain', () => {
  expect(tool.answer('GET_DOMAIN_PATH', '007|')).toBe('GET_DOMAIN_PATH /local/domain/7|')
  expect(tool.answer('GET_DOMAIN_PATH', 'x|')).toBe('ERROR EINVAL|')
  expect(tool.answer('GET_DOMAIN_PATH', '65536|')).toBe('ERROR EINVAL|')
  expect(tool.answer('GET_DOMAIN_PATH', '7')).toBe('ERROR EINVAL|')
})

test.each(['0', '32752'])('domain %s always counts as introduced', (domid) => {
  expect(tool.answer('IS_DOMAIN_INTRODUCED', `${domid}|`)).toBe('IS_DOMAIN_INTRODUCED T|')
})

test('a domain may do what its target may', () => {
  const model = talk.guest(8)
  talk.guest(7)
  tool.ask('MKDIR', '/local/domain/7|')
  tool.ask('SET_PERMS', '/local/domain/7|n7|')
  expect(model.answer('WRITE', '/local/domain/7/x|1')).toBe('ERROR EACCES|')
  expect(tool.answer('SET_TARGET', '8|7|')).toBe('SET_TARGET OK|')
  expect(model.answer('WRITE', '/local/domain/7/x|1')).toBe('WRITE OK|')
  expect(tool.answer('SET_TARGET', '8|')).toBe('ERROR EINVAL|')
  expect(tool.answer('SET_TARGET', '8|99|')).toBe('ERROR ENOENT|')
})
