/** kill -9 of consoled again and again while guests print and viewers look. */
import { setTimeout } from 'node:timers/promises'
import type { Bench } from '../bench.ts'
import { servesAgain } from '../daemons.ts'
import type { Finding } from '../findings.ts'
import { printTo } from './print.ts'

/** Until a daemon that was restarted serves all guests. */
const RETURN_LIMIT_S = 60

export async function kill(bench: Bench): Promise<Finding[]> {
  const { kills, seconds, viewers: count } = bench.sizes
  const host = await bench.fullHost()
  const others = await host.portsHeld()
  const daemon = await bench.start('consoled', host)
  try {
    let done = 0
    let whilePrinting = 0
    const end = performance.now() + seconds * 1000
    const { logs, viewers } = await printTo(bench, host, daemon, count, seconds, async () => {
      for (; done < kills; done++) {
        await setTimeout((seconds * 1000) / (kills + 1))
        bench.say(`kill -9, ${done + 1} of ${kills}`)
        if (performance.now() < end) whilePrinting++
        await daemon.restart()
        await servesAgain(daemon, host, others, RETURN_LIMIT_S)
      }
    })
    const wrong = logs.lostLines + logs.repeatedLines + logs.strangeLines
    return [
      {
        name: `kill: lines lost, repeated or cut in ${done} kills`,
        unit: '',
        value: wrong,
        target: { bound: 0, isExact: true },
        note: `${logs.lostLines} lost, ${logs.repeatedLines} repeated, ${logs.strangeLines} cut; viewers attached ${viewers.attached} times`,
      },
      {
        name: 'kill: of a daemon that served all guests',
        unit: '',
        value: done,
        note: `${whilePrinting} while guests printed`,
      },
      {
        name: 'kill: lines missed or seen twice by who came back',
        unit: '',
        value: viewers.returning.outOfOrder,
        target: { bound: 0, isExact: true },
        note: `they came back ${viewers.returning.times} times and saw ${viewers.returning.lines} lines`,
      },
      {
        name: 'kill: logs equal to what guests printed',
        unit: '',
        value: logs.equal,
        target: { bound: logs.guests, isAtLeast: true, isExact: true },
      },
    ]
  } finally {
    await bench.stop(daemon)
  }
}
