import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  readFileSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { changeLock, lockFile } from '../addon.ts'
import { XenError } from '../xen-error.ts'

/** Another instance holds the pid file. */
export class AlreadyRunning extends Error {
  override readonly name = 'AlreadyRunning'
  /** Number of its process, as far as the file says. */
  readonly pid: number | undefined

  constructor(path: string, pid: number | undefined) {
    super(
      pid === undefined
        ? `already running (${path} is locked)`
        : `already running (pid ${pid}; ${path} is locked)`,
    )
    this.pid = pid
  }
}

/**
 * A locked file with our pid in it. The lock goes with the process, so a file left behind by one
 * that was killed is no obstacle; the file itself stays, as upstream's does.
 */
export class PidFile {
  readonly #fd: number

  /**
   * Takes the lock; the file keeps its old content until `write`.
   *
   * @throws AlreadyRunning
   * @throws XenError when the file cannot be made
   */
  static lock(path: string): PidFile {
    mkdirSync(dirname(path), { recursive: true })
    try {
      return new PidFile(lockFile(path))
    } catch (error) {
      if (!(error instanceof XenError) || error.code !== 'EAGAIN') throw error
      const pid = Number.parseInt(readFileSync(path, 'latin1'), 10)
      throw new AlreadyRunning(path, Number.isNaN(pid) ? undefined : pid)
    }
  }

  /**
   * Takes over the lock that the program before held in this process.
   *
   * @param fd which it left open @throws Error when that is another file
   */
  static inherit(path: string, fd: number): PidFile {
    const held = fstatSync(fd)
    const named = statSync(path)
    if (held.dev !== named.dev || held.ino !== named.ino) {
      throw new Error(`the lock that was left is not of ${path}`)
    }
    changeLock(fd, false)
    return new PidFile(fd)
  }

  private constructor(fd: number) {
    this.#fd = fd
  }

  /** To be left open for the next program in this process. */
  get fd(): number {
    return this.#fd
  }

  /** The lock becomes one that any next program takes for its own. */
  handOver(): void {
    changeLock(this.#fd, true)
  }

  /** There is no next program after all. */
  takeBack(): void {
    changeLock(this.#fd, false)
  }

  /** From now on the file says which process this is: the number and a newline. */
  write(pid: number): void {
    const text = `${pid}\n`
    // In this order: whoever looks meanwhile finds a number, above all when it stays the same.
    writeSync(this.#fd, text, 0)
    ftruncateSync(this.#fd, text.length)
  }

  /** Empties the file and gives up the lock. */
  release(): void {
    ftruncateSync(this.#fd)
    closeSync(this.#fd)
  }
}
