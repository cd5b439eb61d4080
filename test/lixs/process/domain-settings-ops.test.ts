import { afterEach, beforeEach, describe, expect, test } from 'vitest'
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

describe('GET_FEATURE', () => {
  test('tells everybody the features offered to himself', () => {
    expect(tool.answer('GET_FEATURE')).toBe('GET_FEATURE 15|')
    expect(talk.guest(7).answer('GET_FEATURE')).toBe('GET_FEATURE 15|')
  })

  test('of another domain is for the privileged', () => {
    const guest = talk.guest(7)
    expect(guest.answer('GET_FEATURE', '7|')).toBe('ERROR EACCES|')
    expect(guest.answer('GET_FEATURE', '1|2|')).toBe('ERROR EACCES|')
    expect(tool.answer('GET_FEATURE', '7|')).toBe('GET_FEATURE 15|')
  })

  test.each(['7|8|', 'x|', '|', '65536|', '-1|'])('%j is invalid', (payload) => {
    expect(tool.answer('GET_FEATURE', payload)).toBe('ERROR EINVAL|')
  })

  test.each(['9|', '32752|', '65535|'])('%j names no domain', (payload) => {
    expect(tool.answer('GET_FEATURE', payload)).toBe('ERROR ENOENT|')
  })

  test('of a domain that Xen knows and nobody has introduced is what it will be offered', () => {
    talk.domains.set(9, aDomain(9))
    expect(tool.answer('GET_FEATURE', '9|')).toBe('GET_FEATURE 15|')
    expect(tool.answer('IS_DOMAIN_INTRODUCED', '9|')).toBe('IS_DOMAIN_INTRODUCED F|')
  })
})

describe('SET_FEATURE', () => {
  test('narrows what a domain is offered until it is gone', () => {
    talk.domains.set(7, aDomain(7))
    expect(tool.answer('SET_FEATURE', '7|4|')).toBe('SET_FEATURE OK|')
    const guest = talk.guest(7)
    expect(guest.answer('GET_FEATURE')).toBe('GET_FEATURE 4|')
    tool.ask('RELEASE', '7|')
    expect(talk.guest(7).answer('GET_FEATURE')).toBe('GET_FEATURE 15|')
  })

  test.each(['', '7|', '7|1|1|', 'x|1|', '7|x|', '7|-1|'])('%j is invalid', (payload) => {
    talk.domains.set(7, aDomain(7))
    expect(tool.answer('SET_FEATURE', payload)).toBe('ERROR EINVAL|')
  })

  test('says ENOENT before EBUSY, and EBUSY before it looks at the mask', () => {
    talk.guest(7)
    talk.domains.set(8, aDomain(8))
    expect(tool.answer('SET_FEATURE', '9|16|')).toBe('ERROR ENOENT|')
    expect(tool.answer('SET_FEATURE', '7|16|')).toBe('ERROR EBUSY|')
    expect(tool.answer('SET_FEATURE', '0|1|')).toBe('ERROR EBUSY|')
    expect(tool.answer('SET_FEATURE', '8|16|')).toBe('ERROR EINVAL|')
    expect(tool.answer('SET_FEATURE', '8|4294967294|')).toBe('ERROR EINVAL|')
  })

  test('is for the privileged', () => {
    expect(talk.guest(7).answer('SET_FEATURE', '7|0|')).toBe('ERROR EACCES|')
  })
})

describe('GET_QUOTA', () => {
  test('without a name tells all names', () => {
    expect(tool.answer('GET_QUOTA')).toBe(
      'GET_QUOTA nodes watches transactions outstanding transaction-nodes memory node-size ' +
        'node-permissions path-max soft-memory|',
    )
  })

  test('tells what new domains get, and what one has', () => {
    const guest = talk.guest(7)
    expect(tool.answer('GET_QUOTA', 'nodes|')).toBe('GET_QUOTA 1000|')
    expect(tool.answer('GET_QUOTA', 'soft-memory|')).toBe('GET_QUOTA 2097152|')
    expect(tool.answer('GET_QUOTA', '7|watches|')).toBe('GET_QUOTA 128|')
    expect(guest.answer('GET_QUOTA', '')).toBe('ERROR EACCES|')
  })

  test.each([
    'nonsense|',
    'soft-nodes|',
    '|',
    'x|nodes|',
    '1|2|nodes|',
  ])('%j is invalid', (payload) => {
    expect(tool.answer('GET_QUOTA', payload)).toBe('ERROR EINVAL|')
  })

  test('an unknown name is invalid before an unknown domain is ENOENT', () => {
    expect(tool.answer('GET_QUOTA', '9|nonsense|')).toBe('ERROR EINVAL|')
    expect(tool.answer('GET_QUOTA', '9|nodes|')).toBe('ERROR ENOENT|')
  })
})

