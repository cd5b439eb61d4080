/** The file into which the probe in a daemon writes: two words of 64 bits, nanoseconds and a count. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const WORDS = 2
const NS_PER_MS = 1e6

export function turnsFileIn(runDir: string): string {
  return join(runDir, 'turns')
}

/** From now on other turns count. The file stays the one that the daemon has mapped. */
export function clearTurns(runDir: string): void {
  writeFileSync(turnsFileIn(runDir), new Uint8Array(new BigUint64Array(WORDS).buffer), {
    flag: 'r+',
  })
}

/** @throws Error when the daemon has measured none */
export function longestTurnMs(runDir: string): number {
  const bytes = readFileSync(turnsFileIn(runDir))
  const [longestNs = 0n, turns = 0n] = [bytes.readBigUInt64LE(0), bytes.readBigUInt64LE(8)]
  if (turns === 0n) throw new Error('the turns of the loop were not measured')
  return Number(longestNs) / NS_PER_MS
}
