/** What is to be reached: lines that name rows of the table and what lixs is held against. */
import { figureText, timesText } from './figure-text.ts'
import { OTHERS, type Peer } from './peers.ts'
import { ratioTo, ratioToBest } from './ratios.ts'
import type { RowResult } from './rounds.ts'

/** One figure of lixs and its bound. */
export interface Check {
  readonly row: string
  /** `figure`: the figure itself; else its ratio to that daemon's, or to the best of the other stores'. */
  readonly of: 'figure' | 'best' | 'floor' | 'xenstored'
  readonly bound: number
  readonly isAtLeast?: true
  /** The row in which the floor's figure is, if it is another one. */
  readonly floorRow?: string
}

export interface Verdict {
  readonly check: Check
  /** NaN where it was not measured, or cannot be compared. */
  readonly value: number
  readonly isHeld: boolean | undefined
  /** Who has no figure, and so is none of those that the best is one of. */
  readonly without: readonly Peer[]
}

const atMost = (row: string, of: Check['of'], bound: number): Check => ({ row, of, bound })
const atLeast = (row: string, of: Check['of'], bound: number): Check => ({
  row,
  of,
  bound,
  isAtLeast: true,
})

export const CHECKS: readonly Check[] = [
  atMost('READ, depth 1, p50', 'floor', 1.6),
  atMost('READ, depth 1, p50', 'best', 1),
  atMost('WRITE, depth 1, p50', 'floor', 1.6),
  atMost('WRITE, depth 1, p50', 'best', 1),
  atLeast('READ, depth 32', 'best', 2.5),
  atLeast('READ, 16 clients', 'best', 1),
  atLeast('READ, 128 clients', 'best', 1),
  atLeast('READ, 1,000 clients', 'best', 1),
  atMost('READ, 1,000 in turn, p50', 'floor', 1.7),
  atMost('100 READ/s, 10,000 idle by none', 'figure', 1.1),
  atMost('100 READ/s, 10,000 idle, CPU', 'figure', 0.8),
  atMost('xl create, 10,000 guests', 'floor', 2.4),
  atMost('xl create, 10,000 guests by 1', 'figure', 1.1),
  { ...atMost('xcl create, 10,000 guests', 'floor', 0.5), floorRow: 'xl create, 10,000 guests' },
  atMost('RSS, 10,000 guests', 'figure', 250),
  atLeast('transactions, 1 client', 'best', 1),
  atLeast('transactions, 8 disjoint', 'best', 1),
  atLeast('transactions, 8 same keys', 'best', 1),
  atMost('retries per commit, 1 client', 'figure', 0),
  atMost('retries per commit, 8 disjoint', 'figure', 0),
  atMost('retries per commit, 8 same keys', 'figure', 0),
  atMost('WRITE, 10,000 watches by none', 'figure', 1.05),
  atMost('WRITE, 100,000 watches by none', 'figure', 1.1),
  atMost('write to 10 watchers, p50', 'best', 1),
  atMost('write to 1,000 watchers, p50', 'best', 1),
  atMost('10,000 children, list', 'best', 1),
  atMost('10,000 children, remove all', 'best', 1),
  atLeast('10,000 rings active', 'xenstored', 2),
  atLeast('10,000 rings active', 'floor', 0.25),
  atMost('longest turn, 1,000,000 nodes', 'figure', 15),
  atMost('10,000 idle rings, 60 s', 'figure', 2),
]

/** In the order of the checks; those of rows that were not asked for are left out. */
export function verdicts(
  results: readonly RowResult[],
  checks: readonly Check[] = CHECKS,
): Verdict[] {
  return checks.flatMap((check) => {
    const result = results.find(({ row }) => row.name === check.row)
    return result === undefined ? [] : [verdict(check, result, results)]
  })
}

function verdict(check: Check, result: RowResult, results: readonly RowResult[]): Verdict {
  const value = checkedValue(check, result, results)
  const without = check.of === 'best' ? OTHERS.filter((peer) => !isRanked(result, peer)) : []
  if (Number.isNaN(value)) {
    // What lixs itself does not do is missed; what nobody else does says nothing.
    const isHeld = result.figures.get('lixs')?.kind === 'measured' ? undefined : false
    return { check, value, isHeld, without }
  }
  const isHeld = check.isAtLeast ? value >= check.bound : value <= check.bound
  return { check, value, isHeld, without }
}

/** Also who was given up: that one is behind all others. */
function isRanked({ figures }: RowResult, peer: Peer): boolean {
  const figure = figures.get(peer)
  return figure !== undefined && figure.kind !== 'failed'
}

function checkedValue(
  { of, floorRow }: Check,
  result: RowResult,
  results: readonly RowResult[],
): number {
  if (floorRow !== undefined) {
    const other = results.find(({ row }) => row.name === floorRow)
    return other === undefined ? Number.NaN : medianOf(result, 'lixs') / medianOf(other, 'floor')
  }
  if (of === 'figure') return medianOf(result, 'lixs')
  const ratio = of === 'best' ? ratioToBest(result) : ratioTo(result, of)
  return ratio?.spread.median ?? Number.NaN
}

function medianOf({ figures }: RowResult, peer: Peer): number {
  const figure = figures.get(peer)
  return figure?.kind === 'measured' ? figure.spread.median : Number.NaN
}

const ROW = 44
const FIGURE = 14
const TARGET = 28

/** Lines without their ends. */
export function verdictTable(all: readonly Verdict[]): string[] {
  const missed = all.filter(({ isHeld }) => isHeld === false).length
  const open = all.filter(({ isHeld }) => isHeld === undefined).length
  const rest = open === 0 ? '' : `, ${open} not measured`
  return [
    `${'must reach'.padEnd(ROW)}${'lixs'.padStart(FIGURE)}   target`,
    ...all.map(({ check, value, isHeld, without }) => {
      const figure = Number.isNaN(value) ? '–' : valueText(check, value)
      const said = isHeld === undefined ? 'not measured' : isHeld ? 'held' : 'MISSED'
      const target = `${check.isAtLeast ? '≥' : '≤'} ${valueText(check, check.bound)}${AGAINST[check.of]}`
      const missing = without.length === 0 ? '' : `, without ${without.join(' and ')}`
      return `${check.row.padEnd(ROW)}${figure.padStart(FIGURE)}   ${target.padEnd(TARGET)}${said}${missing}`
    }),
    `${all.length - missed - open} held, ${missed} missed${rest}`,
  ]
}

const AGAINST = {
  figure: '',
  floor: ' floor',
  best: ' best peer',
  xenstored: ' xenstored',
} as const

function valueText({ of }: Check, value: number): string {
  return of === 'figure' ? figureText(value) : timesText(value)
}
