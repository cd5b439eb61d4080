/**
 * Which log is closed when descriptors run out: any, or the one that was written longest ago.
 *
 *   node --import tsx bench/consoled/open-logs.ts [logs] [lines]
 *
 * Writes lines of 64 bytes to so many logs, in batches as they come from the rings, first in turn (guests
 * that all speak once a second), then by Zipf's law (few speak much), and tells what share of the lines
 * had to open their log, and the processor time of a line. Figures: docs/decisions/0014.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import type { LogFile } from '../../consoled/log/log-file.ts'
import { LogFiles } from '../../consoled/log/log-files.ts'
import { raiseOpenFilesLimit } from '../../native/os/file-limit.ts'

const LINE_BYTES = 64
const LINES_PER_BATCH = 128
const SHARES = [0.41, 0.9, 0.99]

const logs = Number(process.argv[2] ?? 10_000)
const lines = Number(process.argv[3] ?? 100_000)

/** Which log the n-th line is for. */
const SPEAKERS: Readonly<Record<string, () => (n: number) => number>> = {
  'in turn': () => (n) => n % logs,
  Zipf: () => zipf(logs),
}

interface Policy {
  readonly pick?: (open: readonly LogFile[]) => number
  readonly written: (file: LogFile) => void
}

const POLICIES: Readonly<Record<string, () => Policy>> = {
  any: () => ({ written: () => undefined }),
  'longest ago': () => {
    // A map keeps the order in which its keys came.
    const order = new Map<LogFile, true>()
    return {
      written: (file) => {
        order.delete(file)
        order.set(file, true)
      },
      pick: () => {
        const [oldest] = order.keys()
        if (oldest === undefined) return 0
        order.delete(oldest)
        return oldest.slot
      },
    }
  },
}

class CountingLogs extends LogFiles {
  opened = 0

  override open(...args: Parameters<LogFiles['open']>): number {
    this.opened++
    return super.open(...args)
  }
}

/** The same sequence in each run. */
function zipf(count: number): (n: number) => number {
  const sums = new Float64Array(count)
  let sum = 0
  for (let i = 0; i < count; i++) {
    sum += 1 / (i + 1)
    sums[i] = sum
  }
  let state = 1
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    const wanted = (state / 2 ** 32) * sum
    let low = 0
    let high = count - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if ((sums[middle] ?? 0) < wanted) low = middle + 1
      else high = middle
    }
    return low
  }
}

function measure(speaker: (n: number) => number, policy: Policy, maxOpen: number) {
  const dir = mkdtempSync(join(tmpdir(), 'open-logs-'))
  const log = pino({ level: 'silent' })
  const files = new CountingLogs({ maxOpen }, log, policy.pick)
  const all = Array.from({ length: logs }, (_, i) => files.file(join(dir, `${i}.log`)))
  const batch = Buffer.allocUnsafeSlow(LINE_BYTES).fill('x')
  batch[LINE_BYTES - 1] = 0x0a
  const write = (from: number, to: number): void => {
    for (let n = from; n < to; n += LINES_PER_BATCH) {
      files.batchBegins(batch)
      for (let i = n; i < Math.min(to, n + LINES_PER_BATCH); i++) {
        const file = all[speaker(i)]
        if (file === undefined) continue
        file.append(batch, 0, LINE_BYTES)
        policy.written(file)
      }
      files.batchEnds()
    }
  }
  // Every log is there, and as many are open as may be.
  for (const file of all) {
    file.append(batch, 0, LINE_BYTES)
    policy.written(file)
  }
  files.opened = 0
  const before = process.cpuUsage()
  write(logs, logs + lines)
  const { user, system } = process.cpuUsage(before)
  files.close()
  rmSync(dir, { recursive: true })
  return { missed: files.opened / lines, micros: (user + system) / lines }
}

const limit = raiseOpenFilesLimit()
console.log(`${logs} logs, ${lines} lines, ${limit} descriptors allowed`)
console.log('speak    closed       may be open  opened for a line  µs of a line')
for (const [speak, speaker] of Object.entries(SPEAKERS)) {
  for (const share of SHARES) {
    const maxOpen = Math.min(Math.floor(logs * share), limit - 200)
    for (const [closed, policy] of Object.entries(POLICIES)) {
      const { missed, micros } = measure(speaker(), policy(), maxOpen)
      const cells = [
        speak.padEnd(8),
        closed.padEnd(12),
        String(maxOpen).padStart(11),
        `${(missed * 100).toFixed(1)} %`.padStart(18),
        micros.toFixed(1).padStart(13),
      ]
      console.log(cells.join(' '))
    }
  }
}
