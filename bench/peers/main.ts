/**
 * `npm run bench:peers`: lixs beside Debian's xenstored and oxenstored and beside a floor that stores nothing,
 * all asked by the same load, in turn.
 *
 *   npm run bench:peers -- [--quick] [--only WORDS] [--peers floor,lixs,…] [--rounds N] [--json FILE] [--svg FILE]
 */
import { parseArgs } from 'node:util'
import { writeOutput } from '../start/output-file.ts'
import { Progress } from '../start/progress.ts'
import { loadNow, machineOf, machineText } from './machine.ts'
import { PEERS, type Peer } from './peers.ts'
import { run } from './run.ts'
import { type Scenario, scenarios } from './scenarios.ts'
import { table } from './table.ts'
import { verdicts, verdictTable } from './targets.ts'

const ROUNDS = 5
const QUICK_ROUNDS = 2
const SECONDS = 0.5

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean' },
      only: { type: 'string' },
      peers: { type: 'string' },
      rounds: { type: 'string' },
      json: { type: 'string' },
    },
  })
  const loadBefore = loadNow()
  const progress = new Progress(process.stderr, () => performance.now())
  const peers = peersFrom(values.peers)
  const rounds = Number(values.rounds ?? (values.quick ? QUICK_ROUNDS : ROUNDS))
  const wanted = scenarios(SECONDS).filter((scenario) => isWanted(scenario, values.only))
  const results = await run(wanted, { peers, rounds }, progress)
  const machine = machineOf(results, loadBefore)
  progress.say('')
  for (const line of [
    ...machineText(machine),
    '',
    ...table(results),
    '',
    ...verdictTable(verdicts(results)),
  ]) {
    process.stdout.write(`${line}\n`)
  }
  if (values.json !== undefined) writeOutput(values.json, JSON.stringify({ machine }, null, 2))
}

function peersFrom(names: string | undefined): readonly Peer[] {
  if (names === undefined) return PEERS
  const wanted = names.split(',')
  const unknown = wanted.find((name) => !PEERS.some((peer) => peer === name))
  if (unknown !== undefined) throw new Error(`--peers: ${unknown} is none of ${PEERS.join(', ')}`)
  return PEERS.filter((peer) => wanted.includes(peer))
}

function isWanted({ rows }: Scenario, only: string | undefined): boolean {
  return only === undefined || rows.some(({ name }) => name.includes(only))
}

await main()
