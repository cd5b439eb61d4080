/** A guest that dies in the middle of anything, and the next one that gets its number. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import {
  XS_DIRECTORY,
  XS_GET_PERMS,
  XS_MKDIR,
  XS_READ,
  XS_RM,
  XS_SET_PERMS,
  XS_TRANSACTION_START,
  XS_WATCH,
  XS_WRITE,
} from '../../lixs/wire/ops.ts'
import { encode } from '../native/guest-ring.ts'
import { aConversation, aDomain, type Conversation } from '../support/a-conversation.ts'
import {
  ATTACKER,
  askAll,
  heard,
  type Kept,
  type Request,
  Siege,
  type SiegeGuest,
  settle,
  VICTIM,
} from './a-siege.ts'

const HOME = `/local/domain/${ATTACKER}`

let siege: Siege
let before: Kept
beforeAll(async () => {
  siege = await Siege.begin()
  await siege.isReleased(await siege.attacker())
  before = await siege.kept()
})
afterAll(() => siege.stop())

const request = (type: number, text: string, txId = 0): Buffer =>
  encode(type, 1, txId, Buffer.from(text.replaceAll('|', '\0')))

/** What a guest is in the middle of; nothing of it may wait for anything after that. */
const MIDDLES: Readonly<Record<string, (guest: SiegeGuest) => Promise<void>>> = {
  'half a request': async ({ ring }) => {
    ring.send(request(XS_WRITE, 'data/x|a value').subarray(0, 21))
    await settle()
  },
  'a request that was not looked at': async ({ ring }) => {
    ring.put(request(XS_WRITE, 'data/x|a value'))
  },
  'half a reply': async (guest) => {
    await askAll(guest, [[XS_WRITE, `large|${'x'.repeat(1900)}`]])
    guest.ring.send(request(XS_READ, 'large|'))
    await settle()
    expect(siege.queued(ATTACKER).replies).toBe(1)
  },
  'open transactions': async (guest) => {
    for (let tx = 1; tx <= 3; tx++) {
      await askAll(guest, [
        [XS_TRANSACTION_START, '|'],
        [XS_WRITE, `data/in|${tx}`, tx],
        [XS_MKDIR, `deep${'/n'.repeat(50)}|`, tx],
        [XS_RM, 'old|', tx],
        [XS_READ, `/local/domain/${VICTIM}/data/asked|`, tx],
        [XS_SET_PERMS, 'data/in|n7|r1|', tx],
      ])
    }
  },
  'watches of all kinds': async (guest) => {
    const paths = [
      'data',
      '/',
      '@releaseDomain',
      `/none${'/n'.repeat(100)}`,
      '/local/domain/1/data',
    ]
    await askAll(
      guest,
      paths.map((path): Request => [XS_WATCH, `${path}|old-token|`]),
    )
  },
  'queued events': async (guest) => {
    await askAll(guest, [[XS_WATCH, `${HOME}|old-token|`]])
    for (let i = 0; i < 80; i++) await siege.tool.write(`${HOME}/data/${i}`, 'told')
    expect(siege.queued(ATTACKER).events).toBeGreaterThan(10)
  },
  'a broken ring': async ({ kernel }) => {
    kernel.claim(5000)
    await settle()
  },
  'nothing at all': async () => {},
}

const ENDS: Readonly<Record<string, (guest: SiegeGuest) => Promise<void>>> = {
  dies: (guest) => siege.dies(guest),
  'is released': (guest) => siege.isReleased(guest),
  'shuts down and is destroyed': async (guest) => {
    siege.daemon.domains.set(guest.domid, aDomain(guest.domid, { isShutdown: true }))
    await siege.dies(guest)
  },
}

