/**
 * CPU by guest count. A latency is also of whatever else the computer does at that moment; what a
 * process used for a guest hardly is.
 */
import { TICKS_PER_SECOND, type Usage } from './proc.ts'
import { forEachProcess, type ProcessName } from './processes.ts'
import { WINDOW } from './windows.ts'

/** Parts that a run is divided into; a clock tick is too coarse for smaller ones. */
const PARTS = 10
const MS_PER_TICK = 1000 / TICKS_PER_SECOND

/** What each process used for a guest, in the part of the run that ended with so many guests. */
export interface CpuStep {
  readonly guests: number
  readonly msPerGuest: Readonly<Record<ProcessName, number>>
}

export class CpuTrack {
  readonly #usage: () => Readonly<Record<ProcessName, Usage>>
  readonly #every: number
  readonly #steps: CpuStep[] = []
  #last: { readonly guests: number; readonly usage: Readonly<Record<ProcessName, Usage>> }

  /** Begins to look. */
  constructor(usage: () => Readonly<Record<ProcessName, Usage>>, guests: number) {
    this.#usage = usage
    this.#every = Math.max(WINDOW, Math.ceil(guests / PARTS))
    this.#last = { guests: 0, usage: usage() }
  }

  get steps(): readonly CpuStep[] {
    return this.#steps
  }

  /** So many guests were created. */
  created(guests: number): void {
    if (guests < this.#last.guests + this.#every) return
    const { guests: before, usage: then } = this.#last
    const now = this.#usage()
    const msPerGuest = forEachProcess(
      (name) => ((now[name].cpuTicks - then[name].cpuTicks) * MS_PER_TICK) / (guests - before),
    )
    this.#steps.push({ guests, msPerGuest })
    this.#last = { guests, usage: now }
  }
}
