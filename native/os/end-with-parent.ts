import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { setParentDeathSignal } from '../addon.ts'

/** Asks this process to end (SIGTERM) as soon as the one that started it has ended, however it did. */
export function endWithParent(): void {
  setParentDeathSignal(constants.signals.SIGTERM)
  // It may have ended before, even while Node was starting, and then nobody sends the signal.
  if (isAdopted()) process.kill(process.pid, 'SIGTERM')
}

/**
 * Whoever starts a process is in its session, and whoever takes in those that have lost their parent is
 * in one of its own. A process that leads a session cannot tell the two apart by that.
 */
function isAdopted(): boolean {
  const session = sessionOf('self')
  return session !== process.pid && sessionOf(String(process.ppid)) !== session
}

/** @returns undefined when there is no such process */
function sessionOf(process: string): number | undefined {
  try {
    // proc(5): the sixth field; the second, in brackets, is a name that may hold anything.
    const stat = readFileSync(`/proc/${process}/stat`, 'latin1')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3])
  } catch {
    return undefined
  }
}