describe.each(Object.keys(MIDDLES))('a guest in the middle of %s', (middle) => {
  test.each(Object.keys(ENDS))('that %s leaves nothing', async (end) => {
    const attacker = await siege.attacker()
    await askAll(attacker, [[XS_MKDIR, 'old|']])
    await MIDDLES[middle]?.(attacker)
    await ENDS[end]?.(attacker)
    // What its end was the beginning of is answered, too: a page that is still written to harms nobody.
    attacker.ring.setProducer(77)
    await siege.isOver(before)
  })

  test('leaves nothing to the next one with its number', async () => {
    const old = await siege.attacker()
    await askAll(old, [[XS_WRITE, 'old|secret']])
    await MIDDLES[middle]?.(old)
    await siege.isReleased(old)
    const successor = await siege.attacker()
    expect(successor.ring.waiting).toBe(0)
    expect(
      await askAll(successor, [
        [XS_READ, 'old|'],
        [XS_DIRECTORY, `${HOME}|`],
        [XS_WRITE, 'data|1', 1],
        [XS_TRANSACTION_START, '|'],
      ]),
    ).toEqual(['ERROR ENOENT|', 'DIRECTORY', 'ERROR ENOENT|', 'TRANSACTION_START 1|'])
    // No watch of the old one fires, and no event of it was left.
    expect(await heard(successor.kernel, XS_WRITE, 'data|2', 1)).toEqual(['WRITE OK|'])
    await siege.tool.write(`${HOME}/data/1`, 'x')
    expect(await heard(successor.kernel, XS_READ, 'data/1|', 1)).toEqual(['READ x'])
    expect((await siege.usage(ATTACKER)).get('watches')).toBe(0)
    await siege.isReleased(successor)
    await siege.isOver(before)
  })
})

test('what was granted to a domain is not granted to the next one with its number', async () => {
  const old = await siege.attacker()
  await siege.tool.write('/shared', 'secret')
  await siege.tool.setPerms('/shared', ['n0', `b${ATTACKER}`])
  expect(await askAll(old, [[XS_READ, '/shared|']])).toEqual(['READ secret'])
  await siege.dies(old)
  const successor = await siege.attacker()
  expect(
    await askAll(successor, [
      [XS_READ, '/shared|'],
      [XS_WRITE, '/shared|mine'],
      [XS_GET_PERMS, '/shared|'],
      [XS_WATCH, '/shared|t|'],
    ]),
  ).toEqual(['ERROR EACCES|', 'ERROR EACCES|', 'ERROR EACCES|', 'WATCH OK|'])
  await siege.tool.write('/shared', 'still secret')
  expect(await heard(successor.kernel, XS_WRITE, 'data|2', 1)).toEqual(['WRITE OK|'])
  await siege.tool.rm('/shared')
  await siege.isReleased(successor)
  await siege.isOver(before)
})

test('the rights of a target end with either side', async () => {
  const target = await siege.attacker(8)
  await askAll(target, [[XS_WRITE, 'data|secret']])
  const helper = await siege.attacker()
  await siege.tool.setTarget(ATTACKER, 8)
  expect(await askAll(helper, [[XS_READ, '/local/domain/8/data|']])).toEqual(['READ secret'])
  await siege.dies(target)
  const next = await siege.attacker(8)
  await askAll(next, [[XS_WRITE, 'data|other']])
  expect(await askAll(helper, [[XS_READ, '/local/domain/8/data|']])).toEqual(['ERROR EACCES|'])
  await siege.isReleased(helper)
  await siege.isReleased(next)
  await siege.isOver(before)
})

test('a number that changes hands unnoticed is another domain at its introduction', async () => {
  const old = await siege.attacker()
  await askAll(old, [
    [XS_WRITE, 'old|secret'],
    [XS_WATCH, '/|t|'],
    [XS_TRANSACTION_START, '|'],
  ])
  // Xen says nothing of it, or says it too late.
  siege.daemon.loopback.removeDomain(ATTACKER as never)
  const successor = siege.make(ATTACKER)
  await siege.tool.introduce(ATTACKER, 1, successor.kernel.end.port)
  expect(await heard(successor.kernel, XS_READ, 'old|', 1)).toEqual(['ERROR EACCES|'])
  expect(await askAll(successor, [[XS_READ, 'x|', 1]])).toEqual(['ERROR ENOENT|'])
  expect((await siege.usage(ATTACKER)).get('nodes')).toBe(0)
  await siege.isReleased(successor)
  await siege.isOver(before)
})

