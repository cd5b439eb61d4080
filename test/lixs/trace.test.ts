import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { XS_WRITE } from '../../lixs/wire/ops.ts'
import { BATCH_BROKEN, BATCH_CLOSED } from '../../native/ring-set.ts'
import { aConversation, type Conversation, type Peer } from '../support/a-conversation.ts'
import { aDaemon, turn } from '../support/a-daemon.ts'

let talk: Conversation
let tool: Peer
let guest: Peer
beforeEach(() => {
  talk = aConversation()
  tool = talk.tool()
  guest = talk.guest(7)
  tool.ask('WRITE', '/local/domain/7/a|')
  tool.ask('SET_PERMS', '/local/domain/7/a|n7|')
  talk.traced.lines.length = 0
})
afterEach(() => talk.end())

/** Traces just this. */
function trace(...switches: string[]): void {
  tool.ask('CONTROL', 'logfile|/x/trace|')
  for (const name of ['obj', 'io', 'wrl', 'acc', 'tdb']) {
    tool.ask('CONTROL', `log|${switches.includes(name) ? '+' : '-'}${name}|`)
  }
  talk.traced.take()
}

test('nothing is traced before somebody says where', () => {
  guest.ask('READ', 'name|')
  expect(talk.traced.lines).toEqual([])
})

test('a line begins with the time, in UTC and to the microsecond', () => {
  trace('io')
  guest.ask('READ', 'name|')
  expect(talk.traced.lines[0]).toMatch(
    /^2026-11-22 18:10:58\.000250 in {2}d7 {5}READ #77 name\|\n$/,
  )
})

describe('io', () => {
  test('shows requests and replies: who, operation, request id, payload', () => {
    trace('io')
    guest.ask('GET_DOMAIN_PATH', '7|')
    expect(talk.traced.take()).toEqual([
      'in  d7     GET_DOMAIN_PATH #77 7|',
      'out d7     GET_DOMAIN_PATH #77 /local/domain/7|',
    ])
  })

  test('names sockets by their number, and the transaction', () => {
    trace('io')
    const tx = tool.start()
    talk.traced.take()
    tool.ask('WRITE', '/a|value', tx)
    expect(talk.traced.take()).toEqual([
      `in  s${tool.id}     WRITE #77 tx 1 /a|value`,
      `out s${tool.id}     WRITE #77 tx 1 OK|`,
    ])
  })

  test('tells an error from a value that reads like one', () => {
    trace('io')
    tool.ask('WRITE', '/a|ENOENT|')
    talk.traced.take()
    tool.ask('READ', '/a|')
    tool.ask('READ', '/b|')
    expect(talk.traced.take().filter((line) => line.startsWith('out'))).toEqual([
      `out s${tool.id}     READ #77 ENOENT|`,
      `out s${tool.id}     ERROR(READ) #77 ENOENT|`,
    ])
  })

  test('shows events as they leave', () => {
    trace('io')
    guest.ask('WATCH', 'a|token|')
    talk.traced.take()
    tool.ask('WRITE', '/local/domain/7/a|x')
    expect(talk.traced.take()[1]).toBe('evt d7     a|token|')
  })

  test('shows events that are dropped as such', () => {
    guest.ask('WATCH', 'a|token|')
    trace('io')
    talk.rings.leaveEvents(guest.id, 1024)
    tool.ask('WRITE', '/local/domain/7/a|x')
    expect(talk.traced.take()[1]).toBe('evt d7     (dropped) a|token|')
  })

  test('escapes whatever could fool a terminal or a reader', () => {
    trace('io')
    guest.ask('WRITE', 'x|\u001b[31mred\n2026-11-22 in  d8 \u009b\\|')
    expect(talk.traced.take()[0]).toBe(
      'in  d7     WRITE #77 x|\\x1b[31mred\\n2026-11-22 in  d8 \\x9b\\x5c|',
    )
  })

  test('shows a long payload by its beginning and its length', () => {
    trace('io')
    tool.ask('WRITE', `/a|${'v'.repeat(4000)}`)
    const [line = ''] = talk.traced.take()
    expect(line).toMatch(/\/a\|v+ \.\.\.3843 bytes more$/)
    expect(line.length).toBeLessThan(250)
  })
})

