/** Which disk is behind a path: links, `..` and several names of one device do not hide that two are one. */
import { type BigIntStats, statSync } from 'node:fs'
import type { BlockDevice } from '../../native/hypervisor.ts'

/**
 * Equal for two paths when the same disk is behind them: `device 253:3` of a block device, `file
 * 2049:131` (file system and inode) of anything else. Of a path behind which there is nothing, and
 * which cannot be opened as a disk either, the path.
 */
export function diskIdentity(path: string): string {
  let about: BigIntStats
  try {
    about = statSync(path, { bigint: true })
  } catch {
    return `path ${path}`
  }
  return about.isBlockDevice()
    ? deviceIdentity(deviceOf(about.rdev))
    : `file ${about.dev}:${about.ino}`
}

/** Of a block device by its number. */
export function deviceIdentity({ major, minor }: BlockDevice): string {
  return `device ${major}:${minor}`
}

/** Linux has both numbers in parts (makedev(3)). */
function deviceOf(rdev: bigint): BlockDevice {
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn)
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & 0xffff_ff00n)
  return { major: Number(major), minor: Number(minor) }
}
