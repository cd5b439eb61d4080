import { raiseFileLimit } from '../addon.ts'

/** More than any host has domains: two descriptors a domain would still fit. */
const WANTED = 262_144

/** Lets this process open as many files as it may. @returns how many that are */
export function raiseOpenFilesLimit(): number {
  return raiseFileLimit(WANTED)
}
