/**
 * Lets modules measure themselves in processes of their own, in turns.
 *
 * ```
 * round 1:  batch  events  child-list … path-table      a process each
 * round 2:  batch  events  child-list … path-table
 *           …
 * then:     death  simulator  sockets                   one process each, which makes its rounds itself
 * ```
 *
 * So a minute in which the machine is slow falls on all modules alike, and what differs from process to process
 * (when code was compiled, where memory lies) is part of the spread.
 */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Module } from '../modules.ts'
import { CONTROL, type Found } from './measure.ts'

/** All that was found of one case. */
export interface Row {
  readonly module: string
  readonly name: string
  readonly unit: Found['unit']
  readonly limit: number | undefined
  /** One for each round. */
  readonly figures: number[]
  readonly amounts: number[]
}

/** Rows in the order of the modules, and what the control said in all rounds of all of them. */
export interface Rows {
  readonly rows: readonly Row[]
  readonly controls: readonly number[]
}

/** Asks a process of its own for the rounds of one module. */
export type Ask = (module: string) => Promise<Found[][]>

/** @param program as node is to start it; gets `--one MODULE` and answers on its standard output */
export function askProcess(program: string): Ask {
  return async (module) => {
    const args = ['--import', 'tsx', program, '--one', module]
    const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 2 ** 24 })
    return JSON.parse(stdout)
  }
}

/** @param onStep hears what begins */
export async function measureModules(
  modules: readonly Module[],
  rounds: number,
  ask: Ask,
  onStep: (text: string) => void,
): Promise<Rows> {
  const rows = new Map<string, Row>()
  const controls: number[] = []
  const take = async ({ name: module }: Module) => {
    for (const found of (await ask(module)).flat()) {
      if (found.name === CONTROL) controls.push(found.figure)
      else add(rows, module, found)
    }
  }
  for (let round = 1; round <= rounds; round++) {
    for (const module of modules.filter(({ isProcessPerRound }) => isProcessPerRound)) {
      onStep(`round ${round} of ${rounds}: ${module.name}`)
      await take(module)
    }
  }
  for (const module of modules.filter(({ isProcessPerRound }) => !isProcessPerRound)) {
    onStep(`all rounds: ${module.name}`)
    await take(module)
  }
  const places = modules.map(({ name }) => name)
  const ordered = [...rows.values()].sort(
    (a, b) => places.indexOf(a.module) - places.indexOf(b.module),
  )
  return { rows: ordered, controls }
}

function add(rows: Map<string, Row>, module: string, found: Found): void {
  const key = `${module}: ${found.name}`
  const { name, unit, limit } = found
  const row = rows.get(key) ?? { module, name, unit, limit, figures: [], amounts: [] }
  row.figures.push(found.figure)
  row.amounts.push(found.amount)
  rows.set(key, row)
}
