/** Where it was measured, and how quiet it was there. */
import { cpus, loadavg, release } from 'node:os'
import type { RowResult } from './rounds.ts'

/** Of one run. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly kernel: string
  readonly node: string
  /** Over one minute, before and after the run. */
  readonly loadBefore: number
  readonly loadAfter: number
  /** How far the floor's slowest round was from its fastest: the middle one of all rows. */
  readonly noise: number
}

export function loadNow(): number {
  return loadavg()[0] ?? 0
}

export function machineOf(results: readonly RowResult[], loadBefore: number): Machine {
  const model = cpus()[0]?.model ?? 'unknown processor'
  return {
    cpu: model,
    cores: cpus().length,
    kernel: `Linux ${release()}`,
    node: process.version,
    loadBefore,
    loadAfter: loadNow(),
    noise: noiseOf(results),
  }
}

/** 1: none; NaN: the floor was not measured. */
function noiseOf(results: readonly RowResult[]): number {
  const spreads = results.flatMap(({ figures }) => {
    const floor = figures.get('floor')
    return floor?.kind === 'measured' && floor.spread.min > 0
      ? [floor.spread.max / floor.spread.min]
      : []
  })
  return spreads.sort((a, b) => a - b)[Math.floor(spreads.length / 2)] ?? Number.NaN
}

/** Lines without their ends. */
export function machineText(machine: Machine): string[] {
  const { cpu, cores, kernel, node, loadBefore, loadAfter, noise } = machine
  const spread = Number.isNaN(noise) ? '–' : `${noise.toFixed(2)}×`
  return [
    `${cores} × ${cpu}, ${kernel}, Node ${node}`,
    `load average ${loadBefore.toFixed(1)} before, ${loadAfter.toFixed(1)} after; the floor's slowest round is ${spread} its fastest`,
  ]
}
