/**
 * Measures the cases of one module in this process: in turns, each right beside what it is divided by.
 *
 * ```
 * round:   │ calibration │ case 1 │ calibration │ case 2 │ calibration │ … │ calibration │ calibration │
 *            figure of case 1 = its time by that of the calibration before and behind it
 * ```
 *
 * What a process says of a case is the middle of its rounds. Its spread shows only between processes: each has
 * its own compiled code and its own places in memory.
 */
import { Bench, type FnOptions } from 'tinybench'
import { calibrate } from './calibration.ts'
import { medianOf } from './series.ts'

const ROUNDS = 3
const SLICE_MS = 10
/** Of each case before the first round; async ones go through the loop of events and get on slower. */
const WARM_UP_MS = 50

const NOTHING = (): void => undefined

/** One thing that is measured. */
export interface Case {
  readonly name: string
  /** Operations in one call of `run`; enough of them that a call takes ten microseconds or more. */
  readonly operations: number
  readonly run: () => unknown
  /** Before each call of `run`, and not measured. */
  readonly prepare?: () => void
  /** What it is divided by, operation by operation, in place of the calibration: the same with few others there. */
  readonly beside?: () => unknown
}

/** A module's cases, and what becomes of them afterwards. */
export interface Cases {
  readonly cases: readonly Case[]
  close(): void
}

/** What one process, or one round, found. Less is better. */
export interface Found {
  readonly name: string
  /** What is compared: a ratio, which the machine's speed cancels out of. */
  readonly figure: number
  /** What people read: time of one operation, or another amount. */
  readonly amount: number
  readonly unit: 'ns' | 'µs' | 'op/s' | 'bytes'
  /** The figure is to be at most so much, whatever it was. */
  readonly limit?: number
}

/** Name of the row that says what this measure can tell apart at all. */
export const CONTROL = 'calibration by itself'

export async function measureCases({ cases, close }: Cases): Promise<Found[]> {
  try {
    const all: readonly Case[] = [...cases, { name: CONTROL, operations: 1, run: calibrate }]
    for (const { run, prepare, beside } of all) {
      await time(run, WARM_UP_MS, prepare)
      await time(beside ?? calibrate, WARM_UP_MS)
    }
    const figures = all.map((): number[] => [])
    const amounts = all.map((): number[] => [])
    for (let round = 0; round < ROUNDS; round++) {
      for (const [i, { run, prepare, beside = calibrate, operations }] of all.entries()) {
        const before = await time(beside, SLICE_MS / 2)
        const own = await time(run, SLICE_MS, prepare)
        const behind = await time(beside, SLICE_MS / 2)
        figures[i]?.push((2 * own) / (before + behind))
        amounts[i]?.push((own / operations) * 1e6)
      }
    }
    return all.map(({ name }, i) => ({
      name,
      figure: medianOf(figures[i] ?? []),
      amount: medianOf(amounts[i] ?? []),
      unit: 'ns',
    }))
  } finally {
    close()
  }
}

/** Median of all calls in about so long, in milliseconds. */
async function time(run: () => unknown, ms: number, beforeEach = NOTHING): Promise<number> {
  const bench = new Bench({ time: ms, iterations: 3, warmup: false })
  const options: FnOptions = { async: run.constructor.name === 'AsyncFunction', beforeEach }
  bench.add('', run, options)
  const [task] = await bench.run()
  const result = task?.result
  if (result !== undefined && 'latency' in result) return result.latency.p50
  throw new Error(result !== undefined && 'error' in result ? String(result.error) : 'not run')
}
