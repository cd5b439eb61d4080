/** A picture of a run: how many times as long as the floor each store takes, a line for each scenario. */
import { type Spread, spreadOf } from '../report/median.ts'
import { svgText as text } from '../report/svg.ts'
import { timesText } from './figure-text.ts'
import type { Machine } from './machine.ts'
import { PEERS, type Peer } from './peers.ts'
import type { RowResult } from './rounds.ts'
import type { Unit } from './scenario.ts'

const TITLE = 'XenStore daemons: times the floor, less is better'
const WIDTH = 1090
const TOP = 92
const BOTTOM = 34
const LINE = 21
const STAGE = 30
/** The field of the dots. */
const LEFT = 250
const RIGHT = 320
const FIELD = WIDTH - LEFT - RIGHT
/** Of the field, in times the floor; what is beyond stands at its edge, with its figure. */
const FROM = 0.5
const TO = 1000
const GRID = [1, 10, 100, 1000]
const GREY = '#6b7280'
const COLOURS: Readonly<Record<Peer, string>> = {
  floor: GREY,
  lixs: '#1d4ed8',
  xenstored: '#c2410c',
  oxenstored: '#15803d',
}
/** Figures of which the floor has one that says something. */
const SHOWN: readonly Unit[] = ['µs', 'ms', 'op/s', 'op/CPU s']
const DETAILS = /, (CPU|p99|speed)$/

/** SVG; light ground, so that it can be read wherever it is shown. */
export function chart(machine: Machine, results: readonly RowResult[]): string {
  const shown = results.filter(
    ({ row, figures }) =>
      SHOWN.includes(row.unit) && !DETAILS.test(row.name) && figures.get('floor') !== undefined,
  )
  const lines: string[] = []
  let y = TOP
  let stage = ''
  for (const result of shown) {
    if (result.stage !== stage) {
      stage = result.stage
      y += STAGE
      lines.push(text(LEFT - 12, y - 14, stage, 'text-anchor="end" font-weight="600"'))
    }
    lines.push(...lineOf(result, y))
    y += LINE
  }
  const height = y + BOTTOM
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="12.5" fill="#1f2937">`,
    `<title>${TITLE}</title>`,
    `<rect width="${WIDTH}" height="${height}" rx="6" fill="#ffffff"/>`,
    text(24, 30, TITLE, 'font-size="17" font-weight="600"'),
    text(24, 50, subtitle(machine), `fill="${GREY}"`),
    ...legend(),
    ...grid(y),
    ...lines,
    '</svg>',
    '',
  ].join('\n')
}

function subtitle({ cores, cpu, kernel, noise, loadBefore, loadAfter }: Machine): string {
  const spread = Number.isNaN(noise) ? '' : `; rounds of the floor differ by ${noise.toFixed(2)}×`
  return `${cores} × ${cpu}, ${kernel}; load ${loadBefore.toFixed(1)} to ${loadAfter.toFixed(1)}${spread}`
}

function legend(): string[] {
  return PEERS.filter((peer) => peer !== 'floor').flatMap((peer, i) => {
    const x = LEFT + i * 130
    return [`<circle cx="${x}" cy="71" r="5" fill="${COLOURS[peer]}"/>`, text(x + 10, 75, peer, '')]
  })
}

function grid(bottom: number): string[] {
  return GRID.flatMap((times) => [
    `<path d="M${xOf(times)} ${TOP}V${bottom}" stroke="${times === 1 ? GREY : '#e5e7eb'}"/>`,
    text(
      xOf(times),
      bottom + 18,
      times === 1 ? 'floor' : `${times}×`,
      `text-anchor="middle" fill="${GREY}"`,
    ),
  ])
}

/** The range of all rounds as a stroke, the median as a dot; lixs on top. */
function lineOf(result: RowResult, y: number): string[] {
  const { row, figures } = result
  const lines = [text(LEFT - 12, y + 4, row.name, 'text-anchor="end"')]
  const said: string[] = []
  for (const peer of PEERS.toReversed()) {
    const colour = COLOURS[peer]
    const figure = figures.get(peer)
    if (peer === 'floor' || figure === undefined) continue
    const slowness = slownessOf(result, peer)
    if (slowness === undefined) {
      said.push(`${peer} ${figure.kind === 'tooSlow' ? `> ${figure.limitS} s` : 'failed'}`)
      continue
    }
    const { median, min, max } = slowness
    lines.push(
      `<path d="M${xOf(min)} ${y}H${xOf(max)}" stroke="${colour}" stroke-width="3" stroke-opacity="0.3" stroke-linecap="round"/>`,
      `<circle cx="${xOf(median)}" cy="${y}" r="5" fill="${colour}"/>`,
    )
    if (median > TO || peer === 'lixs') said.unshift(`${peer} ${timesText(median)}`)
  }
  lines.push(text(WIDTH - RIGHT + 14, y + 4, said.join(', '), `fill="${GREY}" font-size="11"`))
  return lines
}

/** How many times as long as the floor it took, round by round. */
export function slownessOf({ row, figures }: RowResult, peer: Peer): Spread | undefined {
  const [ours, floor] = [figures.get(peer), figures.get('floor')]
  if (ours?.kind !== 'measured' || floor?.kind !== 'measured') return undefined
  const rounds = ours.rounds.map((figure, round) => {
    const other = floor.rounds[round] ?? Number.NaN
    return row.isHigherBetter ? other / figure : figure / other
  })
  return spreadOf(rounds)
}

function xOf(times: number): number {
  const share = Math.log(times / FROM) / Math.log(TO / FROM)
  return Number((LEFT + Math.min(Math.max(share, 0), 1) * FIELD).toFixed(1))
}
