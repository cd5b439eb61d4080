/** Past advisories by which a guest saw or got what was not its own; reference: Xen's security advisories. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  XS_CONTROL,
  XS_DIRECTORY,
  XS_GET_PERMS,
  XS_INTRODUCE,
  XS_IS_DOMAIN_INTRODUCED,
  XS_MKDIR,
  XS_READ,
  XS_RELEASE,
  XS_RESUME,
  XS_RM,
  XS_SET_PERMS,
  XS_SET_TARGET,
  XS_TRANSACTION_START,
  XS_WATCH,
  XS_WRITE,
} from '../../lixs/wire/ops.ts'
import { ATTACKER, askAll, heard, type Request, Siege } from './a-siege.ts'

const HOME = `/local/domain/${ATTACKER}`

let siege: Siege
beforeAll(async () => {
  siege = await Siege.begin()
})
afterAll(() => siege.stop())

test('XSA-115: a watch tells nothing of nodes that its guest may not read', async () => {
  await siege.endures(async (attacker) => {
    const { kernel } = attacker
    await siege.tool.write('/secret/of/dom0', '1')
    const paths = ['/', '/secret', '/secret/of/dom0', '/local/domain/1', '/tool']
    await askAll(
      attacker,
      paths.map((path): Request => [XS_WATCH, `${path}|t|`]),
    )
    await siege.tool.write('/secret/of/dom0', '2')
    await siege.tool.mkdir('/secret/new')
    await siege.tool.setPerms('/secret/new', ['n0', 'r1'])
    await siege.victimIsServed()
    await siege.tool.rm('/secret')
    expect(await heard(kernel, XS_READ, 'none|', 1)).toEqual(['ERROR ENOENT|'])
  })
})

test('XSA-115: the loss of the right to read is told once, and nothing after it', async () => {
  await siege.endures(async (attacker) => {
    const { kernel } = attacker
    await siege.tool.write('/shared', '1')
    await siege.tool.setPerms('/shared', ['n0', `r${ATTACKER}`])
    await heard(kernel, XS_WATCH, '/shared|t|', 2)
    await siege.tool.setPerms('/shared', ['n0'])
    await siege.tool.write('/shared', '2')
    expect(await heard(kernel, XS_READ, 'none|', 2)).toEqual(['EVENT /shared|t|', 'ERROR ENOENT|'])
    await siege.tool.rm('/shared')
  })
})

test('XSA-115: that domains come and go is not told to guests that were not allowed to know', async () => {
  await siege.endures(async (attacker) => {
    await siege.tool.setPerms('@releaseDomain', ['n0'])
    await askAll(attacker, [
      [XS_WATCH, '@introduceDomain|t|'],
      [XS_WATCH, '@releaseDomain|t|'],
    ])
    await siege.isReleased(await siege.attacker(9))
    expect(await heard(attacker.kernel, XS_READ, 'none|', 1)).toEqual(['ERROR ENOENT|'])
  })
})

test('XSA-115: what only a toolstack may ask is refused, also within a transaction', async () => {
  await siege.endures(async (attacker) => {
    await askAll(attacker, [[XS_TRANSACTION_START, '|']])
    for (const txId of [0, 1]) {
      const asked: readonly Request[] = [
        [XS_IS_DOMAIN_INTRODUCED, '1|', txId],
        [XS_INTRODUCE, '7|1|1|', txId],
        [XS_RELEASE, '1|', txId],
        [XS_RESUME, '1|', txId],
        [XS_SET_TARGET, '7|1|', txId],
        [XS_CONTROL, 'check|', txId],
      ]
      expect(await askAll(attacker, asked)).toEqual(asked.map(() => 'ERROR EACCES|'))
    }
    // Nor does a WATCH look at its transaction, which need not exist.
    expect(await askAll(attacker, [[XS_WATCH, 'data|t|', 99]])).toEqual(['WATCH OK|'])
  })
})

test('XSA-115: a child can be removed from a directory that is too large for its owner', async () => {
  await siege.endures(async (attacker) => {
    for (let i = 0; i < 400; i++) await siege.tool.mkdir(`${HOME}/wide/long-name-of-a-child-${i}`)
    expect(await askAll(attacker, [[XS_MKDIR, 'wide/one-more|']])).toEqual(['ERROR ENOSPC|'])
    expect(await askAll(attacker, [[XS_RM, 'wide/long-name-of-a-child-7|']])).toEqual(['RM OK|'])
  })
})

test('XSA-322: a domain with a number that was used before has no right of its predecessor', async () => {
  await siege.tool.write('/shared', 'secret')
  const first = await siege.attacker()
  await siege.tool.setPerms('/shared', ['n0', `b${ATTACKER}`])
  expect(await askAll(first, [[XS_READ, '/shared|']])).toEqual(['READ secret'])
  await siege.dies(first)
  await siege.endures(async (attacker) => {
    expect(
      await askAll(attacker, [
        [XS_READ, '/shared|'],
        [XS_WRITE, '/shared|mine'],
      ]),
    ).toEqual(['ERROR EACCES|', 'ERROR EACCES|'])
    // The very list, written anew, is meant for the one that is there now.
    await siege.tool.setPerms('/shared', ['n0', `b${ATTACKER}`])
    expect(await askAll(attacker, [[XS_READ, '/shared|']])).toEqual(['READ secret'])
  })
  await siege.tool.rm('/shared')
})

test('XSA-352: who may write a node may not give it away', async () => {
  await siege.endures(async (attacker) => {
    await siege.tool.write('/shared', '1')
    await siege.tool.setPerms('/shared', ['n0', `b${ATTACKER}`])
    expect(
      await askAll(attacker, [
        [XS_SET_PERMS, `/shared|n${ATTACKER}|`],
        [XS_SET_PERMS, '/shared|b0|'],
        [XS_WRITE, 'own|1'],
        [XS_SET_PERMS, 'own|n1|'],
        [XS_SET_PERMS, 'own|n0|'],
        [XS_GET_PERMS, '/shared|'],
      ]),
    ).toEqual([
      'ERROR EACCES|',
      'ERROR EACCES|',
      'WRITE OK|',
      'ERROR EPERM|',
      'ERROR EPERM|',
      `GET_PERMS n0|b${ATTACKER}|`,
    ])
    await siege.tool.rm('/shared')
  })
})

test('XSA-353: the root is a node like others', async () => {
  const { tool } = siege
  await siege.endures(async (attacker) => {
    const root = await tool.getPerms('/')
    expect(
      await askAll(attacker, [
        [XS_WRITE, '/|mine'],
        [XS_MKDIR, '/mine|'],
        [XS_RM, '/|'],
        [XS_SET_PERMS, `/|n${ATTACKER}|`],
        [XS_SET_PERMS, `/|b0|`],
        [XS_READ, '/|'],
        [XS_DIRECTORY, '/|'],
        [XS_GET_PERMS, '/|'],
      ]),
    ).toEqual(Array.from({ length: 8 }, () => 'ERROR EACCES|'))
    expect(await tool.getPerms('/')).toEqual(root)
    expect(await tool.read('/')).toBe('')
  })
})

test('XSA-417: a permission for a domain that does not exist never becomes one for it', async () => {
  const { tool } = siege
  await tool.write('/shared', 'secret')
  await tool.setPerms('/shared', ['n0', `b${ATTACKER}`])
  await siege.endures(async (attacker) => {
    expect(await askAll(attacker, [[XS_READ, '/shared|']])).toEqual(['ERROR EACCES|'])
  })
  await tool.rm('/shared')
})

test('XSA-419: nodes are charged to who makes them, wherever that is, and go with it', async () => {
  const { tool } = siege
  await siege.endures(async (attacker) => {
    const accomplice = await siege.attacker(8)
    await askAll(accomplice, [
      [XS_MKDIR, 'open|'],
      [XS_SET_PERMS, `open|n8|b${ATTACKER}|`],
    ])
    const made = await askAll(
      attacker,
      Array.from(
        { length: 1100 },
        (_, i): Request => [XS_WRITE, `/local/domain/8/open/${i % 40}/${i}|x`],
      ),
    )
    expect(made.at(-1)).toBe('ERROR ENOSPC|')
    expect((await siege.usage(ATTACKER)).get('nodes')).toBe(1000)
    expect((await siege.usage(8)).get('nodes')).toBe(2)
    expect(await askAll(attacker, [[XS_SET_PERMS, '/local/domain/8/open/1/1|n8|']])).toEqual([
      'ERROR EPERM|',
    ])
    await siege.dies(attacker)
    expect(await tool.directory('/local/domain/8/open')).toEqual([])
    await siege.isReleased(accomplice)
    // `endures` lets it die once more, of which there is nothing to see.
  })
})
