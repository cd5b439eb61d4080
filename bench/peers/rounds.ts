/** Rounds: each measurement of all daemons in turn, again and again, so that what disturbs one disturbs all. */
import { type Spread, spreadOf } from '../report/median.ts'
import type { Sample, SampleOutcome } from './measures.ts'
import type { Peer } from './peers.ts'
import type { Row, Scenario } from './scenario.ts'

/** What became of one row with one daemon. */
export type Figure =
  | { readonly kind: 'measured'; readonly spread: Spread; readonly rounds: readonly number[] }
  | { readonly kind: 'failed'; readonly why: string }
  /** It takes longer than this; there are no figures. */
  | { readonly kind: 'tooSlow'; readonly limitS: number; readonly why: string }

export interface RowResult {
  readonly stage: string
  readonly row: Row
  readonly figures: ReadonlyMap<Peer, Figure>
  /** Of all rounds; empty where there is no figure. */
  readonly samples: ReadonlyMap<Peer, readonly Sample[]>
}

/** One round of one daemon. */
export interface Round {
  readonly outcome: SampleOutcome
  /** Of the station with one guest; the same as the outcome where the scenario is not paired. */
  readonly bare: SampleOutcome
}

interface Pair {
  readonly sample: Sample
  readonly bare: Sample
}

/**
 * The first round warms up and is not counted. A daemon that fails once is not asked again, and has no figure.
 * @param ends who has failed before
 * @param measure one measurement of one daemon
 */
export async function runRounds(
  stage: string,
  scenario: Scenario,
  ends: ReadonlyMap<Peer, Figure>,
  { peers, rounds }: { readonly peers: readonly Peer[]; readonly rounds: number },
  measure: (peer: Peer, round: number) => Promise<Round>,
): Promise<RowResult[]> {
  const asked = peers.filter((peer) => !scenario.without?.includes(peer))
  const ended = new Map(ends)
  const pairs = new Map<Peer, Pair[]>(asked.map((peer) => [peer, []]))
  for (let round = 0; round <= rounds; round++) {
    for (const peer of asked) {
      if (ended.has(peer)) continue
      const { outcome, bare } = await measure(peer, round)
      if (outcome.kind !== 'measured') ended.set(peer, endOf(outcome, scenario))
      else if (bare.kind !== 'measured') ended.set(peer, endOf(bare, scenario))
      else if (round > 0) pairs.get(peer)?.push({ sample: outcome.sample, bare: bare.sample })
    }
  }
  const samples = new Map(
    [...pairs].map(([peer, all]) => [peer, all.map(({ sample }) => sample)] as const),
  )
  return scenario.rows.map((row) => ({
    stage,
    row,
    samples,
    figures: new Map(
      asked.map((peer) => [peer, ended.get(peer) ?? figureOf(row, pairs.get(peer) ?? [])]),
    ),
  }))
}

function endOf(
  outcome: Exclude<SampleOutcome, { readonly kind: 'measured' }>,
  { limitS }: Scenario,
): Figure {
  return outcome.kind === 'failed' ? outcome : { ...outcome, limitS }
}

function figureOf(row: Row, pairs: readonly Pair[]): Figure {
  const rounds = pairs.map(({ sample, bare }) => row.figure(sample, bare))
  return { kind: 'measured', spread: spreadOf(rounds), rounds }
}
