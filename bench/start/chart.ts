/** A picture of a run: how long a create took, and until READY, by how many guests there were. */
import { cpus } from 'node:os'
import { roundStep, svgText as text } from '../report/svg.ts'
import { grouped } from './report.ts'
import type { Results } from './results.ts'
import { slopeOf, type Window } from './windows.ts'

const TITLE = 'From the request for a guest, by how many there are already'
const WIDTH = 880
const HEIGHT = 410
/** The field of the curves. */
const LEFT = 64
const RIGHT = 32
const TOP = 96
const BOTTOM = 52
const FIELD_WIDTH = WIDTH - LEFT - RIGHT
const FIELD_HEIGHT = HEIGHT - TOP - BOTTOM
const LEGEND_WIDTH = 264
const CREATE_COLOUR = '#1d4ed8'
const READY_COLOUR = '#c2410c'

interface Curve {
  readonly label: string
  readonly colour: string
  readonly windows: readonly Window[]
}

/** Maps figures into the field. */
interface Scale {
  readonly maxGuests: number
  readonly maxMs: number
}

/** SVG; light ground, so that it can be read wherever it is shown. */
export function chart(results: Results): string {
  const { latencies, created, errors, options } = results
  const curves: readonly Curve[] = [
    { label: 'READY', colour: READY_COLOUR, windows: latencies.ready },
    { label: 'unpaused', colour: CREATE_COLOUR, windows: latencies.create },
  ]
  const scale = scaleOf(curves, options.guests)
  const failures = errors.length === 0 ? 'no errors' : `${grouped(errors.length)} errors`
  const devices = options.devices.length === 0 ? '' : ` with ${options.devices.join(' and ')}`
  const subtitle = `${grouped(created)} guests${devices}, ${failures}, ${cpus().length} cores; simulated Xen ${options.xen}, hypercalls cost nothing: control plane only`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="system-ui, sans-serif" font-size="13" fill="#1f2937">`,
    `<title>${TITLE}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" rx="6" fill="#ffffff"/>`,
    text(LEFT, 28, TITLE, 'font-size="17" font-weight="600"'),
    text(LEFT, 48, subtitle, 'fill="#6b7280"'),
    ...axes(scale),
    ...curves.flatMap((curve) => drawn(curve, scale)),
    ...legend(curves),
    '</svg>',
    '',
  ].join('\n')
}

/** Round figures above all medians and above nearly all p99: one outlier must not flatten the rest. */
function scaleOf(curves: readonly Curve[], guests: number): Scale {
  const tails = curves.flatMap(({ windows }) => windows.map(({ p99 }) => p99)).sort((a, b) => a - b)
  const medians = curves.flatMap(({ windows }) => windows.map(({ p50 }) => p50))
  const high = tails[Math.floor((tails.length - 1) * 0.97)] ?? 1
  const wanted = Math.max(high, ...medians, 0.1) * 1.08
  const step = roundStep(wanted)
  return { maxGuests: guests, maxMs: Math.ceil(wanted / step) * step }
}

function axes(scale: Scale): string[] {
  const lines: string[] = []
  const stepMs = roundStep(scale.maxMs)
  for (let ms = 0; ms <= scale.maxMs + stepMs / 2; ms += stepMs) {
    const y = yOf(ms, scale)
    lines.push(
      `<path d="M${LEFT} ${y}H${WIDTH - RIGHT}" stroke="${ms === 0 ? '#6b7280' : '#e5e7eb'}"/>`,
    )
    lines.push(
      text(LEFT - 8, Number(y) + 4, decimal(ms, stepMs), 'text-anchor="end" fill="#6b7280"'),
    )
  }
  lines.push(text(LEFT - 8, TOP - 12, 'ms', 'text-anchor="end" fill="#6b7280"'))
  const stepGuests = Math.max(1, roundStep(scale.maxGuests))
  for (let guests = 0; guests <= scale.maxGuests; guests += stepGuests) {
    lines.push(
      text(
        Number(xOf(guests, scale)),
        HEIGHT - BOTTOM + 20,
        grouped(guests),
        'text-anchor="middle" fill="#6b7280"',
      ),
    )
  }
  lines.push(
    text(
      LEFT + FIELD_WIDTH / 2,
      HEIGHT - 12,
      'guests on the host',
      'text-anchor="middle" fill="#6b7280"',
    ),
  )
  return lines
}

/** Medians as a line; the slowest in a hundred as dots, as arrows when they are above the field. */
function drawn({ colour, windows }: Curve, scale: Scale): string[] {
  const points = windows.map(({ guests, p50 }) => `${xOf(guests, scale)},${yOf(p50, scale)}`)
  const dots = windows.map(({ guests, p99 }) =>
    p99 > scale.maxMs
      ? arrow(Number(xOf(guests, scale)), colour)
      : `<circle cx="${xOf(guests, scale)}" cy="${yOf(p99, scale)}" r="2.2" fill="${colour}" fill-opacity="0.35"/>`,
  )
  return [
    ...dots,
    `<polyline points="${points.join(' ')}" fill="none" stroke="${colour}" stroke-width="2.5" stroke-linejoin="round"/>`,
  ]
}

/** Above what the field shows. */
function arrow(x: number, colour: string): string {
  return `<path d="M${x} ${TOP - 7}l4 6h-8z" fill="${colour}" fill-opacity="0.6"/>`
}

function legend(curves: readonly Curve[]): string[] {
  const entries = curves.flatMap(({ label, colour, windows }, i) => {
    const x = LEFT + i * LEGEND_WIDTH
    const last = windows.at(-1)
    const figures =
      last === undefined ? '' : ` ${last.p50.toFixed(2)} ms${slopeText(slopeOf(windows))}`
    return [
      `<path d="M${x} 67h22" stroke="${colour}" stroke-width="2.5"/>`,
      text(x + 28, 71, `${label} after${figures}`, ''),
    ]
  })
  const x = LEFT + curves.length * LEGEND_WIDTH
  return [
    ...entries,
    `<circle cx="${x + 8}" cy="67" r="2.2" fill="#6b7280" fill-opacity="0.5"/>`,
    text(x + 18, 71, 'line: median of 200; dot: p99, ▲ above', 'fill="#6b7280"'),
  ]
}

function slopeText(slope: number): string {
  return Number.isNaN(slope) ? '' : `, slope ${slope.toFixed(2)}`
}

function xOf(guests: number, { maxGuests }: Scale): string {
  return (LEFT + (guests / maxGuests) * FIELD_WIDTH).toFixed(1)
}

function yOf(ms: number, { maxMs }: Scale): string {
  return (TOP + FIELD_HEIGHT - (Math.min(ms, maxMs) / maxMs) * FIELD_HEIGHT).toFixed(1)
}

function decimal(value: number, step: number): string {
  return value.toFixed(step >= 1 ? 0 : 1)
}
