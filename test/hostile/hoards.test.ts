/** Guests that keep all they can get: there is a limit to each thing, and their death gives it back. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DEFAULT_QUOTAS } from '../../lixs/store/quota.ts'
import {
  XS_DIRECTORY,
  XS_READ,
  XS_SET_PERMS,
  XS_TRANSACTION_END,
  XS_TRANSACTION_START,
  XS_WATCH,
  XS_WRITE,
} from '../../lixs/wire/ops.ts'
import { ATTACKER, askAll, heard, type Kept, type Request, Siege } from './a-siege.ts'

const { watches, transactions, transactionNodes, nodes, memoryHard } = DEFAULT_QUOTAS

let siege: Siege
let before: Kept
beforeAll(async () => {
  siege = await Siege.begin()
  await siege.isReleased(await siege.attacker())
  before = await siege.kept()
})
afterAll(() => siege.stop())

const times = (count: number, request: (index: number) => Request): Request[] =>
  Array.from({ length: count }, (_, index) => request(index))

test('watches end at their quota, and another guest still gets one', async () => {
  const attacker = await siege.attacker()
  const answers = await askAll(
    attacker,
    times(2 * watches, (i) => [XS_WATCH, `data/${i}|${'t'.repeat(1000)}${i}|`]),
  )
  expect(answers.filter((answer) => answer === 'WATCH OK|')).toHaveLength(watches)
  expect(new Set(answers.slice(watches))).toEqual(new Set(['ERROR E2BIG|']))
  expect((await siege.kept()).watches).toBe(before.watches + watches)
  const other = await siege.attacker(8)
  expect(await heard(other.kernel, XS_WATCH, 'data|t|', 2)).toEqual(['WATCH OK|', 'EVENT data|t|'])
  await siege.isReleased(other)
  await siege.dies(attacker)
  await siege.isOver(before)
})

test('watches on what does not exist keep a bounded number of places for it', async () => {
  const attacker = await siege.attacker()
  await askAll(
    attacker,
    times(watches, (i) => [XS_WATCH, `d${'/n'.repeat(1000)}/${i}|t|`]),
  )
  await askAll(
    attacker,
    times(watches, (i) => [XS_WATCH, `d${i}${'/n'.repeat(1000)}|t|`]),
  )
  const held = (await siege.kept()).nodes - before.nodes
  expect(held).toBeGreaterThan(1000)
  expect(held).toBeLessThanOrEqual(5 * nodes + 1)
  await siege.isReleased(attacker)
  await siege.isOver(before)
})

test('transactions end at their quota, and each ends with its guest', async () => {
  const attacker = await siege.attacker()
  const answers = await askAll(
    attacker,
    times(3 * transactions, () => [XS_TRANSACTION_START, '|']),
  )
  expect(answers.filter((answer) => answer.startsWith('TRANSACTION_START '))).toHaveLength(
    transactions,
  )
  expect(new Set(answers.slice(transactions))).toEqual(new Set(['ERROR ENOSPC|']))
  await siege.dies(attacker)
  await siege.isOver(before)
})

test('what open transactions have read and written is bounded, charged and given back', async () => {
  const attacker = await siege.attacker()
  await askAll(
    attacker,
    times(transactions, () => [XS_TRANSACTION_START, '|']),
  )
  for (let tx = 1; tx <= transactions; tx++) {
    await askAll(
      attacker,
      times(100, (i) => [XS_READ, `none/${i}|`, tx]),
    )
    await askAll(
      attacker,
      times(90, (i) => [XS_WRITE, `data/${i}|${'x'.repeat(1900)}`, tx]),
    )
  }
  const { accessRecords } = await siege.kept()
  expect(accessRecords).toBeGreaterThan(300)
  expect(accessRecords).toBeLessThanOrEqual(transactions * transactionNodes)
  const used = (await siege.usage(ATTACKER)).get('memory') ?? 0
  expect(used).toBeGreaterThan(memoryHard / 2)
  expect(used).toBeLessThanOrEqual(memoryHard)
  await siege.victimIsServed()
  await siege.dies(attacker)
  await siege.isOver(before)
})

test('a transaction over its quota of nodes fails, and cannot be committed', async () => {
  const attacker = await siege.attacker()
  await askAll(attacker, [[XS_TRANSACTION_START, '|']])
  const answers = await askAll(
    attacker,
    times(transactionNodes + 50, (i) => [XS_DIRECTORY, `/local/domain/${ATTACKER}/${i}|`, 1]),
  )
  expect(answers.at(-1)).toBe('ERROR ENOSPC|')
  expect(await askAll(attacker, [[XS_TRANSACTION_END, 'T|', 1]])).toEqual(['ERROR ENOMEM|'])
  await siege.isReleased(attacker)
  await siege.isOver(before)
})

test('nodes, values and permission lists end at the quota of nodes or of memory', async () => {
  const attacker = await siege.attacker()
  // A node can hold only so many names, so the children are spread.
  const path = (i: number): string => `data/${i % 30}/${i}`
  const answers = await askAll(
    attacker,
    times(2 * nodes, (i) => [XS_WRITE, `${path(i)}|${'x'.repeat(1900)}`]),
  )
  const made = answers.filter((answer) => answer === 'WRITE OK|').length
  expect(answers.at(-1)).toMatch(/^ERROR (ENOSPC|ENOMEM)\|$/)
  await askAll(
    attacker,
    times(made, (i) => [XS_SET_PERMS, `${path(i)}|n7|r${i + 10}|`]),
  )
  const usage = await siege.usage(ATTACKER)
  expect(usage.get('nodes')).toBeGreaterThan(nodes / 2)
  expect(usage.get('nodes')).toBeLessThanOrEqual(nodes)
  expect(usage.get('memory')).toBeLessThanOrEqual(memoryHard)
  expect((await siege.kept()).permLists).toBeLessThanOrEqual(before.permLists + nodes)
  await siege.victimIsServed()
  await siege.dies(attacker)
  await siege.isOver(before)
})

test('who only looks makes nothing, however many names it asks for', async () => {
  const attacker = await siege.attacker()
  const kept = await siege.kept()
  await askAll(
    attacker,
    times(2000, (i) => [i % 2 === 0 ? XS_READ : XS_DIRECTORY, `none${i}/${'n/'.repeat(100)}${i}|`]),
  )
  expect(await siege.kept()).toEqual(kept)
  await siege.isReleased(attacker)
  await siege.isOver(before)
})
