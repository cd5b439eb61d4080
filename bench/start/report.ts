/** The table at the end, for people: aligned, with units, and with what the figures do not say. */

import { cpus } from 'node:os'
import { PROCESS_NAMES, type ProcessName } from './processes.ts'
import type { Results } from './results.ts'
import { fastestOf, shownWindows, slopeOf, type Window } from './windows.ts'

/** How many errors are told; the others are in the file of `--json`. */
const ERRORS_SHOWN = 5
/** Columns of the first cell of a row, and of the others; a row fits into a terminal of 80. */
const FIRST = 10
const CELL = 11
const WIDE = 14

/** Lines without their ends. */
export function report(results: Results): string[] {
  return [
    ...summary(results),
    '',
    ...latencyTable(results),
    '',
    ...processTable(results),
    ...phases(results),
    ...errorLines(results),
    '',
    'Hypercalls cost nothing here, and guests are no kernels: control plane only.',
    'What counts is the slope; milliseconds are of this computer.',
  ]
}

/** `10,000`. */
export function grouped(number: number): string {
  return String(Math.round(number)).replace(/\B(?=(\d{3})+$)/g, ',')
}

function summary(results: Results): string[] {
  const { created, ready, connected, options, errors, ringRequests, wallS, late } = results
  const failures = errors.length === 0 ? 'no errors' : `${grouped(errors.length)} ERRORS`
  const parts = [
    `set up ${seconds(results.setUpS)}`,
    `warm-up ${seconds(results.warmUpS)}`,
    `guests ${seconds(results.createS)}`,
  ]
  const devices = options.devices.map((kind) => `${grouped(connected[kind])} ${kind}`)
  return [
    `${grouped(created)} guests, ${grouped(ready)} READY, ${failures}`,
    ...(devices.length === 0 ? [] : [`front ends Connected: ${devices.join(', ')}`]),
    `${seconds(wallS)} in all: ${parts.join(', ')}`,
    `others on this computer used ${share(results)} of its CPU while the guests were created`,
    `${grouped(ringRequests)} requests came over the guests' rings`,
    `each guest was READY before the next was asked for${late === 0 ? '' : `, but for ${grouped(late)} that were late`}`,
  ]
}

/** `12 %`: how far the milliseconds are somebody else's. */
function share({ othersCpuS, createS }: Results): string {
  return `${((100 * othersCpuS) / (createS * cpus().length)).toFixed(0)} %`
}

function latencyTable({ latencies: { create, ready } }: Results): string[] {
  const rows = shownWindows(create).map(({ guests, p50, p99 }) => {
    const other = ready.find((window) => window.guests === guests)
    return latencyRow(grouped(guests), [p50, p99, other?.p50, other?.p99].map(milliseconds))
  })
  return [
    `${' '.repeat(FIRST)}${['request → unpaused', 'request → READY'].map((of) => of.padStart(2 * WIDE)).join('')}`,
    latencyRow('guests', ['p50', 'p99', 'p50', 'p99']),
    ...rows,
    slopeLine('create', create),
    slopeLine('READY', ready),
  ]
}

function latencyRow(first: string, cells: readonly string[]): string {
  return [first.padStart(FIRST), ...cells.map((cell) => cell.padStart(WIDE))].join('')
}

/** `slope create 1.04: …` */
function slopeLine(name: string, windows: readonly Window[]): string {
  const fastest = fastestOf(windows)
  const slope = slopeOf(windows)
  if (fastest === undefined || Number.isNaN(slope)) {
    return `slope ${name.padEnd(6)} –      it takes 400 guests to tell`
  }
  const where = `the last 200 against the fastest 200 (${milliseconds(fastest.p50)}, at ${grouped(fastest.guests)})`
  return `slope ${name.padEnd(6)} ${slope.toFixed(2)}   ${where}`
}

function processTable({ processes, created, cpu }: Results): string[] {
  const [first] = cpu
  const last = cpu.at(-1)
  const row = (name: ProcessName): string => {
    const { cpuS, rssKiB, sharedKiB } = processes[name]
    const cells = [
      `${cpuS.toFixed(2)} s`,
      milliseconds(created === 0 ? undefined : (cpuS * 1000) / created),
      ...[first, last].map((step) =>
        step === undefined ? '' : milliseconds(step.msPerGuest[name]),
      ),
      mebibytes(rssKiB),
      mebibytes(sharedKiB),
    ]
    return `${name.padEnd(FIRST)}${cells.map((cell) => cell.padStart(CELL)).join('')}`
  }
  const head = [
    'CPU',
    'per guest',
    ...(first === undefined ? ['', ''] : ['early', 'late']),
    'memory',
    'shared',
  ]
  return [
    `${' '.repeat(FIRST)}${head.map((cell) => cell.padStart(CELL)).join('')}`,
    ...PROCESS_NAMES.map(row),
    ...(first === undefined
      ? []
      : [`Early and late: of the first ${grouped(first.guests)} guests, and of the last.`]),
    'The simulator is the machine and all guests; what is shared are pages of theirs.',
  ]
}

function phases({ idle, work, deaths, created }: Results): string[] {
  const lines: string[] = []
  if (idle !== undefined) {
    const ticks = PROCESS_NAMES.map((name) => `${name} ${idle.ticks[name]}`).join(', ')
    lines.push(
      `idle for ${idle.seconds} s with ${grouped(created)} guests; clock ticks of 10 ms:`,
      `  ${ticks}`,
    )
  }
  if (work !== undefined) {
    const cpu = PROCESS_NAMES.map((name) => `${name} ${work.cpuUsPerRequest[name].toFixed(1)} µs`)
    lines.push(
      `work for ${work.seconds} s, a store write and a line ${work.rate}/s from each guest:`,
      `  ${grouped(work.requests)} requests, ${grouped(work.lost)} lost; ${grouped(work.lines)} lines, ${grouped(work.linesLogged)} in the logs`,
      `  ${grouped(work.missed)} turns missed`,
      `  CPU for both: ${cpu.join(', ')}`,
    )
  }
  if (deaths !== undefined) {
    const { died, how, survivors, answered } = deaths
    lines.push(
      `${grouped(died)} guests died at once (${how}): cleaned up after ${seconds(deaths.seconds)};`,
      `  ${grouped(answered)} of the ${grouped(survivors)} others answer at their consoles`,
    )
  }
  return lines.length === 0 ? [] : ['', ...lines]
}

function errorLines({ errors, logDir }: Results): string[] {
  if (errors.length === 0) return []
  const shown = errors.slice(0, ERRORS_SHOWN).map((error) => `  ${error}`)
  const more = errors.length - shown.length
  return [
    '',
    `${grouped(errors.length)} errors; logs are in ${logDir}`,
    ...shown,
    ...(more > 0 ? [`  and ${grouped(more)} more`] : []),
  ]
}

function milliseconds(value: number | undefined): string {
  return value === undefined || Number.isNaN(value) ? '–' : `${value.toFixed(2)} ms`
}

function seconds(value: number): string {
  return `${value.toFixed(1)} s`
}

function mebibytes(kib: number): string {
  return `${grouped(kib / 1024)} MiB`
}
