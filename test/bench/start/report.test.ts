import { expect, test } from 'vitest'
import { chart } from '../../../bench/start/chart.ts'
import { forEachProcess } from '../../../bench/start/processes.ts'
import { grouped, report } from '../../../bench/start/report.ts'
import { someResults } from './some-results.ts'

test('numbers are grouped by thousands', () => {
  expect([7, 999, 1000, 10_000, 1_234_567].map(grouped)).toEqual([
    '7',
    '999',
    '1,000',
    '10,000',
    '1,234,567',
  ])
})

test('the table has a row for each window it shows, its cells below one another', () => {
  const lines = report(someResults())
  const head = lines.findIndex((line) => line.includes('guests') && line.includes('p50'))
  const rows = lines.slice(head, head + 3)
  expect(rows.map((row) => row.trim().split(/\s{2,}/))).toEqual([
    ['guests', 'p50', 'p99', 'p50', 'p99'],
    ['200', '2.00 ms', '2.00 ms', '3.00 ms', '3.00 ms'],
    ['1,000', '3.00 ms', '3.00 ms', '4.00 ms', '4.00 ms'],
  ])
  expect(new Set(rows.map(({ length }) => length)).size).toBe(1)
})

test('slopes, processes and what the figures do not say are in it', () => {
  const text = report(someResults()).join('\n')
  expect(text).toContain('1,000 guests, 999 READY, no errors')
  expect(text).toMatch(/slope create +1\.50/)
  expect(text).toMatch(/slope READY +1\.33/)
  expect(text).toMatch(/consoled +1\.50 s +1\.50 ms +0.20 ms +1.00 ms +100 MiB +2 MiB/)
  expect(text).toContain('control plane only')
})

test('phases have their line each', () => {
  const ticks = forEachProcess(() => 1)
  const cpu = forEachProcess(() => 12.34)
  const text = report(
    someResults({
      idle: { seconds: 60, ticks },
      work: {
        seconds: 60,
        rate: 1,
        requests: 600_000,
        lost: 0,
        lines: 600_000,
        missed: 1_234,
        linesLogged: 600_000,
        cpuS: cpu,
        cpuUsPerRequest: cpu,
      },
      deaths: {
        how: 'crash',
        died: 100,
        cleaned: 100,
        seconds: 1.25,
        survivors: 900,
        answered: 899,
      },
    }),
  ).join('\n')
  expect(Math.max(...text.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(80)
  expect(text).toContain('  lixs 1, consoled 1, xcld 1, simulator 1')
  expect(text).toContain('600,000 requests, 0 lost')
  expect(text).toContain('1,234 turns missed')
  expect(text).toContain('lixs 12.3 µs')
  expect(text).toContain(
    '100 guests died at once (crash): cleaned up after 1.3 s;\n  899 of the 900',
  )
})

test('the first errors are told, the others counted', () => {
  const errors = Array.from({ length: 7 }, (_, i) => `create g0000${i + 1}: no room`)
  const lines = report(someResults({ errors }))
  expect(lines).toContain('7 errors; logs are in /logs')
  expect(lines).toContain('  create g00005: no room')
  expect(lines).not.toContain('  create g00006: no room')
  expect(lines).toContain('  and 2 more')
})

test('the picture has a curve for create and for READY, inside its field', () => {
  const svg = chart(someResults())
  const curves = [...svg.matchAll(/<polyline points="([^"]+)"/g)].map(([, points = '']) =>
    points.split(' ').map((point) => point.split(',').map(Number)),
  )
  expect(curves.map(({ length }) => length)).toEqual([5, 5])
  const [ready = [], create = []] = curves
  for (const [i, [x = 0, y = 0]] of create.entries()) {
    expect(x).toBe(ready[i]?.[0])
    // Upwards is slower, and READY comes after unpaused.
    expect(y).toBeGreaterThan(ready[i]?.[1] ?? 0)
    expect(y).toBeLessThan(348)
  }
})
