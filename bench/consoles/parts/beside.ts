/** Debian's xenconsoled and consoled with the same guests, more and more of them, until one cannot. */
import { existsSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { medianOf } from '../../report/series.ts'
import { privateKiBOf } from '../../start/proc.ts'
import type { Bench } from '../bench.ts'
import type { Beside, BesideFigures } from '../beside.ts'
import { type ConsoleDaemon, DAEMONS, type DaemonName, NotServing } from '../daemons.ts'
import type { ConsoleHost } from '../host.ts'
import { NotDrained } from '../printing.ts'
import { printTo } from './print.ts'

const NEWCOMERS = 5
const NOTICE_LIMIT_MS = 10_000
/** Between newcomers, so that each is news. */
const PAUSE_MS = 300
/** For what a daemon does when it has started. */
const CALM_MS = 2000
const PER_CENT = 100

export async function beside(bench: Bench): Promise<Beside[]> {
  const host = await bench.newHost()
  const failed = new Set<DaemonName>()
  const rows: Beside[] = []
  for (const guests of bench.sizes.beside) {
    await bench.grow(host, guests)
    for (const daemon of DAEMONS) {
      if (failed.has(daemon)) continue
      const outcome = await besideOf(bench, host, daemon)
      if (typeof outcome === 'string') failed.add(daemon)
      rows.push({ guests, daemon, outcome })
    }
  }
  return rows
}

/** @returns how it failed, or its figures */
async function besideOf(
  bench: Bench,
  host: ConsoleHost,
  name: DaemonName,
): Promise<BesideFigures | string> {
  const begin = performance.now()
  let daemon: ConsoleDaemon
  try {
    daemon = await bench.start(name, host)
  } catch (error) {
    if (error instanceof NotServing) return error.message
    throw error
  }
  const startS = (performance.now() - begin) / 1000
  try {
    await setTimeout(CALM_MS)
    const { cpu, logs } = await printTo(bench, host, daemon, 0, bench.sizes.besideSeconds)
    return {
      startS,
      cpuPerCent: (PER_CENT * cpu.daemonS) / cpu.wallS,
      simulatorPerCent: (PER_CENT * cpu.simulatorS) / cpu.wallS,
      privateKiB: privateKiBOf(daemon.pid),
      lostBytes: logs.printedBytes - logs.loggedBytes,
      noticeMs: name === 'floor' ? Number.NaN : await noticed(bench, host, daemon),
    }
  } catch (error) {
    if (error instanceof NotDrained) return daemon.end ?? error.message
    throw error
  } finally {
    await bench.stop(daemon)
  }
}

/** @returns ms; NaN when one was not noticed in time */
async function noticed(bench: Bench, host: ConsoleHost, daemon: ConsoleDaemon): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < NEWCOMERS; i++) {
    bench.say(`${daemon.name}: a new guest among ${host.guests.length}`)
    const guest = await host.addGuest()
    const log = daemon.logOf(guest)
    const sinceMs = () => performance.now() - guest.introducedMs
    while (!existsSync(log) && sinceMs() < NOTICE_LIMIT_MS) await setTimeout(1)
    times.push(existsSync(log) ? sinceMs() : Number.NaN)
    await host.removeGuest(guest)
    await setTimeout(PAUSE_MS)
  }
  return times.some(Number.isNaN) ? Number.NaN : medianOf(times)
}
