/** A picture of the daemons side by side: CPU and memory, by the number of guests. */
import { computerText, type Machine } from '../report/machine.ts'
import { roundStep, svgText as text } from '../report/svg.ts'
import type { Beside, BesideFigures } from './beside.ts'
import { DAEMONS, type DaemonName } from './daemons.ts'

const TITLE = 'Console daemons: every guest prints a line a second'
const WIDTH = 1000
const HEIGHT = 420
const TOP = 104
const BOTTOM = 60
const LEFT = 60
const GAP = 90
const FIELD_WIDTH = (WIDTH - LEFT - GAP - 40) / 2
const FIELD_HEIGHT = HEIGHT - TOP - BOTTOM
const GREY = '#6b7280'
const COLOURS: Readonly<Record<DaemonName, string>> = {
  floor: GREY,
  consoled: '#1d4ed8',
  'consoled --tty always': '#0f766e',
  xenconsoled: '#c2410c',
}

/** One of the two fields. */
interface Field {
  readonly left: number
  readonly title: string
  readonly value: (figures: BesideFigures) => number
}

const FIELDS: readonly Field[] = [
  { left: LEFT, title: 'CPU, % of a core', value: ({ cpuPerCent }) => cpuPerCent },
  {
    left: LEFT + FIELD_WIDTH + GAP,
    title: 'private memory, MiB',
    value: ({ privateKiB }) => privateKiB / 1024,
  },
]

/** SVG; light ground, so that it can be read wherever it is shown. */
export function chart(machine: Machine, rows: readonly Beside[]): string {
  const most = Math.max(1, ...rows.map(({ guests }) => guests))
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="system-ui, sans-serif" font-size="12.5" fill="#1f2937">`,
    `<title>${TITLE}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" rx="6" fill="#ffffff"/>`,
    text(24, 30, TITLE, 'font-size="17" font-weight="600"'),
    text(24, 50, `${computerText(machine)}; simulated Xen 4.17`, `fill="${GREY}"`),
    ...legend(),
    ...FIELDS.flatMap((field) => drawn(field, rows, most)),
    '</svg>',
    '',
  ].join('\n')
}

function legend(): string[] {
  return DAEMONS.flatMap((daemon, i) => {
    const x = LEFT + i * 190
    return [
      `<path d="M${x} 72h22" stroke="${COLOURS[daemon]}" stroke-width="2.5"/>`,
      text(x + 28, 76, daemon, ''),
    ]
  })
}

function drawn(field: Field, rows: readonly Beside[], most: number): string[] {
  const points = (daemon: DaemonName) =>
    rows.flatMap(({ daemon: whose, guests, outcome }) =>
      whose === daemon && typeof outcome !== 'string'
        ? [{ guests, value: field.value(outcome) }]
        : [],
    )
  const highest = Math.max(1, ...DAEMONS.flatMap((daemon) => points(daemon).map((p) => p.value)))
  const step = roundStep(highest)
  const top = Math.ceil(highest / step) * step
  const x = (guests: number) => (field.left + (guests / most) * FIELD_WIDTH).toFixed(1)
  const y = (value: number) => (TOP + FIELD_HEIGHT - (value / top) * FIELD_HEIGHT).toFixed(1)
  const lines: string[] = [text(field.left, TOP - 10, field.title, 'font-weight="600"')]
  for (let value = 0; value <= top + step / 2; value += step) {
    lines.push(
      `<path d="M${field.left} ${y(value)}h${FIELD_WIDTH}" stroke="${value === 0 ? GREY : '#e5e7eb'}"/>`,
      text(field.left - 8, Number(y(value)) + 4, String(value), `text-anchor="end" fill="${GREY}"`),
    )
  }
  const guestStep = roundStep(most)
  for (let guests = 0; guests <= most; guests += guestStep) {
    const at = HEIGHT - BOTTOM + 20
    lines.push(text(Number(x(guests)), at, String(guests), `text-anchor="middle" fill="${GREY}"`))
  }
  const middle = field.left + FIELD_WIDTH / 2
  lines.push(text(middle, HEIGHT - 16, 'guests', `text-anchor="middle" fill="${GREY}"`))
  for (const daemon of DAEMONS) {
    const path = points(daemon).map(({ guests, value }) => `${x(guests)},${y(value)}`)
    lines.push(
      `<polyline points="${path.join(' ')}" fill="none" stroke="${COLOURS[daemon]}" stroke-width="2.5" stroke-linejoin="round"/>`,
      ...path.map((point) => {
        const [cx, cy] = point.split(',')
        return `<circle cx="${cx}" cy="${cy}" r="3" fill="${COLOURS[daemon]}"/>`
      }),
      ...failures(rows, daemon, x),
    )
  }
  return lines
}

/** Where a daemon came to its end. */
function failures(
  rows: readonly Beside[],
  daemon: DaemonName,
  x: (guests: number) => string,
): string[] {
  return rows.flatMap(({ daemon: whose, guests, outcome }) =>
    whose === daemon && typeof outcome === 'string'
      ? [
          text(
            Number(x(guests)),
            TOP + 12,
            '✕ fails',
            `text-anchor="middle" fill="${COLOURS[daemon]}"`,
          ),
        ]
      : [],
  )
}
