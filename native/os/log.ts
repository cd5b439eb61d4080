import { closeSync, openSync, writeSync } from 'node:fs'
import { type DestinationStream, type Logger, pino } from 'pino'

export type { Logger }

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** One per process; subsystems take `log.child({ subsystem })`. */
export interface ProcessLog {
  readonly log: Logger
  /** After the file was moved away: goes on in a new one. Does nothing on stderr. */
  reopen(): void
  /** Goes on in another file. @throws NodeJS.ErrnoException when it cannot be opened */
  switchTo(file: string): void
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
 * @throws NodeJS.ErrnoException when the file cannot be opened
 */
export function openLog(options: LogOptions): ProcessLog {
  const { name, level, file, env = process.env } = options
  const settings = { name, level }
  if (file === undefined && env.JOURNAL_STREAM) {
    return {
      log: pino(settings, journalStream()),
      reopen: () => undefined,
      switchTo: () => undefined,
    }
  }
  const destination = pino.destination({ dest: file ?? 2, sync: true, mkdir: true })
  // A log that cannot be written, on a full disk for example, must not end the daemon.
  destination.on('error', () => undefined)
  return {
    log: pino(settings, destination),
    reopen: () => {
      if (file !== undefined) destination.reopen()
    },
    switchTo: (other) => {
      closeSync(openSync(other, 'a', 0o640)) // reopen itself would not say that it failed
      destination.reopen(other)
    },
  }
}

/** Lines for journald: each begins with its priority. @see sd-daemon(3) */
function journalStream(): DestinationStream {
  const stream = {
    // Makes pino set `lastLevel` before each write.
    [Symbol.for('pino.metadata')]: true,
    lastLevel: 30,
    write(line: string): void {
      writeSync(2, `<${priority(this.lastLevel)}>${line}`)
    },
  }
  return stream
}

/** Of a pino level: 10 trace … 60 fatal. @see syslog(3) */
function priority(level: number): number {
  if (level >= 60) return 2
  if (level >= 50) return 3
  if (level >= 40) return 4
  if (level >= 30) return 6
  return 7
}
