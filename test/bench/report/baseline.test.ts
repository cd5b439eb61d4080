import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { baselineOf, judge, readBaseline, writeBaseline } from '../../../bench/report/baseline.ts'
import { benchTable } from '../../../bench/report/bench-table.ts'
import { CONTROL, type Found } from '../../../bench/report/measure.ts'
import { measureModules, type Row, type Rows } from '../../../bench/report/processes.ts'

const COLUMNS = 120
const CALM = [98, 99, 99, 100, 101, 101, 102]

function rowOf(name: string, by: number, limit?: number): Row {
  const figures = CALM.map((figure) => figure * by)
  return { module: 'lixs/store/perms', name, unit: 'ns', limit, figures, amounts: figures }
}

function rowsOf(...rows: readonly Row[]): Rows {
  return { rows, controls: [0.999, 1, 1, 1.001] }
}

const found = (name: string, figure: number): Found => ({ name, figure, amount: 1, unit: 'ns' })

function aFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'xcl-bench-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return join(folder, 'baseline.json')
}

test('each row is judged by its own baseline; one without is new', () => {
  const baseline = baselineOf(rowsOf(rowOf('a', 1), rowOf('b', 1), rowOf('c', 1)), 'here', 0)
  const now = rowsOf(rowOf('a', 1.2), rowOf('b', 0.8), rowOf('c', 1.01), rowOf('d', 1))
  const verdicts = judge(now, baseline).map(({ comparison }) => comparison?.verdict)
  expect(verdicts).toEqual(['worse', 'better', 'same', undefined])
})

test('where work that never changes strays, a small change is not told', () => {
  const baseline = baselineOf(rowsOf(rowOf('a', 1)), 'here', 0)
  const restless = { rows: [rowOf('a', 1.2)], controls: [0.8, 0.9, 1, 1.1, 1.2] }
  expect(judge(restless, baseline)[0]?.comparison?.verdict).toBe('same')
})

test('what is recorded is found again; modules that were not measured stay as they were', () => {
  const file = aFile()
  expect(readBaseline(file)).toBeUndefined()
  const first = baselineOf(rowsOf(rowOf('a', 1), rowOf('b', 1)), 'here', 0.1)
  writeBaseline(file, first, undefined)
  expect(readBaseline(file)).toEqual(first)
  const second = baselineOf(rowsOf(rowOf('b', 2)), 'here', 0.2)
  writeBaseline(file, second, first)
  const medians = Object.entries(readBaseline(file)?.rows ?? {}).map(([, { median }]) => median)
  expect(medians).toEqual([100, 200])
})

test('the table is as wide as it may be, and names what is worse and what is above its limit', () => {
  const longest = rowOf('WRITE that 1 watches, 4 levels up, 100,000 others', 1000)
  const late = rowOf('RELEASE', 1, 1.1)
  const baseline = baselineOf(rowsOf(rowOf(longest.name, 1), rowOf(late.name, 0.01)), 'here', 0)
  const lines = benchTable(judge(rowsOf(longest, late), baseline))
  expect(lines.filter((line) => line.length > COLUMNS)).toEqual([])
  expect(lines[2]).toBe('lixs/store/perms')
  expect(lines.slice(3).every((line) => line.includes('  WORSE'))).toBe(true)
  expect(lines[4]).toContain('above 1.1')
})

test('modules take turns, round by round; those that make their rounds themselves come last', async () => {
  const asked: string[] = []
  const run = async () => []
  const modules = [
    { name: 'whole', isProcessPerRound: false, run },
    { name: 'a', isProcessPerRound: true, run },
    { name: 'b', isProcessPerRound: true, run },
  ]
  const ask = async (name: string) => {
    asked.push(name)
    if (name === 'whole') return [[found('x', 1)], [found('x', 2)]]
    return [[found('x', asked.length), found(CONTROL, 1)]]
  }
  const { rows, controls } = await measureModules(modules, 2, ask, () => undefined)
  expect(asked).toEqual(['a', 'b', 'a', 'b', 'whole'])
  expect(rows.map(({ module, figures }) => [module, ...figures])).toEqual([
    ['whole', 1, 2],
    ['a', 1, 3],
    ['b', 2, 4],
  ])
  expect(controls).toEqual([1, 1, 1, 1])
})
