/** The load and the floor: compiled when their sources have changed, as a stock daemon's preload library is. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const ROOT = join(import.meta.dirname, '../..')
const CACHE = process.env.XCL_PEERS_CACHE ?? join(ROOT, '.cache/peers')
const FLAGS = ['-std=gnu++20', '-O2', '-Wall', '-Wextra', '-Werror=return-type']

/** What one program is made of; folders are of this one, files of the repository. */
interface Recipe {
  readonly name: string
  readonly folders: readonly string[]
  readonly files: readonly string[]
  readonly flags: readonly string[]
}

const LOAD: Recipe = { name: 'load', folders: ['load'], files: [], flags: [] }
const FLOOR: Recipe = { name: 'floor', folders: ['floor'], files: [], flags: [] }

/** Paths of executables. */
export interface Programs {
  readonly load: string
  readonly floor: string
}

/** @throws Error with what the compiler says */
export async function programs(): Promise<Programs> {
  const [load, floor] = await Promise.all([LOAD, FLOOR].map(compiled))
  if (load === undefined || floor === undefined) throw new Error('a program was not compiled')
  return { load, floor }
}

async function compiled({ name, folders, files, flags }: Recipe): Promise<string> {
  const own = folders.flatMap((folder) =>
    readdirSync(join(import.meta.dirname, folder)).map((file) => join('bench/peers', folder, file)),
  )
  const sources = [...own.filter((file) => file.endsWith('.cc')), ...files]
  const hash = createHash('sha256').update([...FLAGS, ...flags].join(' '))
  // Also headers that other folders lend: whatever changes there makes another program.
  const lent = ['bench/peers/load/wire.h']
  for (const file of [...own, ...files, ...lent]) {
    hash.update(file).update(readFileSync(join(ROOT, file)))
  }
  const program = join(CACHE, `${name}-${hash.digest('hex').slice(0, 16)}`)
  if (existsSync(program)) return program
  mkdirSync(CACHE, { recursive: true })
  const made = `${program}.${process.pid}`
  await promisify(execFile)('c++', [...FLAGS, '-o', made, ...sources, ...flags], { cwd: ROOT })
  renameSync(made, program)
  return program
}
