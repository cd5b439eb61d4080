/** The last lines of a daemon's log, as a person reads them. */
import { readFileSync } from 'node:fs'

const LINES = 6
/** Of pino, from which on a line is worth a word that says so. */
const LEVELS: Readonly<Record<number, string>> = { 40: 'warning', 50: 'error', 60: 'fatal' }

/** @returns none when the file cannot be read, or is empty */
export function logTail(file: string): string[] {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    return []
  }
  return text.trimEnd().split('\n').slice(-LINES).filter(Boolean).map(readable)
}

/** Our daemons log JSON, a line each; what they say on stderr is a sentence. */
function readable(line: string): string {
  let event: unknown
  try {
    event = JSON.parse(line)
  } catch {
    return line
  }
  if (typeof event !== 'object' || event === null || !('msg' in event)) return line
  const level = 'level' in event ? LEVELS[Number(event.level)] : undefined
  const {
    time,
    pid,
    hostname,
    name,
    level: _,
    msg,
    err,
    ...rest
  } = event as Record<string, unknown>
  const details = Object.entries(rest).map(([key, value]) => `${key}=${JSON.stringify(value)}`)
  const cause =
    typeof err === 'object' && err !== null && 'message' in err ? `: ${err.message}` : ''
  return [level === undefined ? '' : `${level}:`, `${msg}${cause}`, ...details]
    .filter(Boolean)
    .join(' ')
}
