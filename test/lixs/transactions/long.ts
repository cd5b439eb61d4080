/**
 * The long run of the serial-order checker.
 *
 *   node --import tsx test/lixs/transactions/long.ts [--histories N] [--seed S] [--requests R]
 *
 * Ends with 1, and prints the history, at the first one that has no serial order.
 */
import { parseArgs } from 'node:util'
import { Chance } from '../connection/isolation.ts'
import { Player } from './player.ts'
import { findSerialOrder } from './serial-order.ts'

/** The player's daemon is made anew after so many. */
const PER_DAEMON = 500

const { values } = parseArgs({
  options: {
    histories: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    requests: { type: 'string', default: '150' },
  },
})
const histories = Number(values.histories)
const chance = new Chance(Number(values.seed))
let commits = 0
let conflicts = 0
let units = 0
let undecided = 0
let player = await Player.open()
for (let done = 0; done < histories; done++) {
  if (done % PER_DAEMON === PER_DAEMON - 1) {
    player.close()
    player = await Player.open()
    console.log(`${done + 1} histories: ${units} units, ${commits} commits, ${conflicts} conflicts`)
  }
  const history = await player.play(chance, Number(values.requests))
  commits += history.commits
  conflicts += history.conflicts
  units += history.units.length
  const verdict = findSerialOrder(history.units, history.start)
  if (verdict.kind === 'undecided') undecided++
  if (verdict.kind !== 'unexplained') continue
  console.log(`history ${done} of seed ${values.seed} has no serial order`)
  for (const unit of history.units) console.log(JSON.stringify(unit))
  console.log(`explained until ${JSON.stringify(verdict.longest.at(-1))}`)
  process.exitCode = 1
  break
}
player.close()
console.log(
  `${histories} histories: ${units} units, ${commits} commits, ${conflicts} conflicts, ${undecided} undecided`,
)
