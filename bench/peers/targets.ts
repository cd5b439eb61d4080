/** What is to be reached: lines that name rows of the table and what lixs is held against. */
import { figureText, timesText } from './figure-text.ts'
import { ratioTo, ratioToBest } from './ratios.ts'
import type { RowResult } from './rounds.ts'

/** One figure of lixs and its bound. */
export interface Check {
  readonly row: string
  /** `figure`: the figure itself; else its ratio to the floor's, or to the best of the other stores'. */
  readonly of: 'figure' | 'floor' | 'best'
  readonly bound: number
  readonly isAtLeast?: true
}

export interface Verdict {
  readonly check: Check
  /** NaN where it was not measured, or cannot be compared. */
  readonly value: number
  readonly isHeld: boolean | undefined
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
]

/** In the order of the checks; those of rows that were not asked for are left out. */
export function verdicts(
  results: readonly RowResult[],
  checks: readonly Check[] = CHECKS,
): Verdict[] {
  return checks.flatMap((check) => {
    const result = results.find(({ row }) => row.name === check.row)
    return result === undefined ? [] : [verdict(check, result)]
  })
}

function verdict(check: Check, result: RowResult): Verdict {
  const value = checkedValue(check, result)
  if (Number.isNaN(value)) {
    // What lixs itself does not do is missed; what nobody else does says nothing.
    const isHeld = result.figures.get('lixs')?.kind === 'measured' ? undefined : false
    return { check, value, isHeld }
  }
  return { check, value, isHeld: check.isAtLeast ? value >= check.bound : value <= check.bound }
}

function checkedValue({ of }: Check, result: RowResult): number {
  if (of === 'floor') return ratioTo(result, 'floor')?.spread.median ?? Number.NaN
  if (of === 'best') return ratioToBest(result)?.spread.median ?? Number.NaN
  const figure = result.figures.get('lixs')
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
    ...all.map(({ check, value, isHeld }) => {
      const figure = Number.isNaN(value) ? '–' : valueText(check, value)
      const said = isHeld === undefined ? 'not measured' : isHeld ? 'held' : 'MISSED'
      const target = `${check.isAtLeast ? '≥' : '≤'} ${valueText(check, check.bound)}${AGAINST[check.of]}`
      return `${check.row.padEnd(ROW)}${figure.padStart(FIGURE)}   ${target.padEnd(TARGET)}${said}`
    }),
    `${all.length - missed - open} held, ${missed} missed${rest}`,
  ]
}

const AGAINST = { figure: '', floor: ' floor', best: ' best peer' } as const

function valueText({ of }: Check, value: number): string {
  return of === 'figure' ? figureText(value) : timesText(value)
}
