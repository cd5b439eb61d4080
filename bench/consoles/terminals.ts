/** Pseudo terminals: the kernel has so many for everybody, and some daemons take one for each guest. */
import { readFileSync } from 'node:fs'

/** Others want to log in while a bench runs. */
const LEFT_TO_OTHERS = 64

/** What bounds a daemon that opens something for each guest. */
export interface Limits {
  /** kernel.pty.max */
  readonly ptyMax: number
  /** kernel.pty.nr: taken, before the daemon was started. */
  readonly ptyTaken: number
  /** Descriptors that this process, and what it starts, may have open without asking for more; NaN: any number. */
  readonly openFiles: number
}

export function limitsNow(): Limits {
  const own = readFileSync('/proc/self/limits', 'utf8')
  const openFiles = /^Max open files +([0-9]+)/m.exec(own)?.[1]
  return { ptyMax: ptys('max'), ptyTaken: ptys('nr'), openFiles: Number(openFiles) }
}

/** @returns a sentence when a terminal for each guest is more than there are; undefined: there is room */
export function whyNoTerminals(guests: number, { ptyMax, ptyTaken }: Limits): string | undefined {
  if (guests + ptyTaken + LEFT_TO_OTHERS <= ptyMax) return undefined
  return `not started: it makes ${guests} terminals; kernel.pty.max is ${ptyMax}, others have ${ptyTaken}, and ${LEFT_TO_OTHERS} are left to them`
}

function ptys(name: 'max' | 'nr'): number {
  return Number(readFileSync(`/proc/sys/kernel/pty/${name}`, 'utf8'))
}
