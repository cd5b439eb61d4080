/** The load, the floor and the probe: compiled when what they are made of has changed. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const ROOT = join(import.meta.dirname, '../..')
const CACHE = process.env.XCL_PEERS_CACHE ?? join(ROOT, '.cache/peers')
const FLAGS = ['-std=gnu++20', '-O2', '-Wall', '-Wextra', '-Werror=return-type']
/** The code through which the addon reaches a simulated machine; the floor uses it as well. */
const MACHINE = ['failure', 'machine_simulator', 'shared_mapping', 'shared_ring', 'simulator_link']
const MACHINE_HEADERS = [...MACHINE, 'machine', 'unique_fd']

/** What one program is made of, in paths of the repository. */
interface Recipe {
  readonly name: string
  readonly folder: string
  /** Sources and headers of others. */
  readonly sources: readonly string[]
  readonly headers: readonly string[]
  readonly flags: readonly string[]
}

const LOAD: Recipe = {
  name: 'load',
  folder: 'bench/peers/load',
  sources: [],
  headers: [],
  flags: [],
}

const FLOOR: Recipe = {
  name: 'floor',
  folder: 'bench/peers/floor',
  sources: MACHINE.map((name) => `native/src/${name}.cc`),
  headers: [
    'bench/peers/load/wire.h',
    'native/simulator/protocol.h',
    ...MACHINE_HEADERS.map((name) => `native/src/${name}.h`),
  ],
  flags: [],
}

const PROBE: Recipe = {
  name: 'turns.so',
  folder: 'bench/peers/probe',
  sources: [],
  headers: [],
  flags: ['-fPIC', '-shared', '-static-libstdc++', '-static-libgcc', '-ldl'],
}

/** Paths of what was compiled. */
export interface Programs {
  readonly load: string
  readonly floor: string
  /** Loaded into a daemon, measures the turns of its loop. */
  readonly probe: string
}

/** @throws Error with what the compiler says */
export async function programs(): Promise<Programs> {
  const [load, floor, probe] = await Promise.all([compiled(LOAD), compiled(FLOOR), compiled(PROBE)])
  return { load, floor, probe }
}

async function compiled({ name, folder, sources, headers, flags }: Recipe): Promise<string> {
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
