/** The file whose memory ConsoleStates lies in: mapped, so that it says what the daemon knew when it was killed. */
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import type { Logger } from '../../native/os/log.ts'
import { mapPages } from '../../native/os/mapped-file.ts'
import type { MemoryRange } from '../../native/os/state-memory.ts'
import { ConsoleStates, STATE_BYTES, stateHeader } from './console-states.ts'

export const STATE_FILE = '/run/xen/consoled.state'
const MODE = 0o600
const { O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDWR } = constants

export class StateFile {
  readonly states: ConsoleStates
  readonly #range: MemoryRange
  readonly #fd: number | undefined

  /**
   * Takes the file up where it is ours and whole. What is something else is put aside as `….bad`, what
   * cannot be had is done without: consoles are served in any case, and the log says what a restart
   * will not know.
   *
   * @param machine as machineIdentity gives it
   */
  constructor(path: string, machine: string, log: Logger) {
    this.#fd = openState(path, machine, log)
    this.#range = mapPages(this.#fd, STATE_BYTES)
    const fd = this.#fd
    const mayTouch = (offset: number): boolean => fd === undefined || hasMemory(fd, offset, log)
    this.states = new ConsoleStates(this.#range.view(0, STATE_BYTES), mayTouch)
  }

  /** What it says stays. */
  close(): void {
    this.#range.close()
    if (this.#fd !== undefined) closeSync(this.#fd)
  }
}

function openState(path: string, machine: string, log: Logger): number | undefined {
  try {
    mkdirSync(dirname(path), { recursive: true })
    const found = openSound(path, machine)
    if (typeof found === 'number') return found
    renameSync(path, `${path}.bad`)
    log.warn({ path, why: found.why }, 'the state file is not sound: put aside, begun anew')
    const made = openSound(path, machine)
    if (typeof made === 'number') return made
    throw new Error(made.why)
  } catch (error) {
    log.error({ err: error, path }, 'no state file: logs may repeat or miss lines after a kill')
    return undefined
  }
}

/** @throws NodeJS.ErrnoException when it cannot be opened though it may be sound */
function openSound(path: string, machine: string): number | { readonly why: string } {
  let fd: number
  try {
    fd = openSync(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, MODE)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ELOOP' || code === 'EISDIR' || code === 'ENXIO') return { why: 'no regular file' }
    throw error
  }
  const why = whyUnsound(fd, machine)
  if (why === undefined) return fd
  closeSync(fd)
  return { why }
}

/** An empty file is made whole. */
function whyUnsound(fd: number, machine: string): string | undefined {
  const facts = fstatSync(fd)
  if (!facts.isFile()) return 'no regular file'
  const wanted = stateHeader(machine)
  if (facts.size === 0) {
    writeSync(fd, wanted, 0, wanted.length, 0)
    ftruncateSync(fd, STATE_BYTES)
    return undefined
  }
  if (facts.size !== STATE_BYTES) return `${facts.size} bytes and not ${STATE_BYTES}`
  const header = Buffer.alloc(wanted.length)
  readSync(fd, header, 0, header.length, 0)
  return header.equals(wanted) ? undefined : 'another magic number or version, or of another boot'
}

/** Gives the page memory by writing what it says already. */
function hasMemory(fd: number, offset: number, log: Logger): boolean {
  const byte = Buffer.alloc(1)
  try {
    readSync(fd, byte, 0, 1, offset)
    writeSync(fd, byte, 0, 1, offset)
    return true
  } catch (error) {
    log.error({ err: error }, 'no room in the state file')
    return false
  }
}
