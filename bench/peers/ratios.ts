/** How lixs compares: round by round, since what disturbs a round disturbs both. */
import { type Spread, spreadOf } from '../report/median.ts'
import { OTHERS, type Peer } from './peers.ts'
import type { Figure, RowResult } from './rounds.ts'

export interface Ratio {
  /** lixs' figure by theirs. */
  readonly spread: Spread
  readonly peer: Peer
  /** Theirs is a bound only: they were given up, and the ratio is better still. */
  readonly isBound: boolean
}

export function ratioTo(result: RowResult, peer: Peer): Ratio | undefined {
  const ours = result.figures.get('lixs')
  const theirs = result.figures.get(peer)
  if (ours?.kind !== 'measured' || theirs === undefined || theirs.kind === 'failed')
    return undefined
  if (theirs.kind === 'tooSlow') {
    const bound = boundOf(result, theirs.limitS)
    if (bound === undefined) return undefined
    const { median, min, max } = ours.spread
    const spread = { median: median / bound, min: min / bound, max: max / bound }
    return { spread, peer, isBound: true }
  }
  const rounds = ours.rounds.map((figure, round) => figure / (theirs.rounds[round] ?? Number.NaN))
  // By nothing there is no ratio.
  return rounds.every(Number.isFinite)
    ? { spread: spreadOf(rounds), peer, isBound: false }
    : undefined
}

/** To whichever of the other stores has the best median; those that were given up are behind all others. */
export function ratioToBest(result: RowResult): Ratio | undefined {
  const { isHigherBetter } = result.row
  const best = OTHERS.map((peer) => ({ peer, figure: result.figures.get(peer) }))
    .filter((one) => one.figure !== undefined && one.figure.kind !== 'failed')
    .sort((a, b) => {
      const [one, other] = [rankOf(a.figure), rankOf(b.figure)]
      if (one === other) return 0
      if (one === undefined) return 1
      if (other === undefined) return -1
      return isHigherBetter ? other - one : one - other
    })[0]
  return best === undefined ? undefined : ratioTo(result, best.peer)
}

function rankOf(figure: Figure | undefined): number | undefined {
  return figure?.kind === 'measured' ? figure.spread.median : undefined
}

/** What a figure is worse than when nothing had come to an end after so many seconds. */
function boundOf({ row }: RowResult, limitS: number): number | undefined {
  switch (row.unit) {
    case 'µs':
      return limitS * 1e6
    case 'ms':
      return limitS * 1e3
    case 'op/s':
      return 1 / limitS
    default:
      return undefined
  }
}
