import { constants } from 'node:os'
import { setParentDeathSignal } from '../addon.ts'

/** Asks this process to end (SIGTERM) as soon as the one that started it has ended, however it did. */
export function endWithParent(): void {
  const parent = process.ppid
  setParentDeathSignal(constants.signals.SIGTERM)
  // It may have ended just before, and then nobody sends the signal.
  if (process.ppid !== parent) process.kill(process.pid, 'SIGTERM')
}
