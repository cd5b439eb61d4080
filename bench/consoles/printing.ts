/** Guests print, and what it costs whom is measured. */
import { setTimeout } from 'node:timers/promises'
import { TICKS_PER_SECOND, usageOf } from '../start/proc.ts'
import type { ConsoleDaemon } from './daemons.ts'
import type { ConsoleHost } from './host.ts'
import { compareLogs, type LogFindings } from './logs.ts'

const PAUSE_MS = 20

/** CPU of a stretch of time, in seconds. */
export interface CpuSpent {
  readonly wallS: number
  readonly daemonS: number
  readonly simulatorS: number
  /** Of this process, whose viewers look. */
  readonly driverS: number
}

/** Nobody takes what the guests print. */
export class NotDrained extends Error {}

/** Measures from now on. @returns ends it */
export function measureCpu(host: ConsoleHost, { pid }: ConsoleDaemon): () => CpuSpent {
  const now = () => ({
    wallS: performance.now() / 1000,
    daemonS: cpuS(pid),
    simulatorS: cpuS(host.simulator.pid),
    driverS: process.cpuUsage().user / 1e6 + process.cpuUsage().system / 1e6,
  })
  const before = now()
  return () => {
    const after = now()
    return {
      wallS: after.wallS - before.wallS,
      daemonS: after.daemonS - before.daemonS,
      simulatorS: after.simulatorS - before.simulatorS,
      driverS: after.driverS - before.driverS,
    }
  }
}

/** Settles when all that the guests were to print has been taken. @throws NotDrained */
export async function untilDrained(host: ConsoleHost, limitS: number): Promise<void> {
  const deadline = performance.now() + limitS * 1000
  for (;;) {
    const { left, unread } = await host.simulator.printing()
    if (left === 0 && unread === 0) return
    if (performance.now() > deadline) {
      throw new NotDrained(`${unread} bytes and ${left} lines were not taken after ${limitS} s`)
    }
    await setTimeout(PAUSE_MS)
  }
}

/** What is in the logs now, against what the guests have printed. */
export async function logsOf(host: ConsoleHost, daemon: ConsoleDaemon): Promise<LogFindings> {
  const printed = await host.simulator.printed()
  return compareLogs(host.guests, printed, (guest) => daemon.logOf(guest))
}

function cpuS(pid: number): number {
  return (usageOf(pid)?.cpuTicks ?? Number.NaN) / TICKS_PER_SECOND
}
