/** Trees as deep, as wide and as heavy as a guest can make them, and requests that go through all of it. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DEFAULT_QUOTAS } from '../../lixs/store/quota.ts'
import {
  XS_DIRECTORY,
  XS_DIRECTORY_PART,
  XS_GET_PERMS,
  XS_MKDIR,
  XS_READ,
  XS_RM,
  XS_SET_PERMS,
  XS_TRANSACTION_END,
  XS_TRANSACTION_START,
  XS_WATCH,
  XS_WRITE,
} from '../../lixs/wire/ops.ts'
import { ATTACKER, askAll, heard, type Kept, type Request, Siege } from './a-siege.ts'

const { nodes, pathMax, permissions } = DEFAULT_QUOTAS
const HOME = `/local/domain/${ATTACKER}`
/** With the home and `d` itself, as many nodes as a domain may own. */
const DEEPEST = `d${'/n'.repeat(nodes - 2)}`

let siege: Siege
let before: Kept
beforeAll(async () => {
  siege = await Siege.begin()
  await siege.isReleased(await siege.attacker())
  before = await siege.kept()
})
afterAll(() => siege.stop())

test('a path of a thousand levels is made, read, listed and removed with all that is in it', async () => {
  const attacker = await siege.attacker()
  expect(
    await askAll(attacker, [
      [XS_WRITE, `${DEEPEST}|boom`],
      [XS_READ, `${DEEPEST}|`],
      [XS_DIRECTORY, `${DEEPEST.slice(0, -2)}|`],
      [XS_SET_PERMS, `${DEEPEST}|n7|r1|`],
      [XS_GET_PERMS, `${DEEPEST}|`],
      [XS_WRITE, 'one-too-many|'],
      [XS_RM, 'd|'],
      [XS_READ, `${DEEPEST}|`],
    ]),
  ).toEqual([
    'WRITE OK|',
    'READ boom',
    'DIRECTORY n|',
    'SET_PERMS OK|',
    'GET_PERMS n7|r1|',
    'ERROR ENOSPC|',
    'RM OK|',
    'ERROR ENOENT|',
  ])
  await siege.isReleased(attacker)
  await siege.isOver(before)
})

test('a thousand levels go at once with their guest', async () => {
  const attacker = await siege.attacker()
  await askAll(attacker, [[XS_WRITE, `${DEEPEST}|boom`]])
  expect((await siege.usage(ATTACKER)).get('nodes')).toBe(nodes)
  await siege.dies(attacker)
  await siege.isOver(before)
})

test('a thousand levels are removed in a transaction', async () => {
  const attacker = await siege.attacker()
  const answers = await askAll(attacker, [
    [XS_MKDIR, `${DEEPEST}|`],
    [XS_TRANSACTION_START, '|'],
    [XS_RM, 'd|', 1],
    [XS_READ, `${DEEPEST}|`, 1],
    [XS_READ, `${DEEPEST}|`],
    [XS_TRANSACTION_END, 'T|', 1],
    [XS_DIRECTORY, `${HOME}|`],
  ])
  expect(answers).toEqual([
    'MKDIR OK|',
    'TRANSACTION_START 1|',
    'RM OK|',
    'ERROR ENOENT|',
    'READ',
    'TRANSACTION_END OK|',
    'DIRECTORY',
  ])
  await siege.isReleased(attacker)
  await siege.isOver(before)
})

test('a hundred levels are made in a transaction; more than it may remember fail it', async () => {
  const attacker = await siege.attacker()
  const deep = `d${'/n'.repeat(100)}`
  const answers = await askAll(attacker, [
    [XS_TRANSACTION_START, '|'],
    [XS_WRITE, `${deep}|boom`, 1],
    [XS_TRANSACTION_END, 'T|', 1],
    [XS_READ, `${deep}|`],
    [XS_RM, 'd|'],
    [XS_TRANSACTION_START, '|'],
    [XS_WRITE, `${DEEPEST}/n/n|boom`, 2],
    [XS_TRANSACTION_END, 'T|', 2],
    [XS_DIRECTORY, `${HOME}|`],
  ])
  expect(answers.slice(0, 6)).toEqual([
    'TRANSACTION_START 1|',
    'WRITE OK|',
    'TRANSACTION_END OK|',
    'READ boom',
    'RM OK|',
    'TRANSACTION_START 2|',
  ])
  expect(answers[6]).toMatch(/^ERROR (ENOSPC|ENOMEM)\|$/)
  expect(answers.at(-1)).toBe('DIRECTORY')
  await siege.isReleased(attacker)
  await siege.isOver(before)
})

test('watches at every level of a thousand are told of its removal, each once', async () => {
  const attacker = await siege.attacker()
  const { kernel } = attacker
  await askAll(attacker, [[XS_MKDIR, `${DEEPEST}|`]])
  const watched = Array.from({ length: 50 }, (_, i) => `d${'/n'.repeat(i * 9)}`)
  await askAll(
    attacker,
    watched.map((path) => [XS_WATCH, `${path}|t|`] satisfies Request),
  )
  // The first events, of the watches themselves, may still be on their way.
  expect(await askAll(attacker, [[XS_READ, 'none|']])).toEqual(['ERROR ENOENT|'])
  const told = await heard(kernel, XS_RM, 'd|', watched.length + 1)
  expect(told).toContain('RM OK|')
  expect(told.filter((line) => line.startsWith('EVENT')).sort()).toEqual(
    watched.map((path) => `EVENT ${path}|t|`).sort(),
  )
  await siege.isReleased(attacker)
  await siege.isOver(before)
})