describe('obj', () => {
  test('shows sockets come and go', () => {
    trace('obj')
    const other = talk.tool()
    talk.rings.deliver({ connection: other.id, type: BATCH_CLOSED })
    expect(talk.traced.take()).toEqual([
      `obj s${other.id}     socket opened`,
      `obj s${other.id}     closed`,
    ])
  })

  test('shows domains come and go, and why', () => {
    trace('obj')
    talk.guest(8)
    talk.domains.delete(8)
    talk.virq()
    expect(talk.traced.take()).toEqual([
      'obj d8     domain introduced, port 5',
      'obj d8     domain removed, gone',
    ])
  })

  test('shows a ring that was broken', () => {
    trace('obj')
    talk.rings.deliver({ connection: guest.id, type: BATCH_BROKEN, reqId: 2 })
    expect(talk.traced.take()).toEqual(['obj d7     ring broken, error 2'])
  })

  test('shows transactions and watches', () => {
    trace('obj')
    guest.ask('TRANSACTION_END', 'T|', guest.start())
    guest.ask('TRANSACTION_END', 'F|', guest.start())
    guest.ask('WATCH', 'a|token|')
    guest.ask('WATCH', 'a|token|')
    guest.ask('UNWATCH', 'a|token|')
    guest.ask('RESET_WATCHES', '|')
    expect(talk.traced.take()).toEqual([
      'obj d7     transaction 1 started',
      'obj d7     transaction 1 committed',
      'obj d7     transaction 2 started',
      'obj d7     transaction 2 dropped',
      'obj d7     watch added a|token|',
      'obj d7     watch removed a|token|',
      'obj d7     watches and transactions dropped',
    ])
  })
})

test('acc shows what a request changed of what its domain uses', () => {
  trace('acc')
  guest.ask('READ', 'name|')
  guest.start()
  expect(talk.traced.take()).toEqual(['acc d7     transactions 1 (+1)'])
})

test('tdb shows what a request changed in the tables', () => {
  trace('tdb')
  tool.ask('READ', '/tool|')
  tool.ask('WRITE', '/a/b|value')
  tool.ask('RM', '/a|')
  expect(talk.traced.take()).toEqual([
    `tdb s${tool.id}     nodes 12 (+2) blocks 13 (+3)`,
    `tdb s${tool.id}     nodes 10 (-2) blocks 10 (-3)`,
  ])
})

test('wrl shows requests that have to wait for a transaction', async () => {
  const daemon = aDaemon()
  const [asker, writer] = [await daemon.connect(), daemon.guest(7)]
  await asker.write('/shared', '')
  await asker.introduce(7, 0, writer.end.port)
  await asker.setPerms('/shared', ['b0'])
  await asker.control('logfile', '/x/trace')
  for (const change of ['+wrl', '-io', '-obj']) await asker.control('log', change)
  daemon.traced.take()
  let tries = 0
  await asker.transaction(async (tx) => {
    await tx.read('/shared')
    await writer.send(XS_WRITE, `/shared|${tries}`)
    // After two failures the transaction is guarded: the guest has no answer before it ends.
    if (++tries < 3) await writer.next()
    else while (daemon.traced.lines.length === 0) await turn()
    tx.write('/shared', 'y')
  })
  expect(tries).toBe(3)
  expect(daemon.traced.take()).toEqual(['wrl d7     WRITE waits for a transaction'])
  daemon.stop()
})

test('with every switch off nothing is written, and nothing asked', () => {
  trace()
  guest.ask('WATCH', 'a|token|')
  guest.ask('WRITE', '/local/domain/7/a|x')
  expect(talk.traced.lines).toEqual([])
})
