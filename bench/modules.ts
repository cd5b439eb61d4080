/** What `npm run bench` measures: every module by the place of what it measures. */
import { type Cases, type Found, measureCases } from './report/measure.ts'

export interface Module {
  /** As its file is called, without `.bench.ts`. */
  readonly name: string
  /** What stands between its rounds: each has a process of its own, or all of them have one together. */
  readonly isProcessPerRound: boolean
  /** Measures in this process. @returns rounds */
  readonly run: () => Promise<Found[][]>
}

export const MODULES: readonly Module[] = [
  micro('lixs/connection/batch', async () =>
    (await import('./lixs/connection/batch.bench.ts')).batchCases(),
  ),
  micro('lixs/connection/events', async () =>
    (await import('./lixs/connection/events.bench.ts')).eventsCases(),
  ),
  micro('lixs/store/child-list', async () =>
    (await import('./lixs/store/child-list.bench.ts')).childListCases(),
  ),
  {
    name: 'lixs/store/node-table',
    isProcessPerRound: true,
    run: async () => [(await import('./lixs/store/node-table.bench.ts')).bytesPerNode()],
  },
  micro('lixs/store/perms', async () => (await import('./lixs/store/perms.bench.ts')).permsCases()),
  micro('lixs/store/store', async () => (await import('./lixs/store/store.bench.ts')).storeCases()),
  micro('lixs/store/transactions', async () =>
    (await import('./lixs/store/transactions.bench.ts')).transactionsCases(),
  ),
  micro('lixs/store/value-arena', async () =>
    (await import('./lixs/store/value-arena.bench.ts')).valueArenaCases(),
  ),
  micro('lixs/store/watches', async () =>
    (await import('./lixs/store/watches.bench.ts')).watchesCases(),
  ),
  micro('lixs/wire/wire', async () => (await import('./lixs/wire/wire.bench.ts')).wireCases()),
  micro('native/path-table', async () =>
    (await import('./native/path-table.bench.ts')).pathTableCases(),
  ),
  {
    name: 'lixs/death',
    isProcessPerRound: false,
    run: async () => (await import('./lixs/death.bench.ts')).deathRounds(),
  },
  {
    name: 'native/simulator',
    isProcessPerRound: false,
    run: async () => (await import('./native/simulator.bench.ts')).simulatorRounds(),
  },
  {
    name: 'sockets',
    isProcessPerRound: false,
    run: async () => (await import('./sockets.ts')).socketRounds(),
  },
]

function micro(name: string, open: () => Promise<Cases>): Module {
  const run = async () => [await measureCases(await open())]
  return { name, isProcessPerRound: true, run }
}

/** Those whose names begin like that, or have it behind a slash. */
export function modulesCalled(words: string): readonly Module[] {
  return MODULES.filter(({ name }) => `/${name}`.includes(`/${words}`))
}
