import type { Layer } from './image.ts'

/** One boot of the rig: a scenario, what it runs with, and what it may take. */
export type Suite = {
  readonly name: string
  /** File in scenarios/, without .sh. */
  readonly scenario: string
  readonly layers: readonly Layer[]
  readonly timeoutS: number
  readonly memoryMiB?: number
  readonly dom0MiB?: number
  readonly environment?: Readonly<Record<string, string>>
}

/**
 * Time limits are several times what a quiet machine takes: they end what hangs, they measure
 * nothing.
 */
export const suites: readonly Suite[] = [
  { name: 'stock-smoke', scenario: 'stock-smoke', layers: [], timeoutS: 240 },
  {
    name: 'stock-oxenstored',
    scenario: 'stock-smoke',
    layers: [],
    timeoutS: 240,
    environment: { STORE: 'oxenstored' },
  },
  { name: 'stock-linux', scenario: 'stock-linux', layers: ['linux'], timeoutS: 300 },
]
