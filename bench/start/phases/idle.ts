/** All guests rest: no process of ours has a reason to wake up. */
import { forEachProcess, type Processes, type ProcessName } from '../processes.ts'

/** What was put off while guests came, as a daemon's second look, is done by then. */
const SETTLE_MS = 3000

export interface IdleFigures {
  readonly seconds: number
  /** Clock ticks (10 ms) of each process. */
  readonly ticks: Readonly<Record<ProcessName, number>>
}

/** Looks at the processes' clocks, lets `seconds` go by, and looks again. */
export async function restAll(processes: Processes, seconds: number): Promise<IdleFigures> {
  await pause(SETTLE_MS)
  const before = processes.usage()
  await pause(seconds * 1000)
  const after = processes.usage()
  const ticks = forEachProcess((name) => after[name].cpuTicks - before[name].cpuTicks)
  return { seconds, ticks }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
