/** What a daemon does at one number of guests, and how the daemons compare. */
import { figureText } from '../peers/figure-text.ts'
import type { DaemonName } from './daemons.ts'

export interface BesideFigures {
  /** Until all consoles are served. */
  readonly startS: number
  /** Of a processor, while each guest prints a line a second. */
  readonly cpuPerCent: number
  readonly simulatorPerCent: number
  readonly privateKiB: number
  readonly lostBytes: number
  /** From INTRODUCE of another guest to its log; the middle one of some. NaN for the floor, which is told. */
  readonly noticeMs: number
}

export interface Beside {
  readonly guests: number
  readonly daemon: DaemonName
  /** A sentence: how it failed. */
  readonly outcome: BesideFigures | string
}

const NAME = 26
const CELL = 15

/** Lines without their ends. */
export function besideTable(rows: readonly Beside[]): string[] {
  if (rows.length === 0) return []
  const head = ['start, s', 'CPU, %', 'memory, MiB', 'bytes lost', 'notice, ms', 'machine CPU, %']
  return [
    [''.padEnd(NAME), ...head.map((cell) => cell.padStart(CELL))].join(''),
    ...rows.map(({ guests, daemon, outcome }) => {
      const name = `${guests} guests, ${daemon}`.padEnd(NAME)
      if (typeof outcome === 'string') return `${name}   failed: ${outcome}`
      const { startS, cpuPerCent, privateKiB, lostBytes, noticeMs, simulatorPerCent } = outcome
      const figures = [startS, cpuPerCent, privateKiB / 1024, lostBytes, noticeMs, simulatorPerCent]
      return [name, ...figures.map((figure) => cellText(figure).padStart(CELL))].join('')
    }),
    'Each guest prints a line of 64 bytes a second. Memory: private (smaps_rollup). Notice: from INTRODUCE to the log.',
    'Event channels and maps of xenconsoled are answered by a library in its process: on Xen each is a system call more.',
  ]
}

function cellText(value: number): string {
  return Number.isNaN(value) ? '–' : figureText(value)
}
