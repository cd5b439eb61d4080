import { lstatSync, unlinkSync } from 'node:fs'

/**
 * Removes the socket file that an earlier daemon left at the path, and nothing else.
 *
 * @returns false when something that is no socket lies there; it is not ours to delete
 */
export function removeSocketFile(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return true
  if (!found.isSocket()) return false
  unlinkSync(path)
  return true
}
