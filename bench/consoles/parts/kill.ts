/** kill -9 of consoled again and again while guests print and viewers look. */
import { setTimeout } from 'node:timers/promises'
import type { Bench } from '../bench.ts'
import type { Finding } from '../findings.ts'
import { printTo } from './print.ts'

export async function kill(bench: Bench): Promise<Finding[]> {
  const { kills, seconds, viewers: count } = bench.sizes
  const host = await bench.fullHost()
  const daemon = await bench.start('consoled', host)
  try {
    let done = 0
    const { logs, viewers } = await printTo(bench, host, daemon, count, seconds, async () => {
      for (; done < kills; done++) {
        await setTimeout((seconds * 1000) / (kills + 1))
        bench.say(`kill -9, ${done + 1} of ${kills}`)
        await daemon.restart()
      }
    })
    const wrong = logs.lostLines + logs.repeatedLines + logs.strangeLines
    return [
      {
        name: `kill: lines lost, repeated or cut in ${done} kills`,
        unit: '',
        value: wrong,
        target: { bound: 0 },
        note: `${logs.lostLines} lost, ${logs.repeatedLines} repeated, ${logs.strangeLines} cut; viewers attached ${viewers.attached} times`,
      },
      {
        name: 'kill: logs equal to what guests printed',
        unit: '',
        value: logs.equal,
        target: { bound: logs.guests, isAtLeast: true },
      },
    ]
  } finally {
    await bench.stop(daemon)
  }
}
