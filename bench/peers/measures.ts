/** How the figures of a scenario are got from a station: by the load, the machine, or the kernel. */
import { setTimeout } from 'node:timers/promises'
import { usageOf } from '../start/proc.ts'
import type { Load } from './load.ts'
import type { Measurement, Outcome } from './outcome.ts'
import type { Station } from './peers.ts'
import { domainFiles } from './population.ts'
import { clearTurns, longestTurnMs } from './turns.ts'

export type Measure =
  /** A command of the load; `NEWCOMERS`, `GUESTS` and `CONTROL` stand for paths of the station. */
  | { readonly kind: 'load'; readonly command: string }
  /** What the guests ask at their rings, as fast as they are answered. */
  | { readonly kind: 'rings'; readonly seconds: number }
  /** Of a station without rings, whose pages are the guests'. */
  | { readonly kind: 'memory' }
  /** The longest turn of the loop while these go on, each by a load of its own. */
  | { readonly kind: 'turns'; readonly commands: readonly string[] }

/** Of one round. Beside what the load says: what only some measures find. */
export interface Sample extends Measurement {
  /** MB, as `free` and the issue count: 1,000,000 bytes. */
  readonly rssMb?: number
  readonly longestTurnMs?: number
}

export type SampleOutcome =
  | { readonly kind: 'measured'; readonly sample: Sample }
  | Exclude<Outcome, { readonly kind: 'measured' }>

const NOTHING: Measurement = {
  operations: 0,
  seconds: 0,
  cpuSeconds: 0,
  retries: 0,
  latencyUs: { p50: 0, p90: 0, p99: 0, max: 0 },
}
/** So often a second is more than there is time for: guests never wait between two requests. */
const WITHOUT_PAUSE = 1e6
const KIB_PER_MB = 1e6 / 1024
/** For the rings to become quiet after their work. */
const CALM_MS = 50

/** @param limitS after which it is given up */
export async function sampleOf(
  measure: Measure,
  station: Station,
  limitS: number,
): Promise<SampleOutcome> {
  switch (measure.kind) {
    case 'load':
      return measured(await station.load.run(filledIn(measure.command, station), limitS))
    case 'rings':
      return await workOfRings(station, measure.seconds, limitS)
    case 'memory':
      return { kind: 'measured', sample: { ...NOTHING, rssMb: rssMbOf(station.pid) } }
    case 'turns':
      return await turnsUnder(station, measure.commands, limitS)
  }
}

/** Ticks of the CPU that each has used in so many seconds, all at the same time. */
export async function idleTicks(
  stations: readonly Station[],
  seconds: number,
): Promise<readonly number[]> {
  const ticks = () => stations.map(({ pid }) => usageOf(pid)?.cpuTicks ?? Number.NaN)
  const before = ticks()
  await setTimeout(seconds * 1000)
  return ticks().map((used, i) => used - (before[i] ?? Number.NaN))
}

function measured(outcome: Outcome): SampleOutcome {
  if (outcome.kind !== 'measured') return outcome
  return { kind: 'measured', sample: outcome.measurement }
}

function filledIn(command: string, station: Station): string {
  const { guests, newcomers } = domainFiles(station)
  const control = `${station.runDir}/control.sock`
  return command
    .replace('NEWCOMERS', newcomers)
    .replace('GUESTS', guests)
    .replace('CONTROL', control)
}

async function workOfRings(
  { simulator, load }: Station,
  seconds: number,
  limitS: number,
): Promise<SampleOutcome> {
  await simulator.work(WITHOUT_PAUSE)
  const before = await simulator.stats()
  const outcome = await load.run(`wait seconds=${seconds}`, limitS)
  const after = await simulator.stats()
  await simulator.stopWork()
  await setTimeout(CALM_MS)
  if (outcome.kind !== 'measured') return outcome
  const grown = (name: string) => (after[name] ?? 0) - (before[name] ?? 0)
  for (const harm of ['crashed', 'broken', 'lost']) {
    if (grown(harm) > 0) return { kind: 'failed', why: `${grown(harm)} rings ${harm}` }
  }
  const operations = grown('replies')
  if (operations === 0) return { kind: 'tooSlow', why: 'no ring was answered' }
  return { kind: 'measured', sample: { ...outcome.measurement, operations } }
}

/** All that is resident: a daemon that shares its program with others of this computer needs it all the same. */
function rssMbOf(pid: number): number {
  return (usageOf(pid)?.rssKiB ?? Number.NaN) / KIB_PER_MB
}

async function turnsUnder(
  station: Station,
  commands: readonly string[],
  limitS: number,
): Promise<SampleOutcome> {
  const loads = commands.map((): Load => station.anotherLoad())
  try {
    clearTurns(station.runDir)
    const outcomes = await Promise.all(
      loads.map((load, i) => load.run(filledIn(commands[i] ?? '', station), limitS)),
    )
    const failed = outcomes.map(measured).find(({ kind }) => kind !== 'measured')
    if (failed !== undefined) return failed
    const sample = { ...NOTHING, longestTurnMs: longestTurnMs(station.runDir) }
    return { kind: 'measured', sample }
  } finally {
    await Promise.all(loads.map((load) => load.stop()))
  }
}
