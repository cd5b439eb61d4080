import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { type Logger, pino } from 'pino'

export type { Logger }

const STDERR = 2

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** The level of this name; `info` for anything else. */
export function logLevelFrom(text: string | undefined): LogLevel {
  return LOG_LEVELS.find((level) => level === text) ?? 'info'
}

/** The least that is logged, of all and of single subsystems; may be changed at run time. */
export interface LogLevels {
  /** By subsystem; the process's own under the name of the program, first. */
  current(): ReadonlyMap<string, LogLevel>
  /** @param subsystem undefined: all. @returns false when there is none of this name */
  set(level: LogLevel, subsystem?: string): boolean
}

/** One per process; subsystems take `log.child({ subsystem })`. */
export interface ProcessLog {
  readonly log: Logger
  readonly levels: LogLevels
  /** After the file was moved away: goes on in a new one. Does nothing on stderr. */
  reopen(): void
}

interface LogOptions {
  /** Program's name, in every line. */
  readonly name: string
  readonly level: LogLevel
  /** Undefined: stderr; as journald wants it when systemd reads stderr. */
  readonly file: string | undefined
  readonly env?: NodeJS.ProcessEnv
}

/**
 * Opens the log: JSON lines, written at once, so that the last line before an end is there.
 *
 * A line that cannot be written is lost, and nothing else: neither a full disk nor a reader of stderr
 * who has gone, or is slow, may end or stop the daemon.
 *
 * @throws NodeJS.ErrnoException when the file cannot be opened
 */
export function openLog(options: LogOptions): ProcessLog {
  const { name, level, file, env = process.env } = options
  const isJournal = file === undefined && Boolean(env.JOURNAL_STREAM)
  const lines = new LogLines(isJournal)
  if (file !== undefined) {
    mkdirSync(dirname(file), { recursive: true })
    lines.continueIn(file)
  }
  return { ...makeLog({ name, level }, lines), reopen: () => lines.reopen() }
}

/** A logger whose lines go to `lines`, and the levels of it and of its subsystems. */
export function makeLog(
  { name, level }: { readonly name: string; readonly level: LogLevel },
  lines: { write(line: string): void },
): Pick<ProcessLog, 'log' | 'levels'> {
  const loggers = new Map<string, Logger>()
  const onChild = (child: Logger): void => {
    const { subsystem } = child.bindings()
    if (typeof subsystem === 'string') loggers.set(subsystem, child)
  }
  const log = pino({ name, level, onChild }, lines)
  loggers.set(name, log)
  return {
    log,
    levels: {
      current: () => new Map([...loggers].map(([key, { level }]) => [key, logLevelFrom(level)])),
      set(wanted, subsystem) {
        if (subsystem !== undefined && !loggers.has(subsystem)) return false
        for (const [key, logger] of loggers) {
          if (subsystem === undefined || subsystem === key) logger.level = wanted
        }
        return true
      },
    },
  }
}

const METADATA: unique symbol = Symbol.for('pino.metadata')

/** Where lines go: stderr at first, a file later. */
class LogLines {
  /** Makes pino set `lastLevel` before each write. */
  readonly [METADATA] = true
  lastLevel = 30
  readonly #isJournal: boolean
  #fd = STDERR
  #file: string | undefined

  /** @param isJournal lines for journald: each begins with its priority; see sd-daemon(3) */
  constructor(isJournal: boolean) {
    this.#isJournal = isJournal
  }

  write(line: string): void {
    const bytes = Buffer.from(this.#isJournal ? `<${priority(this.lastLevel)}>${line}` : line)
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at)
    } catch {
      // EPIPE, EAGAIN, ENOSPC: where should it be told?
    }
  }

  /** @throws NodeJS.ErrnoException when it cannot be opened; then everything stays as it was */
  continueIn(file: string): void {
    const fd = openSync(file, 'a', 0o640)
    if (this.#fd !== STDERR) closeSync(this.#fd)
    this.#fd = fd
    this.#file = file
  }

  /** Opens the same path again. When that cannot be done, the old file is gone on with. */
  reopen(): void {
    if (this.#file === undefined) return
    try {
      this.continueIn(this.#file)
    } catch {
      // Called on SIGHUP: nobody is there to be told.
    }
  }
}

/** Of a pino level: 10 trace … 60 fatal. @see syslog(3) */
function priority(level: number): number {
  if (level >= 60) return 2
  if (level >= 50) return 3
  if (level >= 40) return 4
  if (level >= 30) return 6
  return 7
}
