/** Nobody says anything: consoled does nothing. */
import { setTimeout } from 'node:timers/promises'
import { usageOf } from '../../start/proc.ts'
import type { Bench } from '../bench.ts'
import type { Finding } from '../findings.ts'

/** For what a daemon does when it has started. */
const CALM_MS = 5000

export async function idle(bench: Bench): Promise<Finding[]> {
  const { idleSeconds, guests } = bench.sizes
  const host = await bench.fullHost()
  const daemon = await bench.start('consoled', host)
  try {
    await setTimeout(CALM_MS)
    bench.say(`${guests} guests are idle for ${idleSeconds} s`)
    const ticks = () => usageOf(daemon.pid)?.cpuTicks ?? Number.NaN
    const before = ticks()
    await setTimeout(idleSeconds * 1000)
    return [
      {
        name: `idle: clock ticks in ${idleSeconds} s`,
        unit: '',
        value: ticks() - before,
        target: { bound: 2 },
        note: `${guests} guests`,
      },
    ]
  } finally {
    await bench.stop(daemon)
  }
}
