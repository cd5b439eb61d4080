/**
 * Where a run has its logs: those of the guests in the folder itself, as consoled names them, those of
 * the programs below `daemons/`.
 */
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { UsageError } from '../../native/os/command-line.ts'
import { isAlive } from './proc.ts'

/** Runs whose logs are kept where nobody named a folder. */
const KEPT = 3
/** `2026-11-22T15-04-05-4711`: sorts by time, and says whose it is. */
const NAME = /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-(\d+)$/

export class LogDirectory {
  readonly path: string
  /** Somebody asked for it by name. */
  readonly #isAsked: boolean

  /** A folder that somebody named. @throws UsageError when there is something in it */
  static at(path: string): LogDirectory {
    makeFolder(path)
    if (readdirSync(path).length > 0) {
      throw new UsageError(`--log-dir: ${path} is not empty; logs of two runs would be mixed`)
    }
    return new LogDirectory(path, true)
  }

  /** A new folder in `base`. */
  static in(base: string, now: Date): LogDirectory {
    const time = now.toISOString().slice(0, 19).replaceAll(':', '-')
    return new LogDirectory(join(base, `${time}-${process.pid}`), false)
  }

  private constructor(path: string, isAsked: boolean) {
    this.path = path
    this.#isAsked = isAsked
    makeFolder(join(path, 'daemons'))
  }

  /** The log of one of our programs. */
  daemon(name: string): string {
    return join(this.path, 'daemons', `${name}.log`)
  }

  /** What consoled writes for a guest. */
  guest(name: string): string {
    return join(this.path, `guest-${name}.log`)
  }

  /**
   * For the end of a run: unless it was asked for, it stays beside those of the last runs only, or
   * goes at once. (Not for the beginning: while a file system gets over the end of thousands of files,
   * making new ones is slow.)
   */
  settle(isKept: boolean): void {
    if (this.#isAsked) return
    if (!isKept) rmSync(this.path, { recursive: true, force: true })
    const base = dirname(this.path)
    const runs = readdirSync(base).filter((name) => NAME.test(name))
    for (const name of runs.sort().slice(0, -KEPT)) {
      // A run that is still going on is not ours to clean up.
      const isOver = !isAlive(Number(NAME.exec(name)?.[1]))
      if (isOver) rmSync(join(base, name), { recursive: true, force: true })
    }
  }
}

/**
 * The folder and those above it. (Node's own way of doing so never ends where a file system says that
 * there is no such folder to make one in, as /proc does.)
 *
 * @throws Error of the file system
 */
function makeFolder(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return
  const above = dirname(path)
  if (above !== path) makeFolder(above)
  mkdirSync(path)
}
