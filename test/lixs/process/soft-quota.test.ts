import { afterEach, beforeEach, expect, test } from 'vitest'
import { parseExposition } from '../../native/os/metrics/parse-exposition.ts'
import { aConversation, type Conversation, type Peer } from '../../support/a-conversation.ts'

const ABOVE = 'domain uses more memory than the soft quota'
const BELOW = 'domain uses less memory than the soft quota again'

let talk: Conversation
let guest: Peer
beforeEach(() => {
  talk = aConversation({ quotas: { memorySoft: 1000 } })
  guest = talk.guest(7)
  const tool = talk.tool()
  tool.ask('MKDIR', '/local/domain/7|')
  tool.ask('SET_PERMS', '/local/domain/7|n7|')
  talk.logged.length = 0
})
afterEach(() => talk.end())

/** What was logged since the last time, by level and message. */
const logged = (): unknown[] =>
  talk.logged.splice(0).map((line) => {
    const { level, msg } = JSON.parse(line)
    return [level, msg]
  })

test('a guest above the soft quota of memory is served, and the operator warned', () => {
  expect(guest.answer('WRITE', `a|${'x'.repeat(500)}`)).toBe('WRITE OK|')
  expect(logged()).toEqual([])
  expect(guest.answer('WRITE', `b|${'x'.repeat(500)}`)).toBe('WRITE OK|')
  expect(JSON.parse(talk.logged[0] ?? '')).toMatchObject({ domid: 7, limitBytes: 1000 })
  expect(logged()).toEqual([[40, ABOVE]])
})

test('the operator is warned of one domain at most every 10 s', () => {
  guest.ask('WRITE', `a|${'x'.repeat(1500)}`)
  talk.timers.pass(9_999)
  guest.ask('READ', 'a|')
  expect(logged()).toEqual([[40, ABOVE]])
  talk.timers.pass(1)
  guest.ask('READ', 'a|')
  guest.ask('READ', 'a|')
  expect(logged()).toEqual([[40, ABOVE]])
  const { samples } = parseExposition(talk.metrics()).get('lixs_quota_warnings_total') ?? {}
  expect([...(samples?.values() ?? [])]).toEqual([2])
})

test('a domain that goes up and down around the quota is told of once in 10 s', () => {
  for (let i = 0; i < 20; i++) {
    guest.ask('WRITE', `a|${'x'.repeat(1500)}`)
    guest.ask('RM', 'a|')
  }
  expect(logged()).toEqual([
    [40, ABOVE],
    [30, BELOW],
  ])
  talk.timers.pass(10_000)
  guest.ask('WRITE', `a|${'x'.repeat(1500)}`)
  expect(logged()).toEqual([[40, ABOVE]])
})

test('what was said of a domain is not held against the next one with its number', () => {
  guest.ask('WRITE', `a|${'x'.repeat(1500)}`)
  talk.tool().ask('RELEASE', '7|')
  const heir = talk.guest(7)
  talk.logged.length = 0
  heir.ask('GET_DOMAIN_PATH', '7|')
  expect(logged()).toEqual([])
})

test('that it uses less again is told once', () => {
  guest.ask('WRITE', `a|${'x'.repeat(1500)}`)
  guest.ask('RM', 'a|')
  guest.ask('RM', 'a|')
  expect(logged()).toEqual([
    [40, ABOVE],
    [30, BELOW],
  ])
})

test('a soft quota of 0, or of its own, is the one that counts', () => {
  talk.tool().ask('SET_QUOTA', '7|soft-memory|0|')
  guest.ask('WRITE', `a|${'x'.repeat(1500)}`)
  expect(logged()).toEqual([])
  talk.tool().ask('SET_QUOTA', '7|soft-memory|1600|')
  guest.ask('READ', 'a|')
  expect(logged()).toEqual([[40, ABOVE]])
})
