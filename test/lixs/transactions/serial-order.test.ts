import { afterEach, describe, expect, test, vi } from 'vitest'
import { AccessRecords, READ_EXISTENCE } from '../../../lixs/store/access-records.ts'
import { NodeTable } from '../../../lixs/store/node-table.ts'
import { Chance } from '../connection/isolation.ts'
import { Model, type Step } from './model.ts'
import { Player } from './player.ts'
import { findSerialOrder, type Unit } from './serial-order.ts'

const HISTORIES = 60
const REQUESTS = 120

afterEach(() => vi.restoreAllMocks())

/** Plays histories until one cannot be explained. @returns how many could be; what commits there were */
async function explain(seed: number, histories: number) {
  const player = await Player.open()
  const chance = new Chance(seed)
  let commits = 0
  let conflicts = 0
  try {
    for (let done = 0; done < histories; done++) {
      const history = await player.play(chance, REQUESTS)
      commits += history.commits
      conflicts += history.conflicts
      const verdict = findSerialOrder(history.units, history.start)
      if (verdict.kind !== 'explained') return { done, verdict, commits, conflicts }
    }
    return { done: histories, verdict: undefined, commits, conflicts }
  } finally {
    player.close()
  }
}

test('the answers to all committed transactions and single requests have a serial order', async () => {
  const { verdict, commits, conflicts } = await explain(1, HISTORIES)
  expect(verdict).toBeUndefined()
  // Both have to happen for this to say anything.
  expect(commits).toBeGreaterThan(HISTORIES * 3)
  expect(conflicts).toBeGreaterThan(HISTORIES / 2)
})

describe('a commit that does not look at one of the things that were read is found out:', () => {
  test('the value', async () => {
    vi.spyOn(NodeTable.prototype, 'valueGenerationOf').mockReturnValue(1)
    expect((await explain(2, HISTORIES)).verdict?.kind).toBe('unexplained')
  })

  test('the children', async () => {
    vi.spyOn(NodeTable.prototype, 'childrenGenerationOf').mockReturnValue(1)
    expect((await explain(3, HISTORIES)).verdict?.kind).toBe('unexplained')
  })

  test('whether it was there', async () => {
    const { flagsOf } = AccessRecords.prototype
    vi.spyOn(AccessRecords.prototype, 'flagsOf').mockImplementation(function (
      this: AccessRecords,
      id: number,
    ) {
      return flagsOf.call(this, id) & ~READ_EXISTENCE
    })
    expect((await explain(4, HISTORIES)).verdict?.kind).toBe('unexplained')
  })
})

describe('the search', () => {
  const step = (op: Step['op'], path: string, argument: string, answer: string): Step => ({
    op,
    path,
    argument,
    answer,
  })
  const unit = (askedAt: number, answeredAt: number, ...steps: Step[]): Unit => ({
    who: 0,
    askedAt,
    answeredAt,
    steps,
  })

  test('finds an order against that of the questions', () => {
    const write = unit(1, 4, step('write', '/a', '1', 'OK'))
    const read = unit(2, 3, step('read', '/a', '', 'ENOENT'))
    const verdict = findSerialOrder([write, read], new Model())
    expect(verdict).toEqual({ kind: 'explained', order: [read, write] })
  })

  test('lets nothing come before what was answered before it was asked', () => {
    const write = unit(1, 2, step('write', '/a', '1', 'OK'))
    const read = unit(3, 4, step('read', '/a', '', 'ENOENT'))
    expect(findSerialOrder([read, write], new Model()).kind).toBe('unexplained')
  })

  test('finds a lost update', () => {
    const make = unit(1, 2, step('write', '/a', '0', 'OK'))
    const add = (askedAt: number) =>
      unit(askedAt, askedAt + 10, step('read', '/a', '', '0'), step('write', '/a', '1', 'OK'))
    expect(findSerialOrder([make, add(3), add(4)], new Model()).kind).toBe('unexplained')
    expect(findSerialOrder([make, add(3)], new Model()).kind).toBe('explained')
  })
})
