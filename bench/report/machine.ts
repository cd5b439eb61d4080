/** Where something was measured, and how quiet it was there. */
import { cpus, loadavg, release } from 'node:os'

/** Of one run. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly kernel: string
  readonly node: string
  /** Over one minute, before and after the run. */
  readonly loadBefore: number
  readonly loadAfter: number
}

export function loadNow(): number {
  return loadavg()[0] ?? 0
}

/** To be called at the end of the run. */
export function machineNow(loadBefore: number): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown processor',
    cores: cpus().length,
    kernel: `Linux ${release()}`,
    node: process.version,
    loadBefore,
    loadAfter: loadNow(),
  }
}

/** `2 × Xeon, Linux 6.1, Node v20.1`. */
export function computerText({ cpu, cores, kernel, node }: Machine): string {
  return `${cores} × ${cpu}, ${kernel}, Node ${node}`
}

/** `load average 0.1 before, 1.9 after`. */
export function loadText({ loadBefore, loadAfter }: Machine): string {
  return `load average ${loadBefore.toFixed(1)} before, ${loadAfter.toFixed(1)} after`
}
