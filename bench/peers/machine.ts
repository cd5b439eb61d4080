/** Where it was measured, and how quiet it was there. */
import { type Machine as Computer, computerText, loadText, machineNow } from '../report/machine.ts'
import type { RowResult } from './rounds.ts'

/** Of one run. */
export interface Machine extends Computer {
  /** How far the floor's slowest round was from its fastest: the middle one of all rows. */
  readonly noise: number
}

export function machineOf(results: readonly RowResult[], loadBefore: number): Machine {
  return { ...machineNow(loadBefore), noise: noiseOf(results) }
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
  const spread = Number.isNaN(machine.noise) ? '–' : `${machine.noise.toFixed(2)}×`
  return [
    computerText(machine),
    `${loadText(machine)}; the floor's slowest round is ${spread} its fastest`,
  ]
}
