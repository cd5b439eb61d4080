/** Rounds: each measurement of all daemons in turn, again and again, so that what disturbs one disturbs all. */
import { type Spread, spreadOf } from '../report/median.ts'
import type { Measurement, Outcome } from './outcome.ts'
import type { Peer } from './peers.ts'
import type { Row, Scenario } from './scenarios.ts'

/** What became of one row with one daemon. */
export type Figure =
  | { readonly kind: 'measured'; readonly spread: Spread; readonly rounds: readonly number[] }
  | { readonly kind: 'failed'; readonly why: string }
  /** It takes longer than this; there are no figures. */
  | { readonly kind: 'tooSlow'; readonly limitS: number; readonly why: string }

export interface RowResult {
  readonly row: Row
  readonly figures: ReadonlyMap<Peer, Figure>
  /** Of all rounds. */
  readonly measurements: ReadonlyMap<Peer, readonly Measurement[]>
}

/**
 * The first round warms up and is not counted. A daemon that fails once is not asked again.
 * @param measure one measurement of one daemon
 */
export async function runRounds(
  scenario: Scenario,
  peers: readonly Peer[],
  rounds: number,
  measure: (peer: Peer, round: number) => Promise<Outcome>,
): Promise<RowResult[]> {
  const ends = new Map<Peer, Figure>()
  const measurements = new Map<Peer, Measurement[]>(peers.map((peer) => [peer, []]))
  for (let round = 0; round <= rounds; round++) {
    for (const peer of peers) {
      if (ends.has(peer)) continue
      const outcome = await measure(peer, round)
      if (outcome.kind === 'failed') ends.set(peer, outcome)
      if (outcome.kind === 'tooSlow') {
        ends.set(peer, { kind: 'tooSlow', limitS: scenario.limitS, why: outcome.why })
      }
      if (outcome.kind === 'measured' && round > 0) {
        measurements.get(peer)?.push(outcome.measurement)
      }
    }
  }
  return scenario.rows.map((row) => ({
    row,
    measurements,
    figures: new Map(
      peers.map((peer) => [peer, ends.get(peer) ?? figureOf(row, measurements.get(peer) ?? [])]),
    ),
  }))
}

function figureOf(row: Row, measurements: readonly Measurement[]): Figure {
  const rounds = measurements.map(row.figure)
  return { kind: 'measured', spread: spreadOf(rounds), rounds }
}
