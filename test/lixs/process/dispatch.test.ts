import { fc, test as property } from '@fast-check/vitest'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { BATCH_CLOSED } from '../../../native/ring-set.ts'
import { aConversation, type Conversation } from '../../support/a-conversation.ts'

let talk: Conversation
beforeEach(() => {
  talk = aConversation()
})
afterEach(() => talk.end())

const PRIVILEGED = [
  'CONTROL',
  'INTRODUCE',
  'RELEASE',
  'IS_DOMAIN_INTRODUCED',
  'RESUME',
  'SET_TARGET',
  'SET_FEATURE',
  'GET_QUOTA',
  'SET_QUOTA',
]
const TRANSACTIONAL = [
  ...['DIRECTORY', 'READ', 'GET_PERMS', 'WRITE', 'MKDIR', 'RM', 'SET_PERMS', 'DIRECTORY_PART'],
  ...['TRANSACTION_START', 'TRANSACTION_END', 'GET_DOMAIN_PATH', 'RESET_WATCHES'],
  'GET_FEATURE',
]

describe('order of checks', () => {
  test.each([
    15, 16, 20, 27, 1000, 65535, 0x7fffffff,
  ])('operation %i is not served, whoever asks and in whatever transaction', (type) => {
    expect(talk.tool().answer(type, '/|', 99)).toBe('ERROR ENOSYS|')
    expect(talk.guest(7).answer(type, '', 99)).toBe('ERROR ENOSYS|')
  })

  test.each(PRIVILEGED)('%s is refused to a guest before its transaction is looked up', (op) => {
    expect(talk.guest(7).answer(op, '', 99)).toBe('ERROR EACCES|')
  })

  test.each(
    TRANSACTIONAL,
  )('%s in an unknown transaction is ENOENT before its payload counts', (op) => {
    expect(talk.guest(7).answer(op, '', 99)).toBe('ERROR ENOENT|')
  })

  test.each(PRIVILEGED)('%s in an unknown transaction is ENOENT for a tool', (op) => {
    expect(talk.tool().answer(op, '', 99)).toBe('ERROR ENOENT|')
  })

  test('WATCH and UNWATCH do not look their transaction up', () => {
    const tool = talk.tool()
    expect(tool.ask('WATCH', '/a|t|', 99)).toEqual(['WATCH OK|', 'EVENT /a|t|'])
    expect(tool.answer('UNWATCH', '/a|t|', 99)).toBe('UNWATCH OK|')
  })

  test("a transaction is its connection's own", () => {
    const tx = talk.tool().start()
    expect(talk.tool().answer('READ', '/tool|', tx)).toBe('ERROR ENOENT|')
  })
})

test('request and transaction id come back with the reply', () => {
  const tool = talk.tool()
  const tx = tool.start()
  talk.rings.deliver(tool.request('READ', '/tool|', tx), tool.request('READ', '/none|', tx))
  expect(tool.messages()).toMatchObject([
    { type: 2, reqId: 77, txId: tx },
    { type: 16, reqId: 77, txId: tx },
  ])
})

test('a batch holds requests of many, each is answered to its sender', () => {
  const [first, second] = [talk.tool(), talk.tool()]
  talk.rings.deliver(
    first.request('WRITE', '/a|1'),
    second.request('READ', '/a|'),
    first.request('READ', '/a|'),
  )
  expect(first.heard()).toEqual(['WRITE OK|', 'READ 1'])
  expect(second.heard()).toEqual(['READ 1'])
})

describe('a request that fails by a defect', () => {
  test('is answered EIO, logged once, and what comes behind it is served', () => {
    const tool = talk.tool()
    talk.domains.get = () => {
      throw new Error('out of order')
    }
    const broken = tool.request('SET_PERMS', '/tool|n0|r9|')
    talk.rings.deliver(broken, tool.request('READ', '/tool|'), broken)
    expect(tool.heard()).toEqual(['ERROR EIO|', 'READ', 'ERROR EIO|'])
    expect(talk.logged.filter((text) => text.includes('out of order'))).toHaveLength(1)
  })
})

property.prop([
  fc.array(
    fc.record({
      type: fc.oneof(fc.nat({ max: 27 }), fc.nat({ max: 0x7fffffff })),
      txId: fc.oneof(fc.constant(0), fc.nat({ max: 3 }), fc.integer()),
      payload: fc.oneof(
        fc.uint8Array({ maxLength: 60 }),
        fc
          .array(
            fc.constantFrom(
              ...['/', '/local', '/local/domain/', '@releaseDomain', 'data', 'data/x', '0', '7'],
              ...['n7', 'r0x', 'T', 'F', '', 'quota', 'help', 'memory', '4294967296', '//', '-1'],
              ...['nodes', 'soft-memory', '4', 'r32757', '@releaseDomain/7'],
            ),
            { maxLength: 5 },
          )
          .map((strings) => Buffer.from(strings.map((text) => `${text}\0`).join(''))),
      ),
    }),
    { maxLength: 60 },
  ),
])('whatever is sent, each request is answered once and the daemon goes on', (soup) => {
  const [tool, guest] = [talk.tool(), talk.guest(7)]
  const wrong: unknown[] = []
  for (const peer of [guest, tool]) {
    for (const { type, txId, payload } of soup) {
      talk.rings.deliver({ connection: peer.id, type, txId, reqId: 5, payload })
      const [reply, ...more] = peer.messages().filter((message) => message.type !== 15)
      const isAnswered = reply !== undefined && (reply.type === type || reply.type === 16)
      if (!isAnswered || more.length > 0 || reply.payload.length > 4096) {
        wrong.push({ type, txId, payload, reply, more })
      }
    }
  }
  expect(wrong).toEqual([])
  expect(talk.logged.filter((text) => text.includes('defect'))).toEqual([])
  talk.rings.deliver({ connection: tool.id, type: BATCH_CLOSED })
})
