/**
 * The names that guests' disks go by, and the number that each stands for in XenStore.
 *
 * @see docs/man/xen-vbd-interface.7.pandoc
 */

const XVD_MAJOR = 202
const SD_MAJOR = 8
/** Of the first and of the second pair of IDE disks. */
const HD_MAJORS = [3, 22] as const
/** From here on there is room for more disks and partitions than a major number has. */
const EXTENDED = 1 << 28
const MAX_EXTENDED_DISK = (1 << 20) - 1
const MAX_EXTENDED_PARTITION = 255
const MAX_NUMBER = 2 ** 31 - 1

/**
 * @param vdev `xvda`, `xvdb1`, `hda`, `sda2`, `d0p1`, or the number itself
 * @returns undefined when it is none of these
 */
export function virtualDevice(vdev: string): number | undefined {
  if (/^(0x[0-9a-f]+|[0-9]+)$/i.test(vdev)) {
    const number = Number(vdev)
    return number <= MAX_NUMBER ? number : undefined
  }
  const [, short, shortPartition] = /^d([0-9]+)(?:p([0-9]+))?$/.exec(vdev) ?? []
  if (short !== undefined) return xvd(Number(short), Number(shortPartition ?? 0))
  const [, kind, letters = '', digits = '0'] = /^(xvd|hd|sd)([a-z]+)([0-9]*)$/.exec(vdev) ?? []
  const disk = diskOf(letters)
  const partition = Number(digits)
  switch (kind) {
    case 'xvd':
      return xvd(disk, partition)
    case 'hd':
      return hd(disk, partition)
    case 'sd':
      return disk <= 15 && partition <= 15 ? (SD_MAJOR << 8) | (disk << 4) | partition : undefined
    default:
      return undefined
  }
}

function xvd(disk: number, partition: number): number | undefined {
  if (disk <= 15 && partition <= 15) return (XVD_MAJOR << 8) | (disk << 4) | partition
  if (disk > MAX_EXTENDED_DISK || partition > MAX_EXTENDED_PARTITION) return undefined
  return EXTENDED | (disk << 8) | partition
}

function hd(disk: number, partition: number): number | undefined {
  const major = HD_MAJORS[disk >> 1]
  if (major === undefined || partition > 63) return undefined
  return (major << 8) | ((disk & 1) << 6) | partition
}

/** a is 0, z is 25, aa is 26. */
function diskOf(letters: string): number {
  let disk = 0
  for (const letter of letters) disk = disk * 26 + (letter.charCodeAt(0) - 96)
  return disk - 1
}
