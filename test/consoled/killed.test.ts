/**
 * consoled as a process that is killed while guests print numbered lines: whatever the moment, each line
 * is in the log once.
 */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { afterEach, describe, expect, test } from 'vitest'
import { SimulatedHost } from '../support/a-simulated-host.ts'

const GUESTS = 4
const LINES = 2000
const RATE = 1000
const KILLS = 3
/** Each start of consoled takes a second of a busy machine. */
const LIMIT_MS = 60_000
const STAMP = /^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] /

let host: SimulatedHost | undefined
afterEach(async () => {
  await host?.stop()
  host = undefined
})

/** Guests that print when they are asked to. @param args more arguments for consoled */
async function printers(args: readonly string[] = []): Promise<SimulatedHost> {
  const started = await SimulatedHost.start({ args: { consoled: args } })
  host = started
  for (let i = 0; i < GUESTS; i++) {
    const { code } = await started.create(`g${i}`, ['cmdline = "script=print"'])
    expect(code).toBe(0)
  }
  return started
}

/** Settles when the guests have printed so many lines, all together. */
async function untilPrinted(on: SimulatedHost, lines: number): Promise<void> {
  while ((await on.simulator.printing()).lines < lines) {
    // The machine is asked again.
  }
}

/** Settles when all was printed and taken. */
async function untilTaken(on: SimulatedHost): Promise<void> {
  for (;;) {
    const { left, unread } = await on.simulator.printing()
    if (left === 0 && unread === 0) return
  }
}

/** Lets the guests print and calls at moments that nobody knows before. */
async function whilePrinting(
  on: SimulatedHost,
  times: number,
  interrupt: (time: number) => Promise<void>,
): Promise<void> {
  await on.simulator.print(LINES, RATE)
  for (let i = 0; i < times; i++) {
    await untilPrinted(on, (GUESTS * LINES * (i + Math.random())) / (times + 1))
    await interrupt(i)
  }
  await untilTaken(on)
}

async function kill(on: SimulatedHost): Promise<void> {
  await on.killProgram('consoled')
  await on.startProgram('consoled')
}

/** A guest's log, with what was put aside before. */
function wholeLog(on: SimulatedHost, guest: number): string {
  const path = join(on.logDir, `guest-g${guest}.log`)
  const aside = Array.from({ length: 50 }, (_, i) => `${path}.${50 - i}`)
  return [...aside, path]
    .map((file) => (existsSync(file) ? readFileSync(file, 'latin1') : ''))
    .join('')
}

/** Each guest's log is what it says it has printed, byte by byte. */
async function expectExactLogs(on: SimulatedHost): Promise<void> {
  const printed = await on.simulator.printed()
  for (const [i, { lines, bytes, crc32: sum }] of printed.entries()) {
    expect(lines).toBe(LINES)
    const log = wholeLog(on, i)
    const numbers = [...log.matchAll(/ line (\d+) /g)].map(([, number]) => Number(number))
    expect(numbers).toEqual(Array.from({ length: LINES }, (_, at) => at + 1))
    expect([log.length, crc32(log)]).toEqual([bytes, sum])
  }
}

describe('consoled that is killed while guests print', { timeout: LIMIT_MS }, () => {
  test('has every line in its raw logs once', async () => {
    const on = await printers()
    await whilePrinting(on, KILLS, () => kill(on))
    await expectExactLogs(on)
    const { mode } = statSync(on.path('consoled.state'))
    expect(mode & 0o777).toBe(0o600)
  })

  test('has every line once in logs that are put aside meanwhile', async () => {
    const on = await printers(['--log-max-size', '8k', '--log-keep', '50'])
    await whilePrinting(on, KILLS, () => kill(on))
    await expectExactLogs(on)
    expect(existsSync(join(on.logDir, 'guest-g0.log.5'))).toBe(true)
  })

  test('repeats a line of a log with timestamps at most', async () => {
    const on = await printers(['--timestamp', 'guest'])
    await whilePrinting(on, KILLS, () => kill(on))
    for (let guest = 0; guest < GUESTS; guest++) {
      const lines = wholeLog(on, guest).split('\n')
      const numbers = lines
        .filter((line) => STAMP.test(line) && / line \d+ .*\r$/.test(line))
        .map((line) => Number(/ line (\d+) /.exec(line)?.[1]))
      expect(new Set(numbers).size).toBe(LINES)
      expect(numbers.toSorted((a, b) => a - b)).toEqual(numbers)
      expect(numbers.length).toBeLessThanOrEqual(LINES + KILLS)
    }
  })
})

test('consoled that is stopped, and finds a state file that is not its own, loses nothing', async () => {
  const on = await printers()
  const state = on.path('consoled.state')
  await whilePrinting(on, 2, async (time) => {
    const { code } = await on.killProgram('consoled', 'SIGTERM')
    expect(code).toBe(0)
    if (time === 1) writeFileSync(state, 'not a state file')
    await on.startProgram('consoled')
  })
  await on.program('consoled').said(/"the state file is not sound: put aside, begun anew"/)
  await expectExactLogs(on)
  expect(readFileSync(`${state}.bad`, 'latin1')).toBe('not a state file')
})
