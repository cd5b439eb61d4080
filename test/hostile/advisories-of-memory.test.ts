/** Past advisories by which a guest made the daemon keep too much, or count it wrongly. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DEFAULT_QUOTAS } from '../../lixs/store/quota.ts'
import {
  XS_DIRECTORY,
  XS_MKDIR,
  XS_READ,
  XS_RM,
  XS_SET_PERMS,
  XS_TRANSACTION_END,
  XS_TRANSACTION_START,
  XS_WATCH,
  XS_WRITE,
} from '../../lixs/wire/ops.ts'
import { encode } from '../native/guest-ring.ts'
import { ATTACKER, askAll, type Request, Siege, settle } from './a-siege.ts'

const HOME = `/local/domain/${ATTACKER}`
const { nodes, watches, transactions, memoryHard } = DEFAULT_QUOTAS

let siege: Siege
beforeAll(async () => {
  siege = await Siege.begin()
})
afterAll(() => siege.stop())

const times = (count: number, request: (index: number) => Request): Request[] =>
  Array.from({ length: count }, (_, index) => request(index))

test('XSA-326: all that can be hoarded, hoarded at once, is bounded and counted', async () => {
  await siege.endures(async (attacker) => {
    await askAll(
      attacker,
      times(2 * watches, (i) => [XS_WATCH, `${HOME}|${'t'.repeat(500)}${i}|`]),
    )
    await askAll(
      attacker,
      times(2 * transactions, () => [XS_TRANSACTION_START, '|']),
    )
    for (let tx = 1; tx <= transactions; tx++) {
      await askAll(
        attacker,
        times(30, (i) => [XS_WRITE, `tx/${i}|${'x'.repeat(1500)}`, tx]),
      )
    }
    await askAll(
      attacker,
      times(150, (i) => [XS_WRITE, `data/${i % 9}/${i}|${'x'.repeat(1900)}`]),
    )
    for (let i = 0; i < 20; i++) await siege.tool.write(`${HOME}/event/${i}`, 'x')
    const read = encode(XS_READ, 1, 0, Buffer.from('data/1/1\0'))
    for (let i = 0; i < 200; i++) {
      attacker.ring.put(read)
      attacker.kernel.end.kick()
      await settle(1)
    }
    const usage = await siege.usage(ATTACKER)
    expect(usage.get('memory')).toBeGreaterThan(memoryHard / 4)
    expect(usage.get('memory')).toBeLessThanOrEqual(memoryHard)
    expect(usage.get('watches')).toBeLessThanOrEqual(watches)
    expect(usage.get('transactions')).toBe(transactions)
    expect(usage.get('nodes')).toBeLessThanOrEqual(nodes)
    expect(siege.queued(ATTACKER).bytes).toBeGreaterThan(0)
    expect(siege.queued(ATTACKER).bytes).toBeLessThanOrEqual(256 * 1024)
  })
})

test('XSA-326: nodes, watches and transactions share one quota of memory, and give it back', async () => {
  await siege.endures(async (attacker) => {
    const replies = await askAll(attacker, [
      ...times(watches, (i): Request => [XS_WATCH, `/nothing|${'t'.repeat(3900)}${i}|`]),
      ...times(transactions, (): Request => [XS_TRANSACTION_START, '|']),
      ...times(
        60 * transactions,
        (i): Request => [XS_WRITE, `tx/${i}|${'x'.repeat(1900)}`, 1 + (i % transactions)],
      ),
      ...times(900, (i): Request => [XS_WRITE, `data/${i % 9}/${i}|${'x'.repeat(1900)}`]),
    ])
    expect(new Set(replies.filter((line) => line.startsWith('ERROR')))).toEqual(
      new Set(['ERROR ENOMEM|']),
    )
    const memory = (await siege.usage(ATTACKER)).get('memory') ?? 0
    expect(memory).toBeGreaterThan(memoryHard - 4096)
    expect(memory).toBeLessThan(memoryHard)
    expect(
      await askAll(attacker, [
        [XS_RM, 'data/1|'],
        [XS_WRITE, `again|${'x'.repeat(1900)}`],
      ]),
    ).toEqual(['RM OK|', 'WRITE OK|'])
  })
})

test('XSA-414: a creation that fails half-way is undone, and counts for nothing', async () => {
  await siege.endures(async (attacker) => {
    await askAll(attacker, [[XS_WRITE, `most${'/n'.repeat(nodes - 10)}|x`]])
    const [usage, kept] = [await siege.usage(ATTACKER), await siege.kept()]
    const refused = await askAll(
      attacker,
      times(300, (i) => [
        i % 2 === 0 ? XS_WRITE : XS_MKDIR,
        `a/b/c/d/e/f/g/h/i/j/k/l/${i}|${i % 2 === 0 ? 'x' : ''}`,
      ]),
    )
    expect(new Set(refused)).toEqual(new Set(['ERROR ENOSPC|']))
    const large = await askAll(
      attacker,
      times(100, (i) => [XS_WRITE, `b/${i}|${'x'.repeat(3000)}`]),
    )
    expect(new Set(large)).toEqual(new Set(['ERROR ENOSPC|']))
    expect(await siege.usage(ATTACKER)).toEqual(usage)
    expect(await siege.kept()).toEqual(kept)
    expect(await askAll(attacker, [[XS_DIRECTORY, `${HOME}|`]])).toEqual(['DIRECTORY most|'])
  })
})

test('XSA-415: a creation that fails in a transaction fails it, and leaves no orphan', async () => {
  await siege.endures(async (attacker) => {
    const [usage, kept] = [await siege.usage(ATTACKER), await siege.kept()]
    for (let tx = 1; tx <= 20; tx++) {
      await askAll(attacker, [[XS_TRANSACTION_START, '|']])
      const answers = await askAll(attacker, [
        [XS_WRITE, 'made/first|x', tx],
        ...times(30, (i): Request => [XS_MKDIR, `wide/${'n'.repeat(80)}${i}|`, tx]),
        [XS_TRANSACTION_END, 'T|', tx],
      ])
      expect(answers[0]).toBe('WRITE OK|')
      expect(answers).toContain('ERROR ENOSPC|')
      expect(answers.at(-1)).toBe('ERROR ENOMEM|')
    }
    expect(await askAll(attacker, [[XS_READ, 'made/first|']])).toEqual(['ERROR ENOENT|'])
    expect(await siege.usage(ATTACKER)).toEqual(usage)
    expect(await siege.kept()).toEqual(kept)
  })
})

test('XSA-416: a request leaves nothing behind but what it was asked to', async () => {
  await siege.endures(async (attacker) => {
    await askAll(attacker, [
      [XS_WRITE, `data|${'x'.repeat(1900)}`],
      [XS_MKDIR, 'dir|'],
    ])
    const kept = await siege.kept()
    const path = `none${'/n'.repeat(500)}`
    for (let round = 0; round < 30; round++) {
      await askAll(attacker, [
        [XS_READ, 'data|'],
        [XS_READ, `${path}|`],
        [XS_DIRECTORY, `${path}|`],
        [XS_WRITE, `data|${'x'.repeat(1900)}`],
        [XS_WRITE, `data|${'x'.repeat(4000)}`],
        [XS_WRITE, `/tool/${path}|${'x'.repeat(1000)}`],
        [XS_SET_PERMS, `data|${'n7|'.repeat(900)}`],
        [XS_SET_PERMS, 'data|x|'],
        [XS_WATCH, `${path}`],
        [XS_RM, `${path}|`],
        [XS_TRANSACTION_START, '|'],
        [XS_WRITE, `${path}|x`, round + 1],
        [XS_TRANSACTION_END, 'F|', round + 1],
      ])
    }
    expect(await siege.kept()).toEqual(kept)
  })
})

test('XSA-421: nodes made and removed in transactions are counted as they are in the end', async () => {
  await siege.endures(async (attacker) => {
    const start = (await siege.usage(ATTACKER)).get('nodes') ?? 0
    const rounds: readonly (readonly Request[])[] = [
      [[XS_MKDIR, 'a/b/c|', 1]],
      [
        [XS_RM, 'a|', 2],
        [XS_MKDIR, 'a/x|', 2],
      ],
      [
        [XS_MKDIR, 'd/e/f|', 3],
        [XS_RM, 'd|', 3],
      ],
      [
        [XS_RM, 'a/x|', 4],
        [XS_WRITE, 'a/x|again', 4],
        [XS_RM, 'a/x|', 4],
        [XS_WRITE, 'a/y|other', 4],
      ],
      [[XS_RM, 'a|', 5]],
    ]
    const expected = [3, 2, 2, 2, 0]
    for (const [index, requests] of rounds.entries()) {
      const tx = index + 1
      const answers = await askAll(attacker, [
        [XS_TRANSACTION_START, '|'],
        ...requests,
        [XS_TRANSACTION_END, 'T|', tx],
      ])
      expect(answers.at(-1)).toBe('TRANSACTION_END OK|')
      expect((await siege.usage(ATTACKER)).get('nodes')).toBe(start + (expected[index] ?? 0))
    }
  })
})

test('XSA-421: one that is removed while a transaction holds it is counted once', async () => {
  await siege.endures(async (attacker) => {
    const start = (await siege.usage(ATTACKER)).get('nodes') ?? 0
    const answers = await askAll(attacker, [
      [XS_MKDIR, 'a/b|'],
      [XS_TRANSACTION_START, '|'],
      [XS_RM, 'a|', 1],
      [XS_RM, 'a|'],
      [XS_TRANSACTION_END, 'T|', 1],
    ])
    expect(answers.at(-1)).toMatch(/^(TRANSACTION_END OK|ERROR EAGAIN)\|$/)
    expect((await siege.usage(ATTACKER)).get('nodes')).toBe(start)
  })
})

test('XSA-483: what a domain has used is not counted against the next one with its number', async () => {
  const fill = async (): Promise<readonly string[]> => {
    let usage: readonly string[] = []
    await siege.endures(async (attacker) => {
      expect((await siege.usage(ATTACKER)).get('watches')).toBe(0)
      expect((await siege.usage(ATTACKER)).get('transactions')).toBe(0)
      const answers = await askAll(attacker, [
        ...times(watches, (i): Request => [XS_WATCH, `w|${i}|`]),
        ...times(transactions, (): Request => [XS_TRANSACTION_START, '|']),
        [XS_MKDIR, `n${'/n'.repeat(nodes - 2)}|`],
      ])
      expect(answers.filter((answer) => answer.startsWith('ERROR'))).toEqual([])
      usage = [...(await siege.usage(ATTACKER))].map(([name, used]) => `${name} ${used}`)
    })
    return usage
  }
  const first = await fill()
  expect(await fill()).toEqual(first)
  expect(await fill()).toEqual(first)
})
