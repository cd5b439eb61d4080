/** All guests work: so many store writes and console lines per second each, for a while. */
import { countLines } from '../console-logs.ts'
import type { Guests } from '../guests.ts'
import type { LogDirectory } from '../log-directory.ts'
import { TICKS_PER_SECOND } from '../proc.ts'
import { forEachProcess, type Processes, type ProcessName } from '../processes.ts'

/** How long the last replies and lines may be on their way. */
const PATIENCE_MS = 5000
const PAUSE_MS = 50

export interface WorkFigures {
  readonly seconds: number
  /** Of each guest, per second. */
  readonly rate: number
  /** Store requests of the guests, and those that no reply came to. */
  readonly requests: number
  readonly lost: number
  /** Turns of guests that came before they were through with the one before, and were left out. */
  readonly missed: number
  /** Lines that the guests printed, and those that came into their logs. */
  readonly lines: number
  readonly linesLogged: number
  readonly cpuS: Readonly<Record<ProcessName, number>>
  /** CPU of each process for one request and the line that goes with it. */
  readonly cpuUsPerRequest: Readonly<Record<ProcessName, number>>
}

interface WorkOptions {
  readonly seconds: number
  readonly rate: number
  readonly guests: Guests
  readonly logs: LogDirectory
}

export async function workAll(processes: Processes, options: WorkOptions): Promise<WorkFigures> {
  const { seconds, rate, guests, logs } = options
  const { simulator } = processes
  const linesBefore = countLines(guests, logs)
  const before = await simulator.stats()
  const usageBefore = processes.usage()
  await simulator.work(rate)
  await pause(seconds * 1000)
  await simulator.stopWork()
  const after = await answered(processes)
  const usageAfter = processes.usage()
  const since = (name: string): number => (after[name] ?? 0) - (before[name] ?? 0)
  const requests = since('requests')
  const lines = since('lines')
  const cpuS = forEachProcess(
    (name) => (usageAfter[name].cpuTicks - usageBefore[name].cpuTicks) / TICKS_PER_SECOND,
  )
  return {
    seconds,
    rate,
    requests,
    lost: requests - since('replies') - since('abandoned'),
    missed: since('missed'),
    lines,
    linesLogged: (await linesLogged(options, linesBefore + lines)) - linesBefore,
    cpuS,
    cpuUsPerRequest: forEachProcess((name) => (cpuS[name] * 1e6) / Math.max(1, requests)),
  }
}

/** The machine's counts once no request waits for its reply, or none comes any more. */
async function answered(processes: Processes): Promise<Record<string, number>> {
  const giveUpAt = performance.now() + PATIENCE_MS
  for (;;) {
    const stats = await processes.simulator.stats()
    if (stats.inFlight === 0 || performance.now() > giveUpAt) return stats
    await pause(PAUSE_MS)
  }
}

async function linesLogged({ guests, logs }: WorkOptions, wanted: number): Promise<number> {
  const giveUpAt = performance.now() + PATIENCE_MS
  for (;;) {
    const lines = countLines(guests, logs)
    if (lines >= wanted || performance.now() > giveUpAt) return lines
    await pause(PAUSE_MS)
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
