/**
 * The files of `--json` and `--svg`. Whatever has that name before stays as it is until there is
 * something to take its place, and what is no regular file, as /dev/stdout, is written to and never
 * replaced.
 */
import {
  accessSync,
  constants as fsConstants,
  fstatSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, resolve } from 'node:path'

const STANDARD_OUTPUTS = [1, 2] as const

/** @throws Error with a sentence, when it cannot be written; changes nothing */
export function checkOutput(file: string): void {
  const found = statSync(file, { throwIfNoEntry: false })
  if (found?.isDirectory()) throw new Error(`${file} is a directory`)
  if (found !== undefined) accessSync(file, fsConstants.W_OK)
  if (found === undefined || found.isFile()) accessSync(dirname(placeOf(file)), fsConstants.W_OK)
}

/**
 * Whoever reads a regular file finds all of it, or what was there before.
 * @throws Error of the file system
 */
export function writeOutput(file: string, text: string): void {
  const found = statSync(file, { throwIfNoEntry: false })
  const standard = found && STANDARD_OUTPUTS.find((fd) => isSame(found, fstatSync(fd)))
  if (found === undefined || (found.isFile() && standard === undefined)) {
    replace(placeOf(file), text, found?.mode)
    return
  }
  // A regular file that our own output goes to as well is at the place up to which that has come; of
  // all others the name is opened anew, since Node's own descriptor may refuse to wait.
  writeFileSync(found.isFile() && standard !== undefined ? standard : file, text)
}

function replace(place: string, text: string, mode: number | undefined): void {
  const made = `${place}.${process.pid}`
  try {
    writeFileSync(made, text, mode === undefined ? {} : { mode: mode & 0o777 })
    renameSync(made, place)
  } catch (error) {
    rmSync(made, { force: true })
    throw error
  }
}

/** Where a file is, or would be, behind symbolic links. */
function placeOf(file: string): string {
  try {
    return realpathSync(file)
  } catch {
    return resolve(dirname(file), targetOf(file) ?? file)
  }
}

function targetOf(link: string): string | undefined {
  try {
    return readlinkSync(link)
  } catch {
    return undefined
  }
}

function isSame(one: Stats, other: Stats): boolean {
  return one.dev === other.dev && one.ino === other.ino
}
