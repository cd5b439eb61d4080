/** What is measured: which load, on a store in which state, and which figures of it count. */
import type { Measurement } from './outcome.ts'

export type Unit = 'µs' | 'op/s'

/** One line of the table. */
export interface Row {
  /** Unique; targets name it. */
  readonly name: string
  readonly unit: Unit
  readonly isHigherBetter: boolean
  readonly figure: (measured: Measurement) => number
}

export interface Scenario {
  /** A command of the load. */
  readonly command: string
  /** After which it is given up. */
  readonly limitS: number
  readonly rows: readonly Row[]
}

const LIMIT_S = 8

const p50 = (name: string): Row => ({
  name,
  unit: 'µs',
  isHigherBetter: false,
  figure: ({ latencyUs }) => latencyUs.p50,
})

const throughput = (name: string): Row => ({
  name,
  unit: 'op/s',
  isHigherBetter: true,
  figure: ({ operations, seconds }) => operations / seconds,
})

/** @param seconds of one measurement */
export function scenarios(seconds: number): readonly Scenario[] {
  const busy = (words: string, row: Row): Scenario => ({
    command: `busy ${words} seconds=${seconds}`,
    limitS: LIMIT_S,
    rows: [row],
  })
  return [
    busy('how=turn op=read clients=1', p50('READ, depth 1, p50')),
    busy('how=turn op=write clients=1', p50('WRITE, depth 1, p50')),
    busy('how=all op=read clients=1 depth=32', throughput('READ, depth 32')),
    busy('how=all op=write clients=1 depth=32', throughput('WRITE, depth 32')),
  ]
}