test('a domain that is introduced again and again amid its traffic is served in the end', async () => {
  const attacker = await siege.attacker()
  const bytes = request(XS_WRITE, 'data/x|some value')
  for (let round = 0; round < 30; round++) {
    attacker.ring.put(bytes)
    attacker.ring.put(bytes.subarray(0, round))
    attacker.kernel.end.kick()
    if (round % 3 === 0) await settle(round % 4)
    const introducing = siege.tool.introduce(ATTACKER, 1, attacker.kernel.end.port)
    attacker.ring.put(bytes)
    await introducing
  }
  // Its last words may have been half a message: now it begins where the daemon does.
  await settle()
  await siege.tool.introduce(ATTACKER, 1, attacker.kernel.end.port)
  expect(await heard(attacker.kernel, XS_WRITE, 'data/y|2', 1)).toEqual(['WRITE OK|'])
  await siege.victimIsServed()
  await siege.isReleased(attacker)
  await siege.isOver(before)
})

describe('in one batch', () => {
  let talk: Conversation
  afterEach(() => talk.end())

  const stats = (): string => {
    const tool = talk.tool()
    const said = tool.answer('CONTROL', 'stats|').split('|')[0] ?? ''
    return said
      .split('\n')
      .filter((row) => /^(nodes|watches|transactions|accessRecords|permLists|blocks) /.test(row))
      .join('\n')
  }

  test.each([
    'T',
    'F',
  ])('a transaction that ends with %s as its guest does is whole or not at all', (how) => {
    talk = aConversation()
    const tool = talk.tool()
    tool.ask('WATCH', '/shared|t|')
    tool.ask('WRITE', '/shared/a|before')
    const earlier = stats()
    for (const isEndFirst of [true, false]) {
      const guest = talk.guest(7)
      tool.ask('SET_PERMS', '/shared/a|n0|b7|')
      tool.heard()
      const tx = guest.start()
      expect(guest.answer('WRITE', '/shared/a|after', tx)).toBe('WRITE OK|')
      const end = guest.request('TRANSACTION_END', `${how}|`, tx)
      const release = tool.request('RELEASE', '7|')
      talk.rings.deliver(...(isEndFirst ? [end, release] : [release, end]))
      const isCommitted = isEndFirst && how === 'T'
      expect(tool.heard()).toEqual([...(isCommitted ? ['EVENT /shared/a|t|'] : []), 'RELEASE OK|'])
      expect(tool.answer('READ', '/shared/a|')).toBe(`READ ${isCommitted ? 'after' : 'before'}`)
      tool.ask('WRITE', '/shared/a|before')
      tool.ask('SET_PERMS', '/shared/a|n0|')
      tool.heard()
    }
    expect(stats()).toBe(earlier)
    expect(talk.logged.filter((line) => line.includes('a defect'))).toEqual([])
  })

  test('a commit into the home of a guest that ended in the same batch is refused or goes with it', () => {
    talk = aConversation()
    const tool = talk.tool()
    const earlier = stats()
    for (const isEndFirst of [true, false]) {
      talk.guest(7)
      tool.ask('MKDIR', '/local/domain/7|')
      tool.ask('SET_PERMS', '/local/domain/7|n7|')
      const tx = tool.start()
      tool.ask('WRITE', '/local/domain/7/data/late|x', tx)
      const end = tool.request('TRANSACTION_END', 'T|', tx)
      const release = tool.request('RELEASE', '7|')
      talk.rings.deliver(...(isEndFirst ? [end, release] : [release, end]))
      expect(tool.heard()).toEqual(
        isEndFirst ? ['TRANSACTION_END OK|', 'RELEASE OK|'] : ['RELEASE OK|', 'ERROR EAGAIN|'],
      )
      expect(tool.answer('READ', '/local/domain/7/data/late|')).toBe('ERROR ENOENT|')
      tool.ask('RM', '/local|')
    }
    expect(stats()).toBe(earlier)
  })
})
