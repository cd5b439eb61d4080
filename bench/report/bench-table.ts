/** The table of `npm run bench`, 120 columns wide. */
import type { Judged } from './baseline.ts'
import type { Row } from './processes.ts'
import { medianOf } from './series.ts'

const NAME = 54
const CELL = 12
const NARROW = 9
const VERDICTS = {
  worse: 'WORSE',
  better: 'better',
  same: 'same (within noise)',
} as const

/** Lines without their ends. */
export function benchTable(judged: readonly Judged[]): string[] {
  const cells = ['median'.padStart(CELL), 'figure'.padStart(NARROW), 'was'.padStart(NARROW)]
  const changes = ['change'.padStart(NARROW), 'noise'.padStart(NARROW)]
  const lines = [[''.padEnd(NAME), ...cells, ...changes].join('')]
  let module: string | undefined
  for (const one of judged) {
    if (one.row.module !== module) lines.push('', one.row.module)
    module = one.row.module
    lines.push(line(one))
  }
  return lines
}

function line({ row, series, before, comparison }: Judged): string {
  const isOver = row.limit !== undefined && series.median > row.limit
  const over = isOver ? `, above ${row.limit}` : ''
  const cells = [
    `  ${row.name}`.padEnd(NAME),
    amountText(row).padStart(CELL),
    figureText(series.median).padStart(NARROW),
    (before === undefined ? '–' : figureText(before.median)).padStart(NARROW),
    (comparison === undefined ? '–' : percentText(comparison.change, '+')).padStart(NARROW),
    (comparison === undefined ? '–' : percentText(comparison.noise, '±')).padStart(NARROW),
    `  ${comparison === undefined ? 'new' : VERDICTS[comparison.verdict]}${over}`,
  ]
  return cells.join('')
}

/** `431 ns`, `1.45 µs`, `152 k/s`. */
function amountText({ unit, amounts }: Row): string {
  const amount = medianOf(amounts)
  switch (unit) {
    case 'ns':
      return timeText(amount)
    case 'µs':
      return timeText(amount * 1000)
    case 'op/s':
      return `${digits(amount / 1000)} k/s`
    case 'bytes':
      return `${digits(amount)} B`
  }
}

function timeText(ns: number): string {
  if (ns < 1000) return `${digits(ns)} ns`
  return ns < 1e6 ? `${digits(ns / 1000)} µs` : `${digits(ns / 1e6)} ms`
}

/** Three of them that count. */
function digits(amount: number): string {
  return amount < 10 ? amount.toFixed(2) : amount < 100 ? amount.toFixed(1) : amount.toFixed(0)
}

function figureText(figure: number): string {
  return figure < 100 ? figure.toFixed(3) : figure.toFixed(0)
}

/** @param sign in front of what is not negative */
function percentText(part: number, sign: string): string {
  return `${part < 0 ? '−' : sign}${(Math.abs(part) * 100).toFixed(1)} %`
}
