/** Programs of the benches in C++: compiled when what they are made of has changed. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const ROOT = join(import.meta.dirname, '..')
const CACHE = process.env.XCL_BENCH_CACHE ?? join(ROOT, '.cache/bench')
const FLAGS = ['-std=gnu++20', '-O2', '-Wall', '-Wextra', '-Werror=return-type']
const MACHINE = ['failure', 'machine_simulator', 'shared_mapping', 'shared_ring', 'simulator_link']

/** What one program is made of, in paths of the repository. */
export interface Recipe {
  readonly name: string
  readonly folder: string
  /** Sources and headers of others. */
  readonly sources: readonly string[]
  readonly headers: readonly string[]
  readonly flags: readonly string[]
}

/** The code through which the addon reaches a simulated machine, for programs that do so as well. */
export const MACHINE_CODE: Pick<Recipe, 'sources' | 'headers'> = {
  sources: MACHINE.map((name) => `native/src/${name}.cc`),
  headers: [
    'native/simulator/protocol.h',
    ...[...MACHINE, 'machine', 'unique_fd'].map((name) => `native/src/${name}.h`),
  ],
}

/** The header with what programs begin with. */
export const PROCESS_START = 'bench/process_start.h'

/** @returns the program's path @throws Error with what the compiler says */
export async function compiled({ name, folder, sources, headers, flags }: Recipe): Promise<string> {
  const own = readdirSync(join(ROOT, folder)).map((file) => `${folder}/${file}`)
  const hash = createHash('sha256').update([...FLAGS, ...flags].join(' '))
  for (const file of [...own, ...sources, ...headers]) {
    hash.update(file).update(readFileSync(join(ROOT, file)))
  }
  const program = join(CACHE, `${hash.digest('hex').slice(0, 16)}-${name}`)
  if (existsSync(program)) return program
  mkdirSync(CACHE, { recursive: true })
  const made = `${program}.${process.pid}`
  const all = [...own.filter((file) => file.endsWith('.cc')), ...sources]
  await promisify(execFile)('c++', [...FLAGS, '-o', made, ...all, ...flags], { cwd: ROOT })
  renameSync(made, program)
  return program
}
