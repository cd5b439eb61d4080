/**
 * `npm run bench:peers`: lixs beside Debian's xenstored and oxenstored and beside a floor that stores nothing,
 * all asked by the same load, in turn.
 *
 * Exit codes: 0; 1 when something failed that is not a daemon's answer; what lixs does not reach is told.
 */
import { constants } from 'node:os'
import { parseArgs } from 'node:util'
import { loadNow } from '../report/machine.ts'
import { checkOutput, writeOutput } from '../start/output-file.ts'
import { Progress } from '../start/progress.ts'
import { chart } from './chart.ts'
import { jsonText } from './json.ts'
import { machineOf, machineText } from './machine.ts'
import { PEERS, type Peer } from './peers.ts'
import { Run } from './run.ts'
import type { Stage } from './scenario.ts'
import { stages } from './stages.ts'
import { legend, table } from './table.ts'
import { verdicts, verdictTable } from './targets.ts'

const WHOLE = { rounds: 5, seconds: 0.35, idleSeconds: 60, populationS: 60 } as const
const QUICK = { ...WHOLE, rounds: 2, seconds: 0.25 } as const

const HELP = `Usage: npm run bench:peers -- [OPTION]…

Measures lixs beside Debian's xenstored and oxenstored and beside a floor that stores nothing, all asked by the same
load, in turn; each figure that has a target is told with it.

  --quick        ${QUICK.rounds} shorter rounds in place of ${WHOLE.rounds}: 10 minutes in place of 20
  --only WORDS   only stages and rows that have these words in their name: 'remove all', '10,000 rings active'
  --peers NAMES  only these, with commas between: ${PEERS.join(', ')}
  --rounds N     so many rounds of each scenario
  --json FILE    write the figures to this file, too
  --svg FILE     draw them
  --help         this text

Examples:
  npm run bench:peers -- --quick                                everything
  npm run bench:peers -- --only '1 guest' --peers floor,lixs    one stage, while working at it
`

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      peers: { type: 'string' },
      rounds: { type: 'string' },
      json: { type: 'string' },
      svg: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(HELP)
    return
  }
  for (const file of [values.json, values.svg]) if (file !== undefined) checkOutput(file)
  const loadBefore = loadNow()
  const progress = new Progress(process.stderr, () => performance.now())
  const usual = values.quick ? QUICK : WHOLE
  const wanted = wantedOf(stages(usual), values.only)
  if (wanted.length === 0) throw new Error(`--only: nothing is called ${values.only}`)
  const rounds = roundsFrom(values.rounds) ?? usual.rounds
  const run = new Run({ ...usual, rounds, peers: peersFrom(values.peers) }, progress)
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(name, () => run.close().finally(() => process.exit(128 + constants.signals[name])))
  }
  const results = await run.measure(wanted).finally(() => run.close())
  const machine = machineOf(results, loadBefore)
  const said = verdicts(results)
  progress.say('')
  const lines = [
    ...machineText(machine),
    ...legend(rounds, wanted),
    '',
    ...table(results),
    '',
    ...verdictTable(said),
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
  if (values.json !== undefined) writeOutput(values.json, jsonText(machine, results, said))
  if (values.svg !== undefined) writeOutput(values.svg, chart(machine, results))
}

/** @throws Error with a sentence */
function peersFrom(names: string | undefined): readonly Peer[] {
  if (names === undefined) return PEERS
  const wanted = names.split(',')
  const unknown = wanted.find((name) => !PEERS.some((peer) => peer === name))
  if (unknown !== undefined) throw new Error(`--peers: ${unknown} is none of ${PEERS.join(', ')}`)
  return PEERS.filter((peer) => wanted.includes(peer))
}

function roundsFrom(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const rounds = Number(text)
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds: ${text} is no number`)
  return rounds
}

/** Stages and scenarios that have these words in their name. */
function wantedOf(all: readonly Stage[], words: string | undefined): readonly Stage[] {
  if (words === undefined) return all
  const has = (name: string): boolean => name.includes(words)
  return all.flatMap(({ idle, ...stage }) => {
    if (has(stage.name)) return [idle === undefined ? stage : { ...stage, idle }]
    const scenarios = stage.scenarios.filter(({ rows }) => rows.some(({ name }) => has(name)))
    const isIdleWanted = idle !== undefined && has(idle.row.name)
    if (scenarios.length === 0 && !isIdleWanted) return []
    return [{ ...stage, scenarios, ...(isIdleWanted ? { idle } : {}) }]
  })
}

try {
  await main()
} catch (error) {
  process.stderr.write(`bench:peers: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
