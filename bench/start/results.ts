/** What a run has measured, as the table, the file of `--json` and the picture take it. */
import type { CpuStep } from './cpu-track.ts'
import type { StartOptions } from './options.ts'
import type { DeathFigures } from './phases/deaths.ts'
import type { IdleFigures } from './phases/idle.ts'
import type { WorkFigures } from './phases/work.ts'
import { computerTicks, TICKS_PER_SECOND, type Usage } from './proc.ts'
import { forEachProcess, type ProcessName } from './processes.ts'
import type { Window } from './windows.ts'

/** One process: what it used while the guests were created, and what it held at the end of that. */
export interface ProcessFigures {
  readonly pid: number
  readonly cpuS: number
  readonly rssKiB: number
  /** The part of rssKiB that is shared with other processes: pages of guests. */
  readonly sharedKiB: number
}

/** How long guests took, in windows by guest count. */
export interface Latencies {
  /** Request to unpaused, for whoever asked. */
  readonly create: readonly Window[]
  /** The same inside xcld, without the way there and back. */
  readonly xcld: readonly Window[]
  /** Request to READY. */
  readonly ready: readonly Window[]
}

export interface Results {
  readonly options: StartOptions
  /** Guests that were created, and of these those that said READY. */
  readonly created: number
  readonly ready: number
  /** Guests that were not READY in time, so that the next one was asked for before. */
  readonly late: number
  /** Front ends that are Connected. */
  readonly connected: { readonly vif: number; readonly vbd: number }
  /** A sentence each. */
  readonly errors: readonly string[]
  /** Requests that came over rings while the guests were created, as lixs counts them. */
  readonly ringRequests: number
  readonly latencies: Latencies
  /** From the start of the program until all are READY and connected; then its parts. */
  readonly wallS: number
  readonly setUpS: number
  readonly warmUpS: number
  readonly createS: number
  readonly processes: Readonly<Record<ProcessName, ProcessFigures>>
  /** CPU that everybody else on this computer used while the guests were created. */
  readonly othersCpuS: number
  /** Empty for a run too short to tell. */
  readonly cpu: readonly CpuStep[]
  readonly idle: IdleFigures | undefined
  readonly work: WorkFigures | undefined
  readonly deaths: DeathFigures | undefined
  readonly logDir: string
  readonly runDir: string
}

type Usages = Readonly<Record<ProcessName, Usage>>

/** What they used between two looks. */
export function processFigures(
  before: Usages,
  after: Usages,
  pidOf: (name: ProcessName) => number,
): Record<ProcessName, ProcessFigures> {
  const of = (name: ProcessName): ProcessFigures => ({
    pid: pidOf(name),
    cpuS: (after[name].cpuTicks - before[name].cpuTicks) / TICKS_PER_SECOND,
    rssKiB: after[name].rssKiB,
    sharedKiB: after[name].sharedKiB,
  })
  return forEachProcess(of)
}

/** CPU that this computer has used for everything but our processes, and this one. */
export function othersCpuS(usages: Usages): number {
  const { user, system } = process.cpuUsage()
  const ours = Object.values(usages).reduce((sum, { cpuTicks }) => sum + cpuTicks, 0)
  return (computerTicks() - ours) / TICKS_PER_SECOND - (user + system) / 1e6
}
