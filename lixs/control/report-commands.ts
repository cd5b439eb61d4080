import type { Counters } from '../counters.ts'
import type { Store } from '../store/store.ts'
import { type ControlAnswer, type ControlCommand, INVALID, linesAnswer } from './command.ts'

interface ReportTargets {
  readonly store: Pick<Store, 'figures'>
  readonly counters: Counters
  readonly connections: { readonly count: number }
  readonly domains: { readonly count: number }
}

/** What the daemon did and holds. */
export function reportCommands(targets: ReportTargets): readonly ControlCommand[] {
  return [{ name: 'stats', parameters: '', run: (words) => stats(targets, words) }]
}

/** Lines of a name and a number: what was done so far, then what there is now. */
function stats(targets: ReportTargets, words: readonly string[]): ControlAnswer {
  if (words.length !== 0) return INVALID
  const { counters, connections, domains, store } = targets
  const { nodes, watches, transactions, accessRecords, permLists, blocks } = store.figures()
  const figures: readonly (readonly [string, number])[] = [
    ...counters.figures(),
    ['domains', domains.count],
    ['connections', connections.count],
    ['nodes', nodes],
    ['watches', watches],
    ['transactions', transactions],
    ['accessRecords', accessRecords],
    ['permLists', permLists],
    ['blocks', blocks],
  ]
  return linesAnswer(figures.map(([name, value]) => `${name} ${value}`))
}
