/**
 * lixs on its unix socket beside the C floor, in turns: round by round both answer the same load, and
 * what counts is the ratio of each round. Absolute figures are this machine's noise.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Found } from './report/measure.ts'

const root = join(import.meta.dirname, '..')
const ROUNDS = 5
const SECONDS = '0.4'

interface Load {
  readonly operationsPerS: number
  readonly p50Us: number
  readonly p99Us: number
  readonly errors: number
}

interface Scenario {
  readonly name: string
  readonly arguments: readonly string[]
  /** Which figure is compared: the median latency, or the throughput. */
  readonly figure: 'p50Us' | 'operationsPerS'
}

const SCENARIOS: readonly Scenario[] = [
  { name: 'READ, depth 1', arguments: ['read', '1', '1'], figure: 'p50Us' },
  { name: 'WRITE, depth 1', arguments: ['write', '1', '1'], figure: 'p50Us' },
  { name: 'READ, depth 32', arguments: ['read', '32', '1'], figure: 'operationsPerS' },
  { name: 'WRITE, depth 32', arguments: ['write', '32', '1'], figure: 'operationsPerS' },
  { name: 'READ, 128 clients', arguments: ['read', '1', '128'], figure: 'operationsPerS' },
]

/**
 * Of each round, what lixs needs by what the floor needs; above 1 = slower, for latency and throughput alike.
 * Everything it starts is ended again.
 */
export async function socketRounds(): Promise<Found[][]> {
  const dir = mkdtempSync(join(tmpdir(), 'xcl-bench-'))
  const children: ChildProcess[] = []
  try {
    for (const name of ['echo', 'load']) {
      const source = join(root, 'bench/load', `${name}.c`)
      execFileSync('cc', ['-std=c17', '-O2', '-o', join(dir, name), source])
    }
    const floor = join(dir, 'floor.sock')
    const lixs = join(dir, 'lixs.sock')
    children.push(spawn(join(dir, 'echo'), [floor], { stdio: 'ignore' }))
    const flags = ['--hypervisor', 'none', '--no-fork', '--socket-path', lixs]
    children.push(spawn(join(root, 'dist/bin/lixs'), flags, { stdio: 'ignore' }))
    await Promise.all([until(() => existsSync(floor)), until(() => existsSync(lixs))])
    const rounds: Found[][] = []
    // The first round warms the compiler up and is not counted.
    for (let round = 0; round <= ROUNDS; round++) {
      const found: Found[] = []
      for (const scenario of SCENARIOS) {
        const low = await load(join(dir, 'load'), floor, scenario)
        const ours = await load(join(dir, 'load'), lixs, scenario)
        const { name, figure: kind } = scenario
        const figure = kind === 'p50Us' ? ours / low : low / ours
        found.push({ name, figure, amount: ours, unit: kind === 'p50Us' ? 'µs' : 'op/s' })
      }
      if (round > 0) rounds.push(found)
    }
    return rounds
  } finally {
    for (const child of children) child.kill('SIGKILL')
    rmSync(dir, { recursive: true, force: true })
  }
}

async function load(program: string, socket: string, scenario: Scenario): Promise<number> {
  const { stdout } = await promisify(execFile)(program, [socket, ...scenario.arguments, SECONDS])
  const result: Load = JSON.parse(stdout)
  if (result.errors > 0) throw new Error(`${scenario.name}: ${result.errors} error replies`)
  return result[scenario.figure]
}

async function until(isDone: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!isDone()) {
    if (Date.now() > deadline) throw new Error('a daemon did not open its socket within 10 s')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