test('a path may be as long as it may be, and no byte longer', async () => {
  const attacker = await siege.attacker()
  const longest = `a${'/b'.repeat(pathMax)}`.slice(0, pathMax)
  const fits = longest.endsWith('/') ? `${longest.slice(0, -1)}b` : longest
  const asked = await askAll(attacker, [
    [XS_READ, `${fits}|`],
    [XS_READ, `${HOME}/${fits}|`],
    [XS_READ, `${fits}c|`],
    [XS_READ, `${HOME}/${fits}c|`],
    [XS_WRITE, `${fits}c|`],
    [XS_WATCH, `${fits}c|t|`],
    [XS_READ, `${'/n'.repeat(2047)}|`],
  ])
  expect(asked).toEqual([
    'ERROR ENOENT|',
    'ERROR ENOENT|',
    'ERROR EINVAL|',
    'ERROR EINVAL|',
    'ERROR EINVAL|',
    'ERROR EINVAL|',
    'ERROR EINVAL|',
  ])
  await siege.isReleased(attacker)
  await siege.isOver(before)
})

test('a directory takes names until it is full; then they can still be removed', async () => {
  const attacker = await siege.attacker()
  const name = (i: number): string => `${'n'.repeat(60)}${i}`
  const answers = await askAll(
    attacker,
    Array.from({ length: 100 }, (_, i): Request => [XS_MKDIR, `wide/${name(i)}|`]),
  )
  const made = answers.filter((answer) => answer === 'MKDIR OK|').length
  expect(made).toBeGreaterThan(25)
  expect(new Set(answers.slice(made))).toEqual(new Set(['ERROR ENOSPC|']))
  const list = Array.from({ length: made }, (_, i) => `${name(i)}|`).join('')
  expect(await askAll(attacker, [[XS_DIRECTORY, 'wide|']])).toEqual([`DIRECTORY ${list}`])
  const removed = await askAll(
    attacker,
    Array.from({ length: made }, (_, i): Request => [XS_RM, `wide/${name(i)}|`]),
  )
  expect(new Set(removed)).toEqual(new Set(['RM OK|']))
  await siege.isReleased(attacker)
  await siege.isOver(before)
})

test('a directory that dom0 has made wider than a message is refused whole, and given in parts', async () => {
  const attacker = await siege.attacker()
  const names = Array.from({ length: 600 }, (_, i) => `child-${String(i).padStart(4, '0')}`)
  for (const name of names) await siege.tool.mkdir(`${HOME}/wide/${name}`)
  expect(await askAll(attacker, [[XS_DIRECTORY, 'wide|']])).toEqual(['ERROR E2BIG|'])
  const [first = ''] = await askAll(attacker, [[XS_DIRECTORY_PART, 'wide|0|']])
  expect(first.length).toBeLessThanOrEqual(4096 + 'DIRECTORY_PART '.length)
  expect(first).toContain(`|${names[0]}|${names[1]}|`)
  // Its own, since dom0 made them in its home; so the quota holds it back now.
  expect(await askAll(attacker, [[XS_MKDIR, 'wide/more|']])).toEqual(['ERROR ENOSPC|'])
  expect(await askAll(attacker, [[XS_RM, 'wide|']])).toEqual(['RM OK|'])
  await siege.isReleased(attacker)
  await siege.isOver(before)
})

test('a value may be as long as a node may be, and no longer', async () => {
  const attacker = await siege.attacker()
  const answers = await askAll(attacker, [
    [XS_WRITE, `v|${'x'.repeat(2010)}`],
    [XS_WRITE, `v|${'x'.repeat(2020)}`],
    [XS_WRITE, `v|${'x'.repeat(4094)}`],
    [XS_READ, 'v|'],
  ])
  expect(answers).toEqual([
    'WRITE OK|',
    'ERROR ENOSPC|',
    'ERROR ENOSPC|',
    `READ ${'x'.repeat(2010)}`,
  ])
  await siege.isReleased(attacker)
  await siege.isOver(before)
})

test('a permission list ends at its quota, also one that fills a message', async () => {
  const attacker = await siege.attacker()
  const list = (count: number): string => `n${ATTACKER}|`.repeat(count)
  const answers = await askAll(attacker, [
    [XS_MKDIR, 'p|'],
    [XS_SET_PERMS, `p|${list(permissions)}`],
    [XS_SET_PERMS, `p|${list(permissions + 1)}`],
    [XS_SET_PERMS, `p|${list(1000)}`],
    [XS_SET_PERMS, `p|n${ATTACKER}|${'r99999999999999999999|'}`],
    [XS_GET_PERMS, 'p|'],
  ])
  expect(answers).toEqual([
    'MKDIR OK|',
    'SET_PERMS OK|',
    'ERROR ENOSPC|',
    'ERROR ENOSPC|',
    'ERROR EINVAL|',
    `GET_PERMS ${list(permissions)}`,
  ])
  await siege.isReleased(attacker)
  await siege.isOver(before)
})

test('a tool’s path of two thousand levels is made and removed as well', async () => {
  const deep = `/deep${'/n'.repeat(2000)}`
  await siege.tool.write(deep, 'boom')
  expect(await siege.tool.read(deep)).toBe('boom')
  await siege.tool.rm('/deep')
  await siege.isOver(before)
})
