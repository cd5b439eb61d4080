/**
 * Builds and runs the driver that plays random actions against native/src without JavaScript, under
 * AddressSanitizer and UndefinedBehaviorSanitizer.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename, join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '../../..')
const here = import.meta.dirname
const source = join(root, 'native/src')
const out = join(root, 'native/build/fuzz')
const executable = join(out, 'ring-set-fuzzer')

export const NATIVE_CORPUS = join(root, 'test/fuzz/corpus/native')
/** Inputs of the look-ups of paths. */
export const PATHS_CORPUS = join(root, 'test/fuzz/corpus/paths')

/** What is driven; nothing of it knows of JavaScript. */
const DRIVEN = [
  'block_pool',
  'causing_requests',
  'failure',
  'loopback_world',
  'output_queue',
  'path_table',
  'ring_set',
  'ring_set_collect',
  'ring_set_input',
  'ring_set_output',
  'shared_ring',
  'unix_socket',
]
const CHECKS = ['-fsanitize=address,undefined', '-fno-sanitize=vptr', '-fno-sanitize-recover=all']
const FLAGS = [
  '-std=gnu++20',
  '-O1',
  '-g',
  '-fno-omit-frame-pointer',
  '-Wall',
  '-Wextra',
  ...CHECKS,
]

/** @throws Error when it does not compile */
export async function buildDriver(): Promise<void> {
  mkdirSync(out, { recursive: true })
  const headers = [source, here].flatMap((folder) => filesIn(folder, '.h'))
  const newest = Math.max(...headers.map((file) => statSync(file).mtimeMs))
  const driven = DRIVEN.map((name) => join(source, `${name}.cc`))
  const waiting = [...driven, ...filesIn(here, '.cc')].filter((file) => isStale(file, newest))
  const work = async () => {
    for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
      // Only what is driven is watched for new code.
      const coverage = driven.includes(file) ? ['-fsanitize-coverage=trace-pc'] : []
      await run('g++', [...FLAGS, `-I${source}`, ...coverage, '-c', file, '-o', objectOf(file)])
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, work))
  const objects = [...driven, ...filesIn(here, '.cc')].map(objectOf)
  await run('g++', ['-fsanitize=address,undefined', '-o', executable, ...objects])
}

/** How a run of the driver ended. */
export interface DriverEnd {
  readonly code: number | null
  readonly said: string
}

/** @param args see main.cc */
export async function runDriver(args: readonly string[]): Promise<DriverEnd> {
  const child = spawn(executable, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
  }
  const [code] = await once(child, 'close')
  return { code, said: said.trimEnd() }
}

function filesIn(folder: string, ending: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(ending))
    .map((name) => join(folder, name))
}

function objectOf(file: string): string {
  return join(out, basename(file).replace(/cc$/, 'o'))
}

function isStale(file: string, newestHeader: number): boolean {
  const made = statSync(objectOf(file), { throwIfNoEntry: false })?.mtimeMs ?? 0
  return made < newestHeader || made < statSync(file).mtimeMs
}

async function run(program: string, args: readonly string[]): Promise<void> {
  const [code] = await once(spawn(program, args, { stdio: 'inherit' }), 'exit')
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${args.join(' ')}`)
}
