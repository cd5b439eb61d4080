/**
 * Where one run has its sockets, pid files and state: a folder of its own below the system's temporary
 * one, so that any number of runs, of any user, never meet.
 *
 * ```
 * $TMPDIR/xcl-start-XXXXXX/   0700
 *   start.pid                 locked as long as the run lives; so others know what is left over
 *   simulator.sock control.sock store.sock consoled.sock xcld.sock
 *   xcld/                     its journal
 *   guest.cfg guest disk.img
 * dist/run -> there           by which dist/bin/xcl finds xcld
 * ```
 */
import {
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AlreadyRunning, PidFile } from '../../native/os/pidfile.ts'

const PREFIX = 'xcl-start-'
const PID_FILE = 'start.pid'
/** sun_path with its NUL (unix(7)), less the longest name that is put into the folder. */
const MAX_PATH_BYTES = 107 - '/xcld.sock.pid'.length

export class RunDirectory {
  readonly path: string
  readonly #link: string
  readonly #pidFile: PidFile
  #isLinked = false

  /**
   * Makes the folder, removes those that runs left which were killed, and points `link` at it unless
   * that belongs to another run that lives.
   */
  static make(link: string): RunDirectory {
    const base = realpathSync(tmpdir())
    removeLeftovers(base)
    const path = mkdtempSync(join(base, PREFIX))
    if (Buffer.byteLength(path) > MAX_PATH_BYTES) {
      rmSync(path, { recursive: true })
      throw new Error(`${base} is too long a path for sockets; set TMPDIR to a shorter one`)
    }
    const directory = new RunDirectory(path, link)
    directory.#pointLink()
    return directory
  }

  private constructor(path: string, link: string) {
    this.path = path
    this.#link = link
    this.#pidFile = PidFile.lock(join(path, PID_FILE))
    this.#pidFile.write(process.pid)
  }

  /** `dist/bin/xcl` finds this run without being told. */
  get isLinked(): boolean {
    return this.#isLinked
  }

  file(name: string): string {
    return join(this.path, name)
  }

  /** Leaves nothing; may be called twice. */
  remove(): void {
    if (this.#isLinked && targetOf(this.#link) === this.path) rmSync(this.#link, { force: true })
    this.#isLinked = false
    rmSync(this.path, { recursive: true, force: true })
  }

  #pointLink(): void {
    const target = targetOf(this.#link)
    if (target !== undefined && isAliveRun(target)) return
    const made = `${this.#link}.${process.pid}`
    rmSync(made, { force: true })
    symlinkSync(this.path, made)
    renameSync(made, this.#link)
    this.#isLinked = true
  }
}

/** Folders of runs that did not live to remove them. */
function removeLeftovers(base: string): void {
  const uid = process.getuid?.()
  for (const name of readdirSync(base)) {
    if (!name.startsWith(PREFIX)) continue
    const path = join(base, name)
    if (lstatSync(path, { throwIfNoEntry: false })?.uid !== uid) continue
    // One without a number in its pid file is just being made.
    if (pidIn(path) !== undefined && !isAliveRun(path)) {
      rmSync(path, { recursive: true, force: true })
    }
  }
}

function isAliveRun(path: string): boolean {
  if (pidIn(path) === undefined) return false
  try {
    PidFile.lock(join(path, PID_FILE)).release()
    return false
  } catch (error) {
    if (error instanceof AlreadyRunning) return true
    throw error
  }
}

function pidIn(path: string): number | undefined {
  try {
    return Number.parseInt(readFileSync(join(path, PID_FILE), 'latin1'), 10) || undefined
  } catch {
    return undefined
  }
}

function targetOf(link: string): string | undefined {
  try {
    return readlinkSync(link)
  } catch {
    return undefined
  }
}
