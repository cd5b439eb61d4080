/** What Linux says of a process: CPU and memory (proc(5)). */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** Of the clock in /proc, on every architecture that Linux shows to programs. */
export const TICKS_PER_SECOND = 100

/** What a process has used and holds. */
export interface Usage {
  /** User and system time of all its threads. */
  readonly cpuTicks: number
  readonly rssKiB: number
  /** The part of rssKiB that it shares: pages of guests, event areas. */
  readonly sharedKiB: number
}

/** @returns undefined when there is no such process, or none any more */
export function usageOf(pid: number): Usage | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const status = readFileSync(`/proc/${pid}/status`, 'latin1')
    // The name of the program, in parentheses, may hold anything; fields are counted from behind it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return {
      cpuTicks: Number(fields[11]) + Number(fields[12]),
      rssKiB: kibOf(status, 'VmRSS'),
      sharedKiB: kibOf(status, 'RssShmem'),
    }
  } catch {
    return undefined
  }
}

/** CPU that all processes of this computer have used since it was started, in ticks. */
export function computerTicks(): number {
  const [line = ''] = readFileSync('/proc/stat', 'latin1').split('\n')
  // user nice system idle iowait irq softirq steal, then guests, which are in user already.
  const [user, nice, system, , , irq, softirq] = line.trim().split(/\s+/).slice(1).map(Number)
  return [user, nice, system, irq, softirq].reduce<number>((sum, ticks) => sum + (ticks ?? 0), 0)
}

/** Paths of the files that a process has open; none when it cannot be looked at. */
export function openFilesOf(pid: number): string[] {
  const folder = `/proc/${pid}/fd`
  const files: string[] = []
  for (const fd of readdirSync(folder)) {
    try {
      files.push(readlinkSync(`${folder}/${fd}`))
    } catch {
      // Closed since the folder was read.
    }
  }
  return files
}

/** A process that has ended and was not waited for yet is not alive. */
export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat[stat.lastIndexOf(')') + 2] !== 'Z'
  } catch {
    return false
  }
}

function kibOf(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+([0-9]+) kB$`, 'm').exec(status)?.[1] ?? 0)
}

/** Memory that nobody else has mapped: what would be free again if the process ended. NaN: no such process. */
export function privateKiBOf(pid: number): number {
  try {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1')
    return kibOf(rollup, 'Private_Clean') + kibOf(rollup, 'Private_Dirty')
  } catch {
    return Number.NaN
  }
}
