import type { Peer } from '../../../bench/peers/peers.ts'
import type { Figure, RowResult } from '../../../bench/peers/rounds.ts'
import type { Row } from '../../../bench/peers/scenario.ts'
import { spreadOf } from '../../../bench/report/median.ts'

/** Measured in so many rounds. */
export function rounds(...figures: number[]): Figure {
  return { kind: 'measured', spread: spreadOf(figures), rounds: figures }
}

/** A row of the table without samples. */
export function aRow(
  name: string,
  figures: Partial<Record<Peer, Figure>>,
  row: Partial<Row> = {},
): RowResult {
  const peers: readonly Peer[] = ['floor', 'lixs', 'xenstored', 'oxenstored']
  return {
    stage: '1 guest',
    row: { name, unit: 'µs', figure: () => Number.NaN, ...row },
    samples: new Map(),
    figures: new Map(
      peers.flatMap((peer) => {
        const figure = figures[peer]
        return figure === undefined ? [] : [[peer, figure] as const]
      }),
    ),
  }
}
