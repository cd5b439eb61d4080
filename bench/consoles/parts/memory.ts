/** What each guest takes of consoled's own memory. */
import { setTimeout } from 'node:timers/promises'
import { privateKiBOf } from '../../start/proc.ts'
import type { Bench } from '../bench.ts'
import type { Finding } from '../findings.ts'
import type { ConsoleHost } from '../host.ts'
import { untilDrained } from '../printing.ts'

const DRAIN_LIMIT_S = 60
/** For what a daemon does when it has started, or has been busy. */
const CALM_MS = 3000

export async function memory(bench: Bench): Promise<Finding[]> {
  const full = await bench.fullHost()
  const withAll = await privateKiB(bench, full)
  const withNone = await privateKiB(bench, await bench.newHost())
  const { guests } = bench.sizes
  return [
    {
      name: 'memory: of consoled for each guest',
      unit: 'KiB',
      value: (withAll - withNone) / guests,
      target: { bound: 8 },
      note: `private memory (smaps_rollup), all logs open, each has printed: ${withAll} KiB, without guests ${withNone} KiB`,
    },
  ]
}

async function privateKiB(bench: Bench, host: ConsoleHost): Promise<number> {
  const daemon = await bench.start('consoled', host)
  try {
    await host.simulator.print(1)
    await untilDrained(host, DRAIN_LIMIT_S)
    await setTimeout(CALM_MS)
    return privateKiBOf(daemon.pid)
  } finally {
    await bench.stop(daemon)
  }
}
