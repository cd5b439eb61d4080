/** Times: as a person gives them, and as they stand before the lines of a log. */

const UNITS_MS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}

/**
 * The time that is meant: `10m` or `1h30m` ago, `today`, `yesterday`, `14:05`, `2026-01-31`,
 * `2026-01-31 14:05:07` (local, or with Z or +01:00), `@` and seconds since 1970.
 * @returns ms since 1970; undefined when it is none of these
 */
export function whenFrom(text: string, nowMs: number): number | undefined {
  if (/^([0-9]+[smhdw])+$/.test(text)) return nowMs - durationMs(text)
  const seconds = /^@([0-9]{1,12})$/.exec(text)?.[1]
  if (seconds !== undefined) return Number(seconds) * 1000
  const now = new Date(nowMs)
  const midnight = (daysBack: number): Date =>
    new Date(now.getFullYear(), now.getMonth(), now.getDate() - daysBack)
  if (text === 'now') return nowMs
  if (text === 'today') return midnight(0).getTime()
  if (text === 'yesterday') return midnight(1).getTime()
  const [, day, time, zone] = DATE_AND_TIME.exec(text) ?? []
  if (day === undefined && time === undefined) return undefined
  // Of a date alone JavaScript would think in UTC.
  const ms = Date.parse(`${day ?? isoDate(now)}T${time ?? '00:00'}${zone ?? ''}`)
  return Number.isNaN(ms) ? undefined : ms
}

const DATE_AND_TIME =
  /^(?:([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[ T]|$))?([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)?(Z|[+-][0-9]{2}:[0-9]{2})?$/

/** As the time stands before a line: `2026-01-31 14:05:07`; texts compare as the times do. */
export function stampOf(ms: number): string {
  const date = new Date(ms)
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')
  return `${isoDate(date)} ${time}`
}

/** `[2026-01-31 14:05:07] ` */
const STAMP_BYTES = 22
const STAMP = /^\[([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2})\] $/
const OPENING = 0x5b

/** The time before the line that begins there, as `stampOf` writes it; undefined when there is none. */
export function stampAt(bytes: Buffer, at: number): string | undefined {
  if (bytes[at] !== OPENING) return undefined
  return STAMP.exec(bytes.toString('latin1', at, at + STAMP_BYTES))?.[1]
}

function durationMs(text: string): number {
  let ms = 0
  for (const [, count, unit = ''] of text.matchAll(/([0-9]+)([smhdw])/g)) {
    ms += Number(count) * (UNITS_MS[unit] ?? 0)
  }
  return ms
}

function isoDate(date: Date): string {
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}
