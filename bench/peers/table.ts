/** The table of figures, 120 columns wide. */
import { spreadText, timesText } from './figure-text.ts'
import { PEERS } from './peers.ts'
import { type Ratio, ratioTo, ratioToBest } from './ratios.ts'
import type { Figure, RowResult } from './rounds.ts'
import type { Stage } from './scenario.ts'

const NAME = 36
const CELL = 17
const RATIO = 8

/** How the table is to be read. Lines without their ends. */
export function legend(rounds: number, stages: readonly Stage[]): string[] {
  const poor = stages.filter(({ population }) => population.fewNodesAt !== undefined)
  const peers = new Set(poor.flatMap(({ population }) => population.fewNodesAt ?? []))
  const repeated = stages.flatMap(({ scenarios }) => scenarios.filter(({ slices }) => slices))
  return [
    `Median, least and most of ${rounds} rounds, in each of which all are asked in turn. ×floor, ×best: the figure of lixs`,
    'by theirs, round by round; best is the better one of the others. The floor answers alike, and stores nothing.',
    'xl create: 203 requests one by one, 5 transactions; xcl create: one transaction in one write; at rings with INTRODUCE.',
    'With one request under way the load and all threads of the daemon share a processor; else the scheduler places them.',
    'RSS: all resident memory of the daemon, its program included. Turns: CPU time between two waits of its loop.',
    ...(repeated.length === 0
      ? []
      : [
          `In each round the best of ${repeated[0]?.slices}, and by turns the best of as many with one guest:`,
          `  ${repeated.map(({ rows }) => rows[0]?.name).join('; ')}.`,
        ]),
    ...(poor.length === 0
      ? []
      : [
          `Guests of ${[...peers].join(' and ')} have 6 nodes at ${poor.map(({ name }) => name).join(' and ')}, not 100: more take too long.`,
        ]),
  ]
}

/** Lines without their ends. */
export function table(results: readonly RowResult[]): string[] {
  const head = [
    ''.padEnd(NAME),
    ...PEERS.map((peer) => peer.padStart(CELL)),
    '×floor'.padStart(RATIO),
    '×best'.padStart(RATIO),
  ]
  return [head.join(''), ...results.map(line), ...notes(results)]
}

function line(result: RowResult): string {
  const { name, unit } = result.row
  const cells = PEERS.map((peer) => cell(result.figures.get(peer)).padStart(CELL))
  const ratios = [ratioTo(result, 'floor'), ratioToBest(result)].map((ratio) =>
    ratioText(ratio).padStart(RATIO),
  )
  return [(unit === '' ? name : `${name}, ${unit}`).padEnd(NAME), ...cells, ...ratios].join('')
}

/** `12.3 11.9–13.1`: the median, and the range of all rounds. */
function cell(figure: Figure | undefined): string {
  if (figure === undefined) return '–'
  if (figure.kind === 'failed') return 'failed'
  if (figure.kind === 'tooSlow') return `> ${figure.limitS} s`
  return spreadText(figure.spread)
}

function ratioText(ratio: Ratio | undefined): string {
  if (ratio === undefined) return '–'
  return `${ratio.isBound ? '<' : ''}${timesText(ratio.spread.median)}`
}

/** Why there is no figure: once for all rows of a stage to which it applies. */
function notes(results: readonly RowResult[]): string[] {
  const rows = new Map<string, string[]>()
  for (const { stage, row, figures } of results) {
    for (const [peer, figure] of figures) {
      if (figure.kind === 'measured') continue
      const what = figure.kind === 'failed' ? 'failed' : `was given up after ${figure.limitS} s`
      const note = `${peer} ${what} at ${stage}: ${figure.why}`
      rows.set(note, [...(rows.get(note) ?? []), row.name])
    }
  }
  return [...rows].flatMap(([note, names]) => [`  ${note}`, `    (${names.join('; ')})`])
}
