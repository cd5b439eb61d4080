/** The shape of what is measured. */
import type { Measure, Sample } from './measures.ts'
import type { Peer } from './peers.ts'
import type { Population } from './population.ts'

export type Unit = 'µs' | 'ms' | 'op/s' | 'op/CPU s' | '×' | '%' | 'MB' | 'ticks' | ''

/** One line of the table. */
export interface Row {
  /** Unique; targets name it. */
  readonly name: string
  readonly unit: Unit
  readonly isHigherBetter?: true
  /** @param bare the same on a station with one guest, moments before; only where the scenario is paired */
  readonly figure: (sample: Sample, bare: Sample) => number
}

/** One measurement, and the rows that are got from it. */
export interface Scenario {
  readonly measure: Measure
  /** After which it is given up. */
  readonly limitS: number
  /** Each round also measures the station with one guest. */
  readonly isPaired?: true
  /**
   * A round is so many measurements, by turns with the pair's, of which the one with the least median counts: what
   * is compared may differ by less than what a processor's other work adds to some of them. 1 if it is not given.
   */
  readonly slices?: number
  /** Who cannot be asked for this. */
  readonly without?: readonly Peer[]
  readonly rows: readonly Row[]
}

/** Stations in one state, and what is measured on them. */
export interface Stage {
  readonly name: string
  readonly population: Population
  readonly scenarios: readonly Scenario[]
  /** Counts how often each daemon is on the CPU when nobody asks for anything, once, all at the same time. */
  readonly idle?: { readonly seconds: number; readonly row: Row }
  /** The turns of the daemons' loops are measured, which costs them something. */
  readonly isProbed?: true
}
