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
  /** Measures, so that nothing may run beside it. */
  readonly alone?: boolean
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
  { name: 'contract', scenario: 'contract', layers: ['node', 'ours'], timeoutS: 300 },
  { name: 'ours', scenario: 'ours', layers: ['node', 'ours'], timeoutS: 600 },
  {
    name: 'ours-devices',
    scenario: 'ours-devices',
    layers: ['node', 'linux', 'ours'],
    timeoutS: 600,
  },
  { name: 'commands', scenario: 'commands', layers: ['node', 'ours'], timeoutS: 400 },
  { name: 'readme', scenario: 'readme', layers: ['node', 'ours'], timeoutS: 240 },
  { name: 'ours-xl', scenario: 'ours-xl', layers: ['node', 'linux', 'ours'], timeoutS: 600 },
  { name: 'consoles', scenario: 'consoles', layers: ['node', 'linux', 'ours'], timeoutS: 900 },
  { name: 'attack', scenario: 'attack', layers: ['node', 'linux', 'ours'], timeoutS: 900 },
  { name: 'live-update', scenario: 'live-update', layers: ['node', 'ours'], timeoutS: 300 },
  {
    name: 'live-update-xenstored',
    scenario: 'live-update',
    layers: ['node', 'ours'],
    timeoutS: 300,
    environment: { STORE: 'xenstored' },
  },
  mix('lixs', 'xenconsoled', 'xl'),
  mix('xenstored', 'consoled', 'xl'),
  mix('oxenstored', 'consoled', 'xl'),
  mix('xenstored', 'xenconsoled', 'xcl'),
  { name: 'many', scenario: 'many', layers: ['node', 'ours'], timeoutS: 600 },
  { name: 'ratio', scenario: 'ratio', layers: ['node', 'ours'], timeoutS: 600, alone: true },
]

/** One of ours among stock ones. A boot each: a store daemon is not exchanged under running guests. */
function mix(store: string, consoles: string, toolstack: string): Suite {
  return {
    name: `mix-${store}-${consoles}-${toolstack}`,
    scenario: 'mix',
    layers: ['node', 'ours'],
    timeoutS: 300,
    environment: { STORE: store, CONSOLES: consoles, TOOL_NAME: toolstack },
  }
}
