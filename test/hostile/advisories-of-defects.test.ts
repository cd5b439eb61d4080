/** Past advisories by which a guest ended the daemon, or made it forget what it had to do. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import {
  XS_DIRECTORY,
  XS_DIRECTORY_PART,
  XS_GET_DOMAIN_PATH,
  XS_GET_PERMS,
  XS_MKDIR,
  XS_READ,
  XS_RESET_WATCHES,
  XS_RM,
  XS_SET_PERMS,
  XS_TRANSACTION_END,
  XS_TRANSACTION_START,
  XS_UNWATCH,
  XS_WATCH,
  XS_WRITE,
} from '../../lixs/wire/ops.ts'
import { BATCH_CLOSED } from '../../native/ring-set.ts'
import { encode } from '../native/guest-ring.ts'
import { aConversation, type Conversation } from '../support/a-conversation.ts'
import { ATTACKER, askAll, heard, lineOf, type Request, Siege, settle } from './a-siege.ts'

const HOME = `/local/domain/${ATTACKER}`

let siege: Siege
let talk: Conversation | undefined
beforeAll(async () => {
  siege = await Siege.begin()
})
afterEach(() => {
  talk?.end()
  talk = undefined
})
afterAll(() => siege.stop())

test('XSA-38: what comes with impossible indices is not even looked at', async () => {
  await siege.endures(async (attacker) => {
    const write = encode(XS_WRITE, 1, 0, Buffer.from('data/x\0evil'))
    attacker.ring.put(write)
    attacker.kernel.claim(write.length + 1024)
    await settle()
    expect(attacker.ring.errorWord).toBe(2)
    expect(await siege.tool.read(`${HOME}/data/x`)).toBeUndefined()
  })
})

test('XSA-38: a length beyond the longest there is ends the ring before its payload is read', async () => {
  await siege.endures(async (attacker) => {
    const write = encode(XS_WRITE, 1, 0, Buffer.from('data/x\0evil'))
    write.writeUInt32LE(0xffff_ffff, 12)
    attacker.ring.send(write)
    await settle()
    expect(attacker.ring.errorWord).toBe(3)
    expect(await siege.tool.read(`${HOME}/data/x`)).toBeUndefined()
  })
})

test('XSA-72: no reply is longer than a client can take', async () => {
  await siege.endures(async (attacker) => {
    for (let i = 0; i < 700; i++) await siege.tool.mkdir(`${HOME}/wide/child-${i}`)
    const [whole, part = ''] = await askAll(attacker, [
      [XS_DIRECTORY, 'wide|'],
      [XS_DIRECTORY_PART, 'wide|0|'],
    ])
    expect(whole).toBe('ERROR E2BIG|')
    expect(part.slice('DIRECTORY_PART '.length).length).toBeLessThanOrEqual(4096)
    await expect(siege.tool.directory(`${HOME}/wide`)).resolves.toHaveLength(700)
  })
})

test('XSA-323: the limit of a path is that of the whole, however it is spelled', async () => {
  await siege.endures(async (attacker) => {
    const name = (length: number): string => 'n'.repeat(length)
    expect(
      await askAll(attacker, [
        [XS_READ, `${name(2048)}|`],
        [XS_READ, `${HOME}/${name(2048)}|`],
        [XS_READ, `${name(2049)}|`],
        [XS_READ, `${HOME}/${name(2049)}|`],
        [XS_WATCH, `${name(2049)}|t|`],
        [XS_READ, `/${name(2048)}|`],
      ]),
    ).toEqual([
      'ERROR ENOENT|',
      'ERROR ENOENT|',
      'ERROR EINVAL|',
      'ERROR EINVAL|',
      'ERROR EINVAL|',
      'ERROR EINVAL|',
    ])
  })
})

test('XSA-324: an event that would be too long is not sent, and those that fit are', async () => {
  await siege.endures(async (attacker) => {
    const { kernel } = attacker
    const token = 't'.repeat(4040)
    expect(await heard(kernel, XS_WATCH, `${HOME}|${token}|`, 2)).toEqual([
      'WATCH OK|',
      `EVENT ${HOME}|${token}|`,
    ])
    await siege.tool.write(`${HOME}/${'long-name-'.repeat(20)}`, 'x')
    await siege.tool.write(`${HOME}/short`, 'x')
    expect(await heard(kernel, XS_READ, 'short|', 2)).toEqual([
      `EVENT ${HOME}/short|${token}|`,
      'READ x',
    ])
  })
})

test('XSA-325: a guest whose ring is broken stays known, and its end is told', async () => {
  await siege.endures(async (attacker) => {
    const told: string[] = []
    const watch = await siege.tool.watch('@releaseDomain', (path) => told.push(path))
    while (told.length === 0) await settle(1)
    attacker.kernel.claim(5000)
    await settle()
    expect(attacker.ring.errorWord).toBe(2)
    expect(await siege.tool.isIntroduced(ATTACKER)).toBe(true)
    expect(await siege.tool.read(`${HOME}`)).toBe('')
    expect(told).toHaveLength(1)
    await siege.dies(attacker)
    while (told.length === 1) await settle(1)
    expect(await siege.tool.read(`${HOME}`)).toBeUndefined()
    await watch.unwatch()
  })
})

test('XSA-330: watches that were reset are gone everywhere', async () => {
  await siege.endures(async (attacker) => {
    const watched = ['data', 'data/x', '/', '@releaseDomain', `none${'/n'.repeat(30)}`]
    const watching = watched.map((path): Request => [XS_WATCH, `${path}|t|`])
    const { watches, nodes } = await siege.kept()
    for (let round = 0; round < 3; round++) {
      const answers = await askAll(attacker, [...watching, [XS_RESET_WATCHES, '|']])
      expect(new Set(answers)).toEqual(new Set(['WATCH OK|', 'RESET_WATCHES OK|']))
      expect(await siege.kept()).toMatchObject({ watches, nodes })
    }
    await siege.tool.write(`${HOME}/data/x`, '1')
    await siege.tool.rm(`${HOME}/data`)
    expect(await heard(attacker.kernel, XS_READ, 'data|', 1)).toEqual(['ERROR ENOENT|'])
    expect(await askAll(attacker, [[XS_UNWATCH, 'data|t|']])).toEqual(['ERROR ENOENT|'])
  })
})

test('XSA-418: a tree as deep as a path is walked by whatever walks trees', async () => {
  await siege.endures(async (attacker) => {
    const deep = `d${'/n'.repeat(997)}`
    const answers = await askAll(attacker, [
      [XS_WATCH, `${HOME}|t|`],
      [XS_MKDIR, `${deep}|`],
      [XS_SET_PERMS, `${deep}|n7|r1|`],
      [XS_READ, `${deep}/none${'/n'.repeat(20)}|`],
      [XS_TRANSACTION_START, '|'],
      [XS_RM, 'd|', 1],
      [XS_TRANSACTION_END, 'T|', 1],
      [XS_MKDIR, `${deep}|`],
      [XS_RM, 'd|'],
      [XS_MKDIR, `${deep}|`],
    ])
    expect(answers.filter((answer) => answer.startsWith('ERROR'))).toEqual(['ERROR ENOENT|'])
    // And the last one goes with its owner.
  })
})

test('XSA-420: numbers are of 32 bits without a sign, and beyond them they are no numbers', async () => {
  await siege.endures(async (attacker) => {
    const { kernel } = attacker
    for (const id of [0x7fff_ffff, 0x8000_0000, 0xffff_ffff]) {
      await kernel.put(encode(XS_READ, id, id, Buffer.from('data\0')))
      const reply = await kernel.next()
      expect(lineOf(reply)).toBe('ERROR ENOENT|')
      expect([reply.reqId >>> 0, reply.txId >>> 0]).toEqual([id, id])
    }
    await askAll(attacker, [[XS_MKDIR, 'p/child|']])
    const asked: readonly (readonly [Request, RegExp])[] = [
      [[XS_DIRECTORY_PART, 'p|4294967295|'], /^(DIRECTORY_PART [0-9]+\|\||ERROR EINVAL\|)$/],
      [[XS_DIRECTORY_PART, 'p|2147483648|'], /^(DIRECTORY_PART [0-9]+\|\||ERROR EINVAL\|)$/],
      [[XS_DIRECTORY_PART, 'p|-1|'], /^(DIRECTORY_PART [0-9]+\|\||ERROR EINVAL\|)$/],
      [[XS_SET_PERMS, 'p|n4294967303|'], /^ERROR (EINVAL|ENOENT)\|$/],
      [[XS_SET_PERMS, 'p|n7|r-1|'], /^(SET_PERMS OK\||ERROR EINVAL\|)$/],
      [[XS_GET_DOMAIN_PATH, '4294967297|'], /^ERROR EINVAL\|$/],
      [[0xffff_ffff, 'p|'], /^ERROR ENOSYS\|$/],
      [[0x8000_0002, 'p|'], /^ERROR ENOSYS\|$/],
    ]
    const answers = await askAll(
      attacker,
      asked.map(([request]) => request),
    )
    for (const [index, [[type, payload], pattern]] of asked.entries()) {
      expect(answers[index], `${type} ${payload}`).toMatch(pattern)
    }
    expect(await askAll(attacker, [[XS_GET_PERMS, 'p|']])).not.toEqual(['GET_PERMS n1|'])
  })
})

test('XSA-425: a connection that ends amid a batch takes none of the others along', () => {
  talk = aConversation()
  const tool = talk.tool()
  const earlier = tool.answer('CONTROL', 'stats|').match(/^(nodes|watches) .*$/gm)
  const ending = [talk.tool(), talk.tool(), talk.tool()]
  const staying = talk.tool()
  for (const peer of [...ending, staying]) peer.ask('WATCH', '/data|t|')
  const [first, second, third] = ending as [
    (typeof ending)[0],
    (typeof ending)[0],
    (typeof ending)[0],
  ]
  talk.rings.deliver(
    staying.request('WRITE', '/data|1'),
    { connection: second.id, type: BATCH_CLOSED },
    // Numbers of connections that are gone already, and one that goes while its event is being sent.
    second.request('WRITE', '/data|2'),
    staying.request('WRITE', '/data|3'),
    { connection: first.id, type: BATCH_CLOSED },
    { connection: third.id, type: BATCH_CLOSED },
    staying.request('READ', '/data|'),
  )
  expect(staying.heard()).toEqual([
    'EVENT /data|t|',
    'WRITE OK|',
    'EVENT /data|t|',
    'WRITE OK|',
    'READ 3',
  ])
  expect(second.heard()).toEqual(['EVENT /data|t|'])
  expect(first.heard()).toEqual(['EVENT /data|t|', 'EVENT /data|t|'])
  staying.ask('RM', '/data|')
  staying.ask('RESET_WATCHES', '|')
  expect(tool.answer('CONTROL', 'stats|').match(/^(nodes|watches) .*$/gm)).toEqual(earlier)
  expect(talk.logged.filter((line) => line.includes('a defect'))).toEqual([])
})

test('XSA-481: every request is answered, whatever its path is', async () => {
  await siege.endures(async (attacker) => {
    const paths = [
      '/local/domain/',
      '/local/domain',
      '//',
      '',
      '/',
      '@',
      '@releaseDomain',
      'a//b',
      './x',
      'a b',
    ]
    const requests = paths.flatMap((path): Request[] => [
      [XS_READ, `${path}|`],
      [XS_DIRECTORY, `${path}|`],
      [XS_DIRECTORY_PART, `${path}|0|`],
      [XS_GET_PERMS, `${path}|`],
      [XS_WATCH, `${path}|t|`],
      [XS_UNWATCH, `${path}|t|`],
      [XS_WRITE, `${path}|x`],
      [XS_MKDIR, `${path}|`],
      [XS_RM, `${path}|`],
      [XS_SET_PERMS, `${path}|n7|`],
    ])
    const answers = await askAll(attacker, requests)
    expect(answers).toHaveLength(requests.length)
    expect(answers.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => 'ERROR EINVAL|'))
  })
})

test('XSA-484: RESET_WATCHES within a transaction ends it and is answered', async () => {
  await siege.endures(async (attacker) => {
    const { kernel } = attacker
    await askAll(attacker, [
      [XS_TRANSACTION_START, '|'],
      [XS_TRANSACTION_START, '|'],
      [XS_WRITE, 'data|x', 1],
      [XS_WATCH, 'data|t|'],
    ])
    await kernel.put(encode(XS_RESET_WATCHES, 5, 1, Buffer.from('\0')))
    const reply = await kernel.next()
    expect([lineOf(reply), reply.reqId, reply.txId]).toEqual(['RESET_WATCHES OK|', 5, 1])
    expect(
      await askAll(attacker, [
        [XS_READ, 'data|', 1],
        [XS_RESET_WATCHES, '|', 1],
        [XS_TRANSACTION_END, 'T|', 2],
        [XS_RESET_WATCHES, '|'],
      ]),
    ).toEqual(['ERROR ENOENT|', 'ERROR ENOENT|', 'ERROR ENOENT|', 'RESET_WATCHES OK|'])
  })
})

test('XSA-484: a ring that breaks while its guest has transactions open is cleaned up once', async () => {
  await siege.endures(async (attacker) => {
    const { transactions, accessRecords } = await siege.kept()
    await askAll(attacker, [
      [XS_TRANSACTION_START, '|'],
      [XS_WRITE, `data${'/n'.repeat(30)}|x`, 1],
      [XS_RM, 'none|', 1],
    ])
    attacker.ring.put(encode(XS_TRANSACTION_END, 1, 1, Buffer.from('T\0')))
    attacker.kernel.claim(9999)
    await settle()
    expect(attacker.ring.errorWord).toBe(2)
    expect(await siege.kept()).toMatchObject({ transactions, accessRecords })
    expect(await siege.tool.read(`${HOME}/data`)).toBeUndefined()
  })
})
