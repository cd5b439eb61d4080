import { expect, test } from 'vitest'
import { chart, slownessOf } from '../../../bench/peers/chart.ts'
import { figureText } from '../../../bench/peers/figure-text.ts'
import { table } from '../../../bench/peers/table.ts'
import { aRow, rounds } from './some-rows.ts'

const COLUMNS = 120

const rows = [
  aRow('READ, depth 1, p50', {
    floor: rounds(10, 10, 10),
    lixs: rounds(15, 14, 17),
    xenstored: rounds(22, 22, 22),
    oxenstored: { kind: 'failed', why: 'the daemon has closed the connection' },
  }),
  aRow(
    'READ, depth 32',
    {
      floor: rounds(2_000_000),
      lixs: rounds(400_000),
      xenstored: { kind: 'tooSlow', limitS: 6, why: 'no answer' },
      oxenstored: { kind: 'failed', why: 'the daemon has closed the connection' },
    },
    { unit: 'op/s', isHigherBetter: true },
  ),
]

test('medians, ranges and ratios stand below one another, in the columns of a terminal', () => {
  const [head = '', first = '', second = ''] = table(rows)
  expect([head, first, second].map(({ length }) => length)).toEqual([COLUMNS, COLUMNS, COLUMNS])
  expect(first.split(/\s{2,}/)).toEqual([
    'READ, depth 1, p50, µs',
    '10.0 10.0–10.0',
    '15.0 14.0–17.0',
    '22.0 22.0–22.0',
    'failed',
    '1.50×',
    '0.68×',
  ])
  expect(second).toContain('400k 400–400')
  expect(second).toContain('> 6 s')
})

test('why there is no figure is said once, with the rows that it is about', () => {
  const notes = table(rows).slice(3)
  expect(notes).toEqual([
    '  oxenstored failed at 1 guest: the daemon has closed the connection',
    '    (READ, depth 1, p50; READ, depth 32)',
    '  xenstored was given up after 6 s at 1 guest: no answer',
    '    (READ, depth 32)',
  ])
})

test('in the picture more is slower, whatever the unit', () => {
  expect(rows.map((row) => slownessOf(row, 'lixs')?.median)).toEqual([1.5, 5])
  const machine = {
    cpu: 'A & B',
    cores: 2,
    kernel: 'Linux',
    node: 'v20',
    loadBefore: 1,
    loadAfter: 2,
    noise: 1.1,
  }
  const svg = chart(machine, rows)
  expect(svg).toContain('2 × A &amp; B, Linux; load 1.0 to 2.0')
  expect(svg).toContain('oxenstored failed')
  expect(svg).toContain('xenstored > 6 s')
})

test('figures have three digits, and those that are small two', () => {
  const figures = [0, 0.0012, 0.034, 0.5, 9.57, 95.72, 957.2, 9572, 95_720, 1_200_000]
  expect(figures.map(figureText)).toEqual([
    ...['0', '0.0012', '0.034', '0.50', '9.57'],
    ...['95.7', '957', '9572', '95.7k', '1.20M'],
  ])
})