describe('SET_QUOTA', () => {
  test('without a domain is for the domains that come later', () => {
    const early = talk.guest(7)
    expect(tool.answer('SET_QUOTA', 'transactions|1|')).toBe('SET_QUOTA OK|')
    const late = talk.guest(8)
    for (const guest of [early, late]) guest.start()
    expect(late.answer('TRANSACTION_START', '|')).toBe('ERROR ENOSPC|')
    expect(early.answer('TRANSACTION_START', '|')).toBe('TRANSACTION_START 2|')
    expect(tool.answer('GET_QUOTA', '7|transactions|')).toBe('GET_QUOTA 10|')
    expect(tool.answer('GET_QUOTA', '8|transactions|')).toBe('GET_QUOTA 1|')
  })

  test('with a domain is for this one alone, at once', () => {
    const [one, other] = [talk.guest(7), talk.guest(8)]
    expect(tool.answer('SET_QUOTA', '7|transactions|1|')).toBe('SET_QUOTA OK|')
    for (const guest of [one, other]) guest.start()
    expect(one.answer('TRANSACTION_START', '|')).toBe('ERROR ENOSPC|')
    expect(other.answer('TRANSACTION_START', '|')).toBe('TRANSACTION_START 2|')
  })

  test('can be done before the domain is introduced', () => {
    talk.domains.set(7, aDomain(7))
    expect(tool.answer('SET_QUOTA', '7|watches|1|')).toBe('SET_QUOTA OK|')
    const guest = talk.guest(7)
    guest.ask('WATCH', 'a|t|')
    expect(guest.answer('WATCH', 'b|t|')).toBe('ERROR E2BIG|')
  })

  test('0 is no limit', () => {
    tool.ask('SET_QUOTA', 'watches|1|')
    tool.ask('SET_QUOTA', '7|watches|0|')
    const guest = talk.guest(7)
    tool.ask('SET_QUOTA', '7|watches|0|')
    guest.ask('WATCH', 'a|t|')
    expect(guest.ask('WATCH', 'b|t|')[0]).toBe('WATCH OK|')
  })

  test('a limit of requests in work reaches the ring', () => {
    const [one, other] = [talk.guest(7), talk.guest(8)]
    tool.ask('SET_QUOTA', '7|outstanding|3|')
    expect(talk.rings.connections[one.id * 32 + 5]).toBe(3)
    expect(talk.rings.connections[other.id * 32 + 5]).toBe(20)
    expect(talk.rings.calls).toContain(`resume ${one.id}`)
  })

  test('what `xenstore-control quota set` changes reaches all but those with a limit of their own', () => {
    const [one, other] = [talk.guest(7), talk.guest(8)]
    tool.ask('SET_QUOTA', '7|nodes|5|')
    tool.ask('CONTROL', 'quota|set|nodes|9|')
    expect(tool.answer('GET_QUOTA', '7|nodes|')).toBe('GET_QUOTA 5|')
    expect(tool.answer('GET_QUOTA', '8|nodes|')).toBe('GET_QUOTA 9|')
    expect([one.id, other.id]).not.toContain(tool.id)
  })

  test('the next domain with the number has the quotas, not its predecessor’s limits', () => {
    talk.guest(7)
    tool.ask('SET_QUOTA', '7|nodes|5|')
    tool.ask('RELEASE', '7|')
    talk.guest(7)
    expect(tool.answer('GET_QUOTA', '7|nodes|')).toBe('GET_QUOTA 1000|')
  })

  test.each([
    ...['', 'nodes|', 'nodes|x|', 'nodes|-1|', 'nodes|4294967295|', 'nonsense|1|'],
    ...['x|nodes|1|', '9|nodes|4294967295|', '9|nonsense|1|', '1|2|nodes|1|'],
  ])('%j is invalid', (payload) => {
    expect(tool.answer('SET_QUOTA', payload)).toBe('ERROR EINVAL|')
  })

  test('of an unknown domain is ENOENT', () => {
    expect(tool.answer('SET_QUOTA', '9|nodes|1|')).toBe('ERROR ENOENT|')
  })

  test('the largest value is kept as it is', () => {
    talk.guest(7)
    tool.ask('SET_QUOTA', '7|memory|4294967294|')
    expect(tool.answer('GET_QUOTA', '7|memory|')).toBe('GET_QUOTA 4294967294|')
  })

  test('is for the privileged', () => {
    expect(talk.guest(7).answer('SET_QUOTA', 'nodes|1|')).toBe('ERROR EACCES|')
  })
})

test('a limit of permissions, of a path and of a node’s size is the domain’s own', () => {
  const [one, other] = [talk.guest(7), talk.guest(8)]
  for (const domid of [7, 8]) {
    tool.ask('WRITE', `/local/domain/${domid}|`)
    tool.ask('SET_PERMS', `/local/domain/${domid}|n${domid}|`)
  }
  tool.ask('SET_QUOTA', '7|node-permissions|1|')
  tool.ask('SET_QUOTA', '7|path-max|3|')
  tool.ask('SET_QUOTA', '7|node-size|100|')
  const outcomes = [one, other].map((guest, i) => [
    guest.answer('WRITE', `a|${'x'.repeat(100)}`),
    guest.answer('WRITE', 'a|'),
    guest.answer('SET_PERMS', `a|n${7 + i}|r0|`),
    guest.answer('READ', 'long|'),
  ])
  expect(outcomes).toEqual([
    ['ERROR ENOSPC|', 'WRITE OK|', 'ERROR ENOSPC|', 'ERROR EINVAL|'],
    ['WRITE OK|', 'WRITE OK|', 'SET_PERMS OK|', 'ERROR ENOENT|'],
  ])
})
