/**
 * `npm run bench:consoles`: consoled with ten thousand guests on a simulated machine, beside a floor that only reads
 * rings and writes logs, and beside Debian's xenconsoled.
 *
 * Exit codes: 0; 1 when something failed that is not a figure, or consoled lost, repeated or cut a line; a figure that is
 * not reached is told.
 */
import { constants } from 'node:os'
import { parseArgs } from 'node:util'
import { computerText, loadNow, loadText, machineNow } from '../report/machine.ts'
import { checkOutput, writeOutput } from '../start/output-file.ts'
import { Progress } from '../start/progress.ts'
import { Bench, type Sizes } from './bench.ts'
import { type Beside, besideTable, defectiveRows } from './beside.ts'
import { chart } from './chart.ts'
import { defectsOf, type Finding, findingsTable, isHeld } from './findings.ts'
import { beside } from './parts/beside.ts'
import { idle } from './parts/idle.ts'
import { kill } from './parts/kill.ts'
import { memory } from './parts/memory.ts'
import { print } from './parts/print.ts'
import { storm } from './parts/storm.ts'

const WHOLE: Sizes = {
  guests: 10_000,
  viewers: 100,
  seconds: 60,
  idleSeconds: 60,
  kills: 10,
  beside: [100, 1000, 2000, 4000, 6000, 8000, 10_000],
  besideSeconds: 20,
}
const QUICK: Sizes = {
  ...WHOLE,
  guests: 1000,
  seconds: 10,
  idleSeconds: 10,
  beside: [100, 1000],
  besideSeconds: 5,
}

/** Those whose figures have targets. */
const PARTS = { print, idle, storm, memory, kill } as const
const NAMES = ['print', 'idle', 'storm', 'memory', 'kill', 'beside'] as const
type PartName = (typeof NAMES)[number]

const HELP = `Usage: npm run bench:consoles -- [OPTION]…

Measures consoled with many guests on a simulated machine, beside a floor that only reads rings and writes logs, and
beside Debian's xenconsoled; each figure that has a target is told with it.
Ends with 1 when consoled lost, repeated or cut a line, in a log or for a viewer, or when nothing could be measured; with 0
though other figures miss their targets, which depend on the computer.

  --quick        ${QUICK.guests} guests in place of ${WHOLE.guests}, and shorter
  --only WORDS   only these parts, with commas between: ${NAMES.join(', ')}
  --guests N     so many guests, beside the stock daemon as many as ever
  --seconds S    so long they print
  --json FILE    write the figures to this file, too
  --svg FILE     draw what the part called beside found
  --help         this text

Examples:
  npm run bench:consoles -- --quick                everything, on a small scale
  npm run bench:consoles -- --only print,storm     two parts, while working at them
`

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      guests: { type: 'string' },
      seconds: { type: 'string' },
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
  const usual = values.quick ? QUICK : WHOLE
  const sizes: Sizes = {
    ...usual,
    guests: numberFrom('--guests', values.guests) ?? usual.guests,
    seconds: numberFrom('--seconds', values.seconds) ?? usual.seconds,
  }
  const wanted = partsFrom(values.only)
  const loadBefore = loadNow()
  const progress = new Progress(process.stderr, () => performance.now())
  const bench = await Bench.make(sizes, progress)
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(name, () =>
      bench.close().finally(() => process.exit(128 + constants.signals[name])),
    )
  }
  const findings: Finding[] = []
  const rows: Beside[] = []
  try {
    for (const name of wanted) {
      if (name === 'beside') rows.push(...(await beside(bench)))
      else findings.push(...(await PARTS[name](bench)))
    }
  } finally {
    await bench.close()
  }
  const machine = machineNow(loadBefore)
  progress.say('')
  const lines = [
    computerText(machine),
    loadText(machine),
    '',
    ...(findings.length === 0 ? [] : [...findingsTable(findings), '']),
    ...besideTable(rows),
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
  if (values.json !== undefined) {
    const judged = findings.map((finding) => ({ ...finding, isHeld: isHeld(finding) ?? null }))
    const all = { machine, sizes, findings: judged, beside: rows }
    writeOutput(values.json, `${JSON.stringify(all, endless, 2)}\n`)
  }
  if (values.svg !== undefined) writeOutput(values.svg, chart(machine, rows))
  const defects = [
    ...defectsOf(findings).map(({ name }) => name),
    ...defectiveRows(rows).map(({ guests, daemon }) => `beside: ${guests} guests, ${daemon}`),
  ]
  if (defects.length > 0) throw new Error(`defects: ${defects.join('; ')}`)
}

/** JSON has no Infinity; null would be what was not measured. */
function endless(_: string, value: unknown): unknown {
  return value === Number.POSITIVE_INFINITY ? 'Infinity' : value
}

/** @throws Error with a sentence */
function numberFrom(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const number = Number(text)
  if (!Number.isInteger(number) || number < 1) throw new Error(`${option}: ${text} is no number`)
  return number
}

/** @throws Error with a sentence */
function partsFrom(words: string | undefined): readonly PartName[] {
  if (words === undefined) return NAMES
  const asked = words.split(',')
  const unknown = asked.find((name) => !NAMES.some((part) => part === name))
  if (unknown !== undefined) throw new Error(`--only: ${unknown} is none of ${NAMES.join(', ')}`)
  return NAMES.filter((name) => asked.includes(name))
}

try {
  await main()
} catch (error) {
  process.stderr.write(
    `bench:consoles: ${error instanceof Error ? error.message : String(error)}\n`,
  )
  process.exitCode = 1
}
