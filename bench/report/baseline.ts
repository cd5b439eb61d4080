/** What was recorded of an earlier run, and what has become of it. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { Row, Rows } from './processes.ts'
import { type Comparison, compare, deviationOf, type Series, seriesOf } from './series.ts'

export interface Baseline {
  /** Figures of another kind of machine are no measure for this one's. */
  readonly machine: string
  readonly loadBefore: number
  /** By what part of itself a round of unchanging work strayed. */
  readonly resolution: number
  /** By `module: name`. */
  readonly rows: Readonly<Record<string, Series>>
}

/** A row beside its baseline; undefined: it has none yet. */
export interface Judged {
  readonly row: Row
  readonly series: Series
  readonly before: Series | undefined
  readonly comparison: Comparison | undefined
}

/** @returns undefined when nothing was recorded yet */
export function readBaseline(file: string): Baseline | undefined {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined
}

/** Records the rows; those of modules that were not measured stay as they were. */
export function writeBaseline(file: string, now: Baseline, before: Baseline | undefined): void {
  const resolution = Math.max(now.resolution, before?.resolution ?? 0)
  const isWhole = Object.keys(before?.rows ?? {}).every((key) => key in now.rows)
  const merged = isWhole ? now : { ...now, resolution, rows: { ...before?.rows, ...now.rows } }
  writeFileSync(file, `${JSON.stringify(merged, null, 2)}\n`)
}

/** @param machine and load before the run, as they are to be recorded */
export function baselineOf(
  { rows, controls }: Rows,
  machine: string,
  loadBefore: number,
): Baseline {
  return {
    machine,
    loadBefore,
    resolution: resolutionOf(controls),
    rows: Object.fromEntries(rows.map((row) => [keyOf(row), seriesOf(row.figures)])),
  }
}

export function judge({ rows, controls }: Rows, baseline: Baseline | undefined): Judged[] {
  const resolution = Math.max(resolutionOf(controls), baseline?.resolution ?? 0)
  return rows.map((row) => {
    const series = seriesOf(row.figures)
    const before = baseline?.rows[keyOf(row)]
    const comparison = before === undefined ? undefined : compare(series, before, resolution)
    return { row, series, before, comparison }
  })
}

/** What a round of the control strays by; 0 when no module had one. */
function resolutionOf(controls: readonly number[]): number {
  return controls.length === 0 ? 0 : deviationOf(seriesOf(controls))
}

function keyOf({ module, name }: Row): string {
  return `${module}: ${name}`
}
