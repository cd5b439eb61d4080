/**
 * `npm run bench`: the hot modules by themselves, the law that ten thousand guests cost what one does, and lixs on
 * its socket beside the C floor; each beside the recorded baseline, with a verdict that knows its own noise.
 *
 * Exit codes: 0; 1 with --check when something is worse, or when something failed; 2: the command line is wrong.
 */
import { writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { MODULES, type Module, modulesCalled } from './modules.ts'
import { baselineOf, judge, readBaseline, writeBaseline } from './report/baseline.ts'
import { benchTable } from './report/bench-table.ts'
import { askProcess, measureModules, type Rows } from './report/processes.ts'
import { ROUNDS_MIN } from './report/series.ts'

const BASELINE = join(import.meta.dirname, 'baseline.json')
const ROUNDS = 6
const HELP = `Usage: npm run bench -- [OPTION]…

Measures the hot modules, each round in a process of its own, and tells what has become of them since the baseline.

  --only MODULE    only modules whose place has this in it: lixs/store, perms, sockets; see --list
  --rounds N       rounds of each module (default ${ROUNDS}, at least ${ROUNDS_MIN}); more of them see smaller changes
  --check          exit with 1 when anything is worse than the baseline
  --save           record what was found as the baseline; on a machine that does nothing else
  --baseline FILE  compare with this file, and save to it, in place of bench/baseline.json
  --json FILE      write rounds and verdicts to this file, too
  --list           name the modules
  --help           this text

Each round is divided by work that never changes, measured right beside it; that is the figure. A change is told
when the medians are further apart than three deviations of a round, of both runs together ("noise").
What seems worse is measured once more before it is called so.

Examples:
  npm run bench                                    everything: three minutes
  npm run bench -- --only lixs/store/perms         one module, while working at it
  npm run bench -- --only native --rounds 15       smaller changes
  npm run bench -- --only perms --save --baseline /tmp/before.json
                                                   before a change; without --save after it
  npm run bench -- --save                          a new baseline; commit bench/baseline.json
  npm run bench -- --check                         for a script: did anything get worse?
`

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      rounds: { type: 'string', default: String(ROUNDS) },
      check: { type: 'boolean', default: false },
      save: { type: 'boolean', default: false },
      baseline: { type: 'string', default: BASELINE },
      json: { type: 'string' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      // What a process of one round is started with.
      one: { type: 'string' },
    },
  })
  if (values.help) return say(HELP)
  if (values.list) return say(MODULES.map(({ name }) => `${name}\n`).join(''))
  const modules = modulesCalled(values.only ?? '')
  const rounds = Number(values.rounds)
  if (modules.length === 0) throw new TypeError(`--only: no module has ${values.only} in its place`)
  if (!Number.isInteger(rounds) || rounds < ROUNDS_MIN) {
    throw new TypeError(`--rounds: ${values.rounds} is no number from ${ROUNDS_MIN} on`)
  }
  if (values.one !== undefined) {
    const module = MODULES.find(({ name }) => name === values.one)
    if (module === undefined) throw new TypeError(`--one: there is no module ${values.one}`)
    return say(JSON.stringify(await module.run()))
  }
  const baseline = readBaseline(values.baseline)
  if (values.check && baseline === undefined) throw new Error('there is no baseline; see --save')
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.version}`
  const loadBefore = loadavg()[0] ?? 0
  const measure = (wanted: readonly Module[]) =>
    measureModules(wanted, rounds, askProcess(import.meta.filename), (step) =>
      process.stderr.write(`${step}\n`),
    )
  let found = await measure(modules)
  const doubted = new Set(
    judge(found, baseline)
      .filter(({ comparison }) => comparison?.verdict === 'worse')
      .map(({ row }) => row.module),
  )
  if (doubted.size > 0 && !values.save) {
    process.stderr.write('what seems worse is measured once more\n')
    found = together(found, await measure(modules.filter(({ name }) => doubted.has(name))))
  }
  const judged = judge(found, baseline)
  const now = baselineOf(found, machine, loadBefore)
  const worse = judged.filter(({ comparison }) => comparison?.verdict === 'worse')
  const about = [
    `${machine}, load before: ${loadBefore.toFixed(1)}`,
    `One round of work that never changes strays by ${(now.resolution * 100).toFixed(1)} %.`,
  ]
  if (baseline === undefined) about.push('There is no baseline yet; see --save.')
  else if (baseline.machine !== machine) about.push(`The baseline is of ${baseline.machine}.`)
  const end = baseline === undefined ? [] : ['', `${worse.length} of ${judged.length} are worse.`]
  say(`${[...about, '', ...benchTable(judged), ...end].join('\n')}\n`)
  if (values.json !== undefined) {
    writeFileSync(values.json, `${JSON.stringify({ ...now, judged }, null, 2)}\n`)
  }
  if (values.save) writeBaseline(values.baseline, now, baseline)
  return values.check && worse.length > 0 ? 1 : 0
}

/** Rounds of a second run, put to those of the first. */
function together(first: Rows, second: Rows): Rows {
  const rows = first.rows.map((row) => {
    const again = second.rows.find(({ module, name }) => module === row.module && name === row.name)
    if (again === undefined) return row
    const figures = [...row.figures, ...again.figures]
    return { ...row, figures, amounts: [...row.amounts, ...again.amounts] }
  })
  return { rows, controls: [...first.controls, ...second.controls] }
}

function say(text: string): number {
  process.stdout.write(text)
  return 0
}

try {
  process.exitCode = await main()
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = error instanceof TypeError ? 2 : 1
}
