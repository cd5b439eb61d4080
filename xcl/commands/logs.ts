import { followLog } from '../logs/follow-log.ts'
import {
  closeParts,
  type LogPart,
  type LogPlace,
  lastLines,
  laterOf,
  linesSince,
  NoLogFile,
  openLogParts,
  piecesOf,
} from '../logs/log-files.ts'
import { type FoundLog, GONE, logOf } from '../logs/log-place.ts'
import { whenFrom } from '../logs/log-times.ts'
import { EXIT, NoSuchDomain, Refused, UsageError } from '../output/errors.ts'
import { HarmlessText, harmless } from '../output/harmless.ts'
import type { CommandSpec, Invocation, Terminal } from './command.ts'

/** What `-f` begins with, unless told. */
const FOLLOW_LINES = 10
const BEGIN: LogPlace = { part: 0, offset: 0 }

export const logs: CommandSpec = {
  name: 'logs',
  summary: 'show what a guest printed, also one that is gone',
  parameters: [{ syntax: '<domain>', help: 'name, also of a guest that is gone; domid; uuid' }],
  options: [
    { flags: '-f, --follow', help: 'go on as the log grows; Ctrl-C ends' },
    { flags: '-n, --lines <count>', help: 'only the last lines (with -f: 10, unless told)' },
    {
      flags: '--since <when>',
      help: 'only from then on, by the times in the log: 10m, 2h30m, today, 14:05, 2026-01-31',
    },
    { flags: '--raw', help: 'on a terminal, too, send control characters as they are' },
  ],
  notes: [
    'On a terminal, what a terminal would obey is shown instead of sent: ^[ for an escape, <9B> for',
    'a byte that is no text; colours are left out. A pipe gets the bytes as they are.',
    'Where consoled logs to the journal alone, journalctl XEN_NAME=demo has what is new.',
  ],
  examples: [
    { line: 'xcl logs demo', does: 'all there is, rotated files too' },
    { line: 'xcl logs -f demo', does: 'the last lines, and what comes' },
    { line: 'xcl logs --since 1h demo | grep -i oops', does: 'of the last hour' },
  ],
  run: async (invocation) => {
    const { toolstack, session, options, args } = invocation
    const range = rangeFrom(invocation)
    const log = await logOf(toolstack, args[0] ?? '')
    const { path, isStamped } = log
    const parts = await readable(path)
    try {
      checkLog(log, parts, args[0] ?? '', options.has('follow'))
    } catch (error) {
      await closeParts(parts)
      throw error
    }
    if (log.whyOld !== undefined) {
      session.stderr(`xcl: ${harmless(log.whyOld)}: what follows is of before\n`)
    }
    const screen = new Screen(session, options.has('raw'))
    const newest = parts.pop()
    if (newest === undefined) return EXIT.done
    try {
      const begin = await placeOf([...parts, newest], range, isStamped, (sentence) =>
        session.stderr(`xcl: ${sentence}\n`),
      )
      for (const [i, part] of parts.entries()) {
        if (i >= begin.part) await show(screen, session, part, i === begin.part ? begin.offset : 0)
      }
      const offset = begin.part === parts.length ? begin.offset : 0
      if (options.has('follow')) {
        const { signal } = session
        const { after } = toolstack
        const follower = { path, show: (piece: Buffer) => screen.show(piece), signal, after }
        await followLog(follower, newest, offset)
      } else {
        await show(screen, session, newest, offset)
        await newest.handle.close()
      }
    } finally {
      await closeParts(parts)
    }
    await screen.end()
    return session.signal.aborted ? EXIT.interrupted : EXIT.done
  },
}

/** @throws NoSuchDomain, Refused for a log that there is not, or that nobody goes on with */
function checkLog(
  { path, name, whyOld }: FoundLog,
  parts: readonly LogPart[],
  typed: string,
  isFollowed: boolean,
): void {
  if (whyOld === undefined && parts.length === 0) {
    throw new NoSuchDomain(`${typed} with a log: there is no ${path}`, GONE)
  }
  if (whyOld === undefined || (parts.length > 0 && !isFollowed)) return
  const old = parts.length === 0 ? '' : '; without --follow what is of before is shown'
  const command = `journalctl ${isFollowed ? '-f ' : ''}${shellWord(`XEN_NAME=${name}`)}`
  throw new Refused(
    `${whyOld}${old}`,
    `${command}, where consoled logs to the journal; consoled --log guest logs to files`,
  )
}

function shellWord(text: string): string {
  return /^[A-Za-z0-9_=.:/-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

interface Range {
  readonly lines: number | undefined
  readonly sinceMs: number | undefined
}

function rangeFrom({ toolstack, options }: Invocation): Range {
  const lines = options.value('lines')
  if (lines !== undefined && !/^[0-9]{1,15}$/.test(lines)) {
    throw new UsageError(`--lines takes a number, not "${lines}"`)
  }
  const when = options.value('since')
  const sinceMs = when === undefined ? undefined : whenFrom(when, toolstack.wallClock())
  if (when !== undefined && sinceMs === undefined) {
    throw new UsageError(
      `"${when}" is no time`,
      '10m, 2h30m, today, yesterday, 14:05, 2026-01-31, "2026-01-31 14:05:07", @SECONDS',
    )
  }
  const isOpen = lines === undefined && sinceMs === undefined
  const some = isOpen && options.has('follow') ? FOLLOW_LINES : undefined
  return { lines: lines === undefined ? some : Number(lines), sinceMs }
}

/** @throws Refused */
async function readable(path: string): Promise<LogPart[]> {
  try {
    return await openLogParts(path)
  } catch (error) {
    if (error instanceof NoLogFile) throw new Refused(error.message)
    const why = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new Refused(`the log ${path} cannot be read: ${why}`)
  }
}

async function placeOf(
  parts: readonly LogPart[],
  { lines, sinceMs }: Range,
  isStamped: boolean | undefined,
  say: (sentence: string) => void,
): Promise<LogPlace> {
  let place = BEGIN
  if (sinceMs !== undefined) {
    const since = await linesSince(parts, sinceMs, isStamped)
    if (!since.isExact) {
      say(
        'not all lines of this log have the time of the console daemon (consoled --timestamp guest writes it): whole files follow',
      )
    }
    place = since
  }
  return lines === undefined ? place : laterOf(place, await lastLines(parts, lines))
}

async function show(
  screen: Screen,
  { signal }: Terminal,
  { handle }: LogPart,
  offset: number,
): Promise<void> {
  for await (const piece of piecesOf(handle, offset)) {
    if (signal.aborted) return
    await screen.show(piece)
  }
}

/** Where the log goes: harmless to a terminal, byte by byte to everything else. */
class Screen {
  readonly #session: Terminal
  readonly #text: HarmlessText | undefined
  #isLineStart = true

  constructor(session: Terminal, isRaw: boolean) {
    this.#session = session
    const isTerminal = session.request.isTerminal[1]
    this.#text = isTerminal && !isRaw ? new HarmlessText() : undefined
  }

  async show(piece: Buffer): Promise<void> {
    if (this.#text === undefined) await this.#session.print(piece)
    else await this.#print(this.#text.push(piece))
  }

  async end(): Promise<void> {
    if (this.#text === undefined) return
    await this.#print(this.#text.end())
    // The shell's prompt begins a line.
    if (!this.#isLineStart) await this.#print('\n')
  }

  async #print(text: string): Promise<void> {
    if (text === '') return
    this.#isLineStart = text.endsWith('\n')
    await this.#session.print(Buffer.from(text))
  }
}
