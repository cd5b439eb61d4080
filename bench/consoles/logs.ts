/** What is in the logs, against what the guests say that they have printed. */
import { readFileSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import type { Printed } from '../../native/simulator/control.ts'
import type { ConsoleGuest } from './host.ts'

/** `guest 17 line 4711 …`, as the simulated machine's guests print. */
const LINE = /^guest \d+ line (\d+) [^\r\n]*\r$/

export interface LogFindings {
  readonly guests: number
  /** Logs that hold every byte that the guest printed, and none else. */
  readonly equal: number
  readonly printedBytes: number
  readonly loggedBytes: number
  /** Of the logs that are not equal. */
  readonly lostLines: number
  readonly repeatedLines: number
  /** Lines that no guest printed: cut, or run into each other. */
  readonly strangeLines: number
}

/** @param printed of these guests, and perhaps of others */
export function compareLogs<Guest extends Pick<ConsoleGuest, 'name'> & { readonly domid: number }>(
  guests: readonly Guest[],
  printed: readonly Printed[],
  logOf: (guest: Guest) => string,
): LogFindings {
  const byDomid = new Map(printed.map((one) => [one.domid, one]))
  let equal = 0
  let printedBytes = 0
  let loggedBytes = 0
  const lines = { lost: 0, repeated: 0, strange: 0 }
  for (const guest of guests) {
    const said = byDomid.get(guest.domid)
    if (said === undefined) throw new Error(`guest ${guest.name} does not print`)
    const log = readLog(logOf(guest))
    printedBytes += said.bytes
    loggedBytes += log.length
    if (log.length === said.bytes && crc32(log) === said.crc32) equal++
    else countLines(log, said, lines)
  }
  return {
    guests: guests.length,
    equal,
    printedBytes,
    loggedBytes,
    lostLines: lines.lost,
    repeatedLines: lines.repeated,
    strangeLines: lines.strange,
  }
}

/** A log that nobody made is empty. */
function readLog(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch {
    return Buffer.alloc(0)
  }
}

function countLines(
  log: Buffer,
  { lines }: Printed,
  into: { lost: number; repeated: number; strange: number },
): void {
  const times = new Uint32Array(lines + 1)
  for (const line of log.toString('latin1').split('\n').slice(0, -1)) {
    const number = Number(LINE.exec(line)?.[1] ?? 0)
    if (number < 1 || number > lines) into.strange++
    else times[number] = (times[number] ?? 0) + 1
  }
  for (const count of times.subarray(1)) {
    if (count === 0) into.lost++
    else into.repeated += count - 1
  }
}

/** Lines of a part of a log or of what a viewer saw that follow each other, and those that do not. */
export class LineOrder {
  /** Lines that are missing, and those that came again. */
  outOfOrder = 0
  lines = 0
  #rest = ''
  #last = 0

  add(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) {
      const number = Number(LINE.exec(line)?.[1] ?? 0)
      // The first line may have begun before anybody looked.
      if (number === 0) continue
      if (this.#last !== 0 && number !== this.#last + 1) {
        this.outOfOrder += Math.max(1, number - this.#last - 1)
      }
      this.#last = number
      this.lines++
    }
  }
}
