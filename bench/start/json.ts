/** The file of `--json`: for scripts, so its keys stay. */
import type { CpuStep } from './cpu-track.ts'
import type { Results } from './results.ts'
import { slopeOf, type Window } from './windows.ts'

/** Latencies by how many guests there were at the end of the window. */
type ByGuests = Readonly<Record<string, { readonly p50: number; readonly p99: number }>>

/** What is in the file. Times are in the unit that their names end with. */
export interface ResultsJson {
  /** Created, without error. */
  readonly guests: number
  readonly ready: number
  /** The next guest is asked for when the one before is READY. */
  readonly pacing: 'ready'
  /** Guests that were not READY in time, so that the next one was asked for before. */
  readonly late: number
  readonly errors: number
  readonly errorTexts: readonly string[]
  /** As lixs counts them, while the guests were created. */
  readonly ringRequests: number
  readonly createMs: ByGuests
  /** `createMs` without the way to xcld and back. */
  readonly xcldMs: ByGuests
  readonly readyMs: ByGuests
  /** The last window's median against the fastest one's. */
  readonly slope: { readonly create: number | null; readonly ready: number | null }
  /** From the start of the program until all are READY, and their devices connected. */
  readonly wallS: number
  readonly createS: number
  /** cpuS: while the guests were created; rssKiB, and how much of it is shared: after that. */
  readonly daemons: Results['processes']
  /** CPU that everybody else on this computer used while the guests were created. */
  readonly othersCpuS: number
  /** CPU that a guest cost each process, in the part of the run that ended with so many guests. */
  readonly cpuMsPerGuest: Readonly<Record<string, CpuStep['msPerGuest']>>
  readonly pids: readonly number[]
  readonly logDir: string
  readonly runDir: string
  readonly xen: string
  readonly devices: readonly string[]
  /** Front ends that are Connected. */
  readonly connected: Results['connected']
  readonly idle?: Results['idle']
  readonly work?: Results['work']
  readonly deaths?: Results['deaths']
}

export function jsonOf(results: Results): ResultsJson {
  const { created, ready, errors, ringRequests, latencies, wallS, createS, processes } = results
  const { idle, work, deaths, logDir, runDir, connected, options, cpu } = results
  return {
    guests: created,
    ready,
    pacing: 'ready',
    late: results.late,
    errors: errors.length,
    errorTexts: errors,
    ringRequests,
    createMs: byGuests(latencies.create),
    xcldMs: byGuests(latencies.xcld),
    readyMs: byGuests(latencies.ready),
    slope: {
      create: slopeJson(latencies.create),
      ready: slopeJson(latencies.ready),
    },
    wallS: round(wallS),
    createS: round(createS),
    daemons: processes,
    othersCpuS: round(results.othersCpuS),
    cpuMsPerGuest: Object.fromEntries(cpu.map(({ guests, msPerGuest }) => [guests, msPerGuest])),
    pids: [process.pid, ...Object.values(processes).map(({ pid }) => pid)],
    logDir,
    runDir,
    xen: options.xen,
    devices: options.devices,
    connected,
    ...(idle !== undefined && { idle }),
    ...(work !== undefined && { work }),
    ...(deaths !== undefined && { deaths }),
  }
}

/** What the file holds. */
export function jsonText(results: Results): string {
  return `${JSON.stringify(jsonOf(results), undefined, 2)}\n`
}

function byGuests(windows: readonly Window[]): ByGuests {
  return Object.fromEntries(
    windows.map(({ guests, p50, p99 }) => [guests, { p50: round(p50), p99: round(p99) }]),
  )
}

function slopeJson(windows: readonly Window[]): number | null {
  const slope = slopeOf(windows)
  return Number.isNaN(slope) ? null : round(slope)
}

function round(value: number): number {
  return Number(value.toFixed(3))
}
