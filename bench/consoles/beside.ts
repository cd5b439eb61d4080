/** What a daemon does at one number of guests, and how the daemons compare. */
import { figureText } from '../peers/figure-text.ts'
import type { DaemonName } from './daemons.ts'
import type { Limits } from './terminals.ts'

/** So long a new guest's log is waited for. */
export const NOTICE_LIMIT_MS = 10_000

export interface BesideFigures {
  /** Until all consoles are served. */
  readonly startS: number
  /** Of a processor, while each guest prints a line a second. */
  readonly cpuPerCent: number
  readonly simulatorPerCent: number
  readonly privateKiB: number
  readonly lostLines: number
  readonly repeatedLines: number
  /** From INTRODUCE of another guest to its log; the middle one of some. NaN for the floor, which is told; Infinity: not within NOTICE_LIMIT_MS. */
  readonly noticeMs: number
}

export interface Beside {
  readonly guests: number
  readonly daemon: DaemonName
  readonly limits: Limits
  /** A sentence: how it failed. */
  readonly outcome: BesideFigures | string
}

/** Those of consoled whose logs are not what guests have printed; what others lose is a figure. */
export function defectiveRows(rows: readonly Beside[]): Beside[] {
  return rows.filter(({ daemon, outcome }) => {
    if (daemon === 'floor' || daemon === 'xenconsoled' || typeof outcome === 'string') return false
    return outcome.lostLines + outcome.repeatedLines > 0
  })
}

const NAME = 38
const CELL = 15

/** Lines without their ends. */
export function besideTable(rows: readonly Beside[]): string[] {
  if (rows.length === 0) return []
  const head = [
    'start, s',
    'CPU, %',
    'memory, MiB',
    'lines lost',
    'repeated',
    'notice, ms',
    'machine CPU, %',
  ]
  return [
    [''.padEnd(NAME), ...head.map((cell) => cell.padStart(CELL))].join(''),
    ...rows.map(({ guests, daemon, outcome }) => {
      const name = `${guests} guests, ${daemon}`.padEnd(NAME)
      if (typeof outcome === 'string') return `${name}   failed: ${outcome}`
      const {
        startS,
        cpuPerCent,
        privateKiB,
        lostLines,
        repeatedLines,
        noticeMs,
        simulatorPerCent,
      } = outcome
      const figures = [
        startS,
        cpuPerCent,
        privateKiB / 1024,
        lostLines,
        repeatedLines,
        noticeMs,
        simulatorPerCent,
      ]
      return [name, ...figures.map((figure) => cellText(figure).padStart(CELL))].join('')
    }),
    'Each guest prints a line of 64 bytes a second. Memory: private (smaps_rollup). Notice: from INTRODUCE to the log.',
    'Event channels and maps of xenconsoled are answered by a library in its process: on Xen each is a system call more.',
    'xenconsoled makes a pseudo terminal for each guest; consoled does with --tty always, else only where one is asked for.',
    ...rows.slice(-1).map(({ limits }) => limitsText(limits)),
  ]
}

function limitsText({ ptyMax, ptyTaken, openFiles }: Limits): string {
  return `kernel.pty.max ${ptyMax}, of which others had ${ptyTaken}; open files of a process: ${openFiles}, unless it raises that.`
}

function cellText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return `> ${NOTICE_LIMIT_MS / 1000} s`
  return Number.isNaN(value) ? '–' : figureText(value)
}
