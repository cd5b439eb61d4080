/**
 * `npm run bench`: the store's operations and the simulated machine's with one guest and with ten
 * thousand, the end of a domain among a hundred and among ten thousand, then lixs on its socket beside
 * the C floor. Prints the tables beside the recorded baseline.
 *
 *   npm run bench -- [--save] [--only store|simulator|death|sockets] [--json FILE]
 *
 * What is compared with the baseline are ratios, which the machine's speed cancels out of: many
 * guests against few, and lixs against the floor. A ratio is called worse when it is more than
 * NOISE above the baseline's.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { benchDeath, type DeathBench } from './lixs/death.bench.ts'
import { benchStore, type StoreBench } from './lixs/store/store.bench.ts'
import { benchSimulator, type SimulatorBench } from './native/simulator.bench.ts'
import { benchSockets, type SocketResult } from './sockets.ts'

const BASELINE = join(import.meta.dirname, 'baseline.json')
const GUESTS = 10_000
const FEW_DOMAINS = 100
const NODES_AT_DEATH = 500_000
const DEATHS = 301
/** What the end of a domain may cost among many, as a multiple of what it costs among few. */
const DEATH_RATIO = 1.1
/** What ratios of two runs of the same code differ by here, seen over several runs. */
const NOISE = 1.25

interface Report {
  readonly machine: string
  /** Load before the run: what others were doing. */
  readonly loadBefore: number
  readonly store?: StoreBench
  readonly simulator?: SimulatorBench
  readonly death?: DeathBench
  readonly sockets?: readonly SocketResult[]
}

type Baseline = Readonly<Record<string, number>>

function ratiosOf(report: Report): Record<string, number> {
  const ratios: Record<string, number> = {}
  for (const row of report.store?.results ?? []) {
    ratios[`store: ${row.name}`] = row.manyNs / row.fewNs
  }
  for (const row of report.simulator?.results ?? []) {
    ratios[`simulator: ${row.name}`] = row.manyNs / row.fewNs
  }
  for (const row of report.death?.results ?? []) {
    ratios[`death: ${row.name}`] = row.manyNs / row.fewNs
  }
  for (const row of report.sockets ?? []) ratios[`socket: ${row.name}`] = row.ratio.median
  return ratios
}

/** `1.31`, and what became of it since the baseline. */
function verdict(name: string, ratios: Baseline, baseline: Baseline): string {
  const now = ratios[name] ?? Number.NaN
  const before = baseline[name]
  if (before === undefined) return `${now.toFixed(2).padStart(6)}   (new)`
  const change = now > before * NOISE ? 'WORSE' : now * NOISE < before ? 'better' : 'same'
  return `${now.toFixed(2).padStart(6)}   was ${before.toFixed(2)}, ${change}`
}

function print(report: Report, baseline: Baseline): void {
  const ratios = ratiosOf(report)
  console.log(`${report.machine}, load before: ${report.loadBefore.toFixed(1)}`)
  if (report.store !== undefined) {
    printTable('store', report.store.results, ratios, baseline)
    console.log(`  resident bytes a node, at 1,000,000: ${report.store.bytesPerNode.toFixed(0)}`)
  }
  if (report.simulator !== undefined) {
    printTable('simulator', report.simulator.results, ratios, baseline)
  }
  if (report.death !== undefined) printDeath(report.death, ratios, baseline)
  if (report.sockets !== undefined) {
    console.log(`\nsocket${' '.repeat(28)}floor          lixs   lixs slower by (median, min–max)`)
    for (const { name, floor, lixs, ratio } of report.sockets) {
      const figures = `${floor.median.toFixed(1).padStart(14)}${lixs.median.toFixed(1).padStart(14)}`
      const range = `${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)}`
      const said = verdict(`socket: ${name}`, ratios, baseline)
      console.log(`  ${name.padEnd(24)}${figures}   ${said} (${range})`)
    }
  }
}

/** What costs how much with one guest, and with many. */
function printTable(
  title: string,
  rows: StoreBench['results'] | SimulatorBench['results'],
  ratios: Baseline,
  baseline: Baseline,
): void {
  console.log(`\n${`${title}, median ns`.padEnd(33)}1 guest  ${GUESTS} guests    ratio`)
  for (const { name, fewNs, manyNs } of rows) {
    const figures = `${fewNs.toFixed(0).padStart(12)}${manyNs.toFixed(0).padStart(14)}`
    console.log(
      `  ${name.padEnd(26)}${figures}   ${verdict(`${title}: ${name}`, ratios, baseline)}`,
    )
  }
}

/** What the end of a domain costs; where Xen does not say whose it was, apart: that one grows. */
function printDeath(
  { few, many, nodes, results, listed }: DeathBench,
  ratios: Baseline,
  baseline: Baseline,
): void {
  console.log(
    `\nend of a domain, median ns, ${nodes} nodes${String(few).padStart(7)}${String(many).padStart(14)}    ratio`,
  )
  for (const { name, fewNs, manyNs } of results) {
    const figures = `${fewNs.toFixed(0).padStart(12)}${manyNs.toFixed(0).padStart(14)}`
    const isMet = manyNs / fewNs <= DEATH_RATIO ? '' : `, more than ${DEATH_RATIO}`
    console.log(
      `  ${name.padEnd(26)}${figures}   ${verdict(`death: ${name}`, ratios, baseline)}${isMet}`,
    )
  }
  for (const { name, fewNs, manyNs } of listed) {
    console.log(
      `  ${name.padEnd(26)}${fewNs.toFixed(0).padStart(12)}${manyNs.toFixed(0).padStart(14)}   (listed)`,
    )
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      save: { type: 'boolean' },
      only: { type: 'string' },
      json: { type: 'string' },
    },
  })
  const loadBefore = loadavg()[0] ?? 0
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}`
  const say = (text: string) => process.stderr.write(`${text}\n`)
  let report: Report = { machine, loadBefore }
  const isWanted = (part: string) => values.only === undefined || values.only === part
  if (isWanted('store')) {
    say(`store: 1,000,000 nodes, then 1 and ${GUESTS} guests`)
    report = { ...report, store: await benchStore(GUESTS) }
  }
  if (isWanted('simulator')) {
    say(`simulated machine: 1 and ${GUESTS} guests`)
    report = { ...report, simulator: await benchSimulator(GUESTS) }
  }
  if (isWanted('death')) {
    say(`end of a domain: ${FEW_DOMAINS} and ${GUESTS} domains, ${NODES_AT_DEATH} nodes each`)
    report = { ...report, death: benchDeath(FEW_DOMAINS, GUESTS, NODES_AT_DEATH, DEATHS) }
  }
  if (isWanted('sockets')) report = { ...report, sockets: await benchSockets(say) }
  const baseline: Baseline = existsSync(BASELINE) ? JSON.parse(readFileSync(BASELINE, 'utf8')) : {}
  print(report, baseline)
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(report, null, 2))
  if (values.save === true) {
    const merged = { ...baseline, ...ratiosOf(report) }
    writeFileSync(BASELINE, `${JSON.stringify(merged, null, 2)}\n`)
  }
}

await main()
