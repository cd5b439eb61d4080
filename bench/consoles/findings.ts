/** What a run found: figures, and what is to be reached. */
import { figureText } from '../peers/figure-text.ts'

export interface Finding {
  /** `--only` looks for words in it. */
  readonly name: string
  readonly unit: string
  /** NaN: not measured. */
  readonly value: number
  readonly target?: Target
  /** What else is to be known of it. */
  readonly note?: string
}

export interface Target {
  readonly bound: number
  readonly isAtLeast?: true
  /** To miss it is a defect on any computer, not a figure of this one. */
  readonly isExact?: true
}

export function isHeld({ value, target }: Finding): boolean | undefined {
  if (target === undefined) return undefined
  return target.isAtLeast ? value >= target.bound : value <= target.bound
}

/** @returns the exact ones that are missed, or were not measured */
export function defectsOf(findings: readonly Finding[]): Finding[] {
  return findings.filter((finding) => finding.target?.isExact && !isHeld(finding))
}

const NAME = 52
const FIGURE = 14
const TARGET = 14

/** Lines without their ends. */
export function findingsTable(findings: readonly Finding[]): string[] {
  const judged = findings.filter(({ target }) => target !== undefined)
  const missed = judged.filter((finding) => !isHeld(finding))
  return [...findings.map(line), `${judged.length - missed.length} held, ${missed.length} missed`]
}

function line(finding: Finding): string {
  const { name, unit, value, target, note } = finding
  const figure = `${Number.isNaN(value) ? '–' : figureText(value)} ${unit}`.trim()
  const bound =
    target === undefined ? '' : `${target.isAtLeast ? '≥' : '≤'} ${figureText(target.bound)}`
  const held = isHeld(finding)
  const verdict = held === undefined ? '' : held ? 'held' : 'MISSED'
  const words = [name.padEnd(NAME), figure.padStart(FIGURE), '  ', bound.padEnd(TARGET), verdict]
  return `${words.join('').trimEnd()}${note === undefined ? '' : `   (${note})`}`
}
