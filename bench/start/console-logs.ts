/** Reads what consoled has written for each guest: the outside's view of who spoke, and what. */
import { readFileSync } from 'node:fs'
import type { Guests } from './guests.ts'
import type { LogDirectory } from './log-directory.ts'

/** What guests have said is in the files a moment later; if it is not within this, it never will be. */
const PATIENCE_MS = 5000
const PAUSE_MS = 50
const NEWLINE = 0x0a

/**
 * Every guest that is READY has said so in its own log, once, with its own name and nonce.
 * @returns a sentence for each log in which that is not so
 */
export async function checkLogs(guests: Guests, logs: LogDirectory): Promise<string[]> {
  const giveUpAt = performance.now() + PATIENCE_MS
  let open = Array.from({ length: guests.count }, (_, i) => i).filter(
    (i) => !Number.isNaN(guests.readyMs[i]),
  )
  for (;;) {
    const faults = open
      .map((i): [number, string | undefined] => [i, faultOf(guests, i, logs)])
      .filter(([, fault]) => fault !== undefined)
    if (faults.length === 0 || performance.now() > giveUpAt) {
      return faults.map(([, fault]) => fault ?? '')
    }
    open = faults.map(([i]) => i)
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  }
}

/** Lines in all logs of the guests. */
export function countLines(guests: Guests, logs: LogDirectory): number {
  let lines = 0
  for (let i = 0; i < guests.count; i++) {
    const bytes = read(logs.guest(guests.name(i)))
    for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) lines++
  }
  return lines
}

function faultOf(guests: Guests, index: number, logs: LogDirectory): string | undefined {
  const name = guests.name(index)
  const file = logs.guest(name)
  const said = read(file)
    .toString('latin1')
    .split('\n')
    .filter((line) => line.startsWith('READY '))
  if (said.length !== 1) return `${file} has ${said.length} READY lines instead of one`
  const words = (said[0] ?? '').trim().split(' ')
  const isItsOwn = words.includes(`name=${name}`) && words.includes(`nonce=${guests.nonces[index]}`)
  return isItsOwn ? undefined : `${file} has what another guest said: ${said[0]?.trim()}`
}

function read(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch {
    return Buffer.alloc(0)
  }
}
