import { expect, test } from 'vitest'
import { stages } from '../../../bench/peers/stages.ts'
import { CHECKS, type Check, verdicts, verdictTable } from '../../../bench/peers/targets.ts'
import { aRow, rounds } from './some-rows.ts'

const read = aRow('read', {
  floor: rounds(10, 10, 40),
  lixs: rounds(15, 16, 60),
  xenstored: rounds(20, 40, 80),
  oxenstored: rounds(30, 20, 20),
})

function heldOf(check: Check, ...more: Parameters<typeof verdicts>[0]) {
  return verdicts([read, ...more], [check]).map(({ value, isHeld }) => ({ value, isHeld }))
}

test('a ratio is the median of the rounds’ own', () => {
  expect(heldOf({ row: 'read', of: 'floor', bound: 1.5 })).toEqual([{ value: 1.5, isHeld: true }])
  expect(heldOf({ row: 'read', of: 'floor', bound: 1.4 })).toEqual([{ value: 1.5, isHeld: false }])
})

test('the best of the others is the one with the best median, in the direction of the row', () => {
  // oxenstored: 15/30, 16/20, 60/20.
  expect(heldOf({ row: 'read', of: 'best', bound: 1 })).toEqual([{ value: 0.8, isHeld: true }])
  const speed = aRow(
    'speed',
    { lixs: rounds(100), xenstored: rounds(40), oxenstored: rounds(20) },
    { unit: 'op/s', isHigherBetter: true },
  )
  const check: Check = { row: 'speed', of: 'best', bound: 2.5, isAtLeast: true }
  expect(heldOf(check, speed)).toEqual([{ value: 2.5, isHeld: true }])
  expect(heldOf({ ...check, bound: 2.6 }, speed)).toEqual([{ value: 2.5, isHeld: false }])
})

test('who was given up counts with the time that it had, and is behind whoever was not', () => {
  const slow = aRow('slow', {
    lixs: rounds(2e6),
    xenstored: { kind: 'tooSlow', limitS: 4, why: 'no answer' },
    oxenstored: { kind: 'failed', why: 'E2BIG' },
  })
  expect(heldOf({ row: 'slow', of: 'best', bound: 1 }, slow)).toEqual([
    { value: 0.5, isHeld: true },
  ])
})

test('what lixs failed is missed, and what nobody else did is not measured', () => {
  const failed = aRow('one', { floor: rounds(1), lixs: { kind: 'failed', why: 'EINVAL' } })
  expect(heldOf({ row: 'one', of: 'floor', bound: 9 }, failed)).toEqual([
    { value: Number.NaN, isHeld: false },
  ])
  const alone = aRow('two', { lixs: rounds(1), xenstored: { kind: 'failed', why: 'EINVAL' } })
  expect(heldOf({ row: 'two', of: 'best', bound: 9 }, alone)).toEqual([
    { value: Number.NaN, isHeld: undefined },
  ])
})

test('a verdict on the best names who failed, and not who was given up', () => {
  const slow = aRow('slow', {
    lixs: rounds(2e6),
    xenstored: { kind: 'tooSlow', limitS: 4, why: 'no answer' },
    oxenstored: { kind: 'failed', why: 'E2BIG' },
  })
  const checks: Check[] = [
    { row: 'slow', of: 'best', bound: 1 },
    { row: 'slow', of: 'figure', bound: 1 },
  ]
  const said = verdicts([slow], checks)
  expect(said.map(({ without }) => without)).toEqual([['oxenstored'], []])
  expect(verdictTable(said)[1]).toMatch(/ held, without oxenstored$/)
})

test('a figure can be held against the floor’s of another row', () => {
  const pipelined = aRow('pipelined', { lixs: rounds(4) })
  const check: Check = { row: 'pipelined', of: 'floor', floorRow: 'read', bound: 0.5 }
  expect(heldOf(check, pipelined)).toEqual([{ value: 0.4, isHeld: true }])
})

test('each line says its figure, its target and what became of it; the last one counts them', () => {
  const said = verdicts(
    [read],
    [
      { row: 'read', of: 'floor', bound: 1.6 },
      { row: 'read', of: 'figure', bound: 15 },
      { row: 'read', of: 'floor', bound: 2, isAtLeast: true },
    ],
  )
  expect(verdictTable(said).map((line) => line.trim().split(/\s{2,}/))).toEqual([
    ['must reach', 'lixs', 'target'],
    ['read', '1.50×', '≤ 1.60× floor', 'held'],
    ['read', '16.0', '≤ 15.0', 'MISSED'],
    ['read', '1.50×', '≥ 2.00× floor', 'MISSED'],
    ['1 held, 2 missed'],
  ])
})

test('every target names rows that a run has', () => {
  const rows = stages({ seconds: 1, idleSeconds: 60 }).flatMap(({ scenarios, idle }) => [
    ...scenarios.flatMap((scenario) => scenario.rows.map(({ name }) => name)),
    ...(idle === undefined ? [] : [idle.row.name]),
  ])
  expect(new Set(rows).size).toBe(rows.length)
  for (const { row, floorRow = row } of CHECKS)
    expect(rows).toEqual(expect.arrayContaining([row, floorRow]))
})
