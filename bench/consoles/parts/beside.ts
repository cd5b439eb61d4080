/** Debian's xenconsoled and consoled with the same guests, more and more of them, until one cannot. */
import { existsSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { medianOf } from '../../report/series.ts'
import { privateKiBOf } from '../../start/proc.ts'
import type { Bench } from '../bench.ts'
import { type Beside, type BesideFigures, NOTICE_LIMIT_MS } from '../beside.ts'
import { type ConsoleDaemon, DAEMONS, type DaemonName, NotServing } from '../daemons.ts'
import type { ConsoleHost } from '../host.ts'
import { NotDrained } from '../printing.ts'
import { type Limits, limitsNow, whyNoTerminals } from '../terminals.ts'
import { printTo } from './print.ts'

const NEWCOMERS = 5
/** Between newcomers, so that each is news. */
const PAUSE_MS = 300
/** For what a daemon does when it has started. */
const CALM_MS = 2000
const PER_CENT = 100
/** Those that make one for each guest. */
const TERMINALS: ReadonlySet<DaemonName> = new Set(['consoled --tty always', 'xenconsoled'])

export async function beside(bench: Bench): Promise<Beside[]> {
  const host = await bench.newHost()
  const failed = new Set<DaemonName>()
  const rows: Beside[] = []
  for (const guests of bench.sizes.beside) {
    await bench.grow(host, guests)
    for (const daemon of DAEMONS) {
      if (failed.has(daemon)) continue
      const limits = limitsNow()
      const outcome = await besideOf(bench, host, daemon, limits)
      if (typeof outcome === 'string') failed.add(daemon)
      rows.push({ guests, daemon, limits, outcome })
    }
  }
  return rows
}

/** @returns how it failed, or its figures */
async function besideOf(
  bench: Bench,
  host: ConsoleHost,
  name: DaemonName,
  limits: Limits,
): Promise<BesideFigures | string> {
  // A newcomer has one, too.
  const why = TERMINALS.has(name) ? whyNoTerminals(host.guests.length + 1, limits) : undefined
  if (why !== undefined) return why
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
      lostLines: logs.lostLines,
      repeatedLines: logs.repeatedLines,
      noticeMs: name === 'floor' ? Number.NaN : await noticed(bench, host, daemon),
    }
  } catch (error) {
    if (error instanceof NotDrained) return daemon.end ?? error.message
    throw error
  } finally {
    await bench.stop(daemon)
  }
}

/** @returns ms; one that is not noticed in time takes for ever */
async function noticed(bench: Bench, host: ConsoleHost, daemon: ConsoleDaemon): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < NEWCOMERS; i++) {
    bench.say(`${daemon.name}: a new guest among ${host.guests.length}`)
    const guest = await host.addGuest()
    const log = daemon.logOf(guest)
    const sinceMs = () => performance.now() - guest.introducedMs
    while (!existsSync(log) && sinceMs() < NOTICE_LIMIT_MS) await setTimeout(1)
    times.push(existsSync(log) ? sinceMs() : Number.POSITIVE_INFINITY)
    await host.removeGuest(guest)
    await setTimeout(PAUSE_MS)
  }
  return medianOf(times)
}
