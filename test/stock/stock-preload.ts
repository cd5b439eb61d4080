import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { STOCK_CACHE, type StockPackages } from './stock-packages.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const SOURCES = 'test/stock/preload'
/** The same code through which the addon reaches a simulated machine. */
const SHARED = ['failure', 'machine_simulator', 'shared_mapping', 'simulator_link']
const HEADERS = [
  'failure',
  'machine',
  'machine_simulator',
  'shared_mapping',
  'simulator_link',
  'unique_fd',
]
const FLAGS = [
  '-std=gnu++20',
  '-O2',
  '-g',
  '-fPIC',
  '-shared',
  '-Wall',
  '-Wextra',
  '-Werror=return-type',
]

/**
 * The library that stands between a stock daemon and Xen; compiled when its sources have changed.
 * @returns its path
 * @throws Error with what the compiler says
 */
export async function stockPreload({ headers }: StockPackages): Promise<string> {
  const own = readdirSync(join(ROOT, SOURCES)).map((name) => join(SOURCES, name))
  const compiled = [
    ...own.filter((file) => file.endsWith('.cc')),
    ...SHARED.map((name) => `native/src/${name}.cc`),
  ]
  const read = [
    ...own.filter((file) => file.endsWith('.h')),
    ...HEADERS.map((name) => `native/src/${name}.h`),
    'native/simulator/protocol.h',
  ]
  const hash = createHash('sha256').update(FLAGS.join(' '))
  for (const file of [...compiled, ...read])
    hash.update(file).update(readFileSync(join(ROOT, file)))
  const library = join(STOCK_CACHE, `xcl-stock-${hash.digest('hex').slice(0, 16)}.so`)
  if (existsSync(library)) return library
  mkdirSync(STOCK_CACHE, { recursive: true })
  const made = `${library}.${process.pid}`
  const libraries = ['-static-libstdc++', '-static-libgcc', '-ldl']
  const args = [...FLAGS, `-I${headers}`, '-o', made, ...compiled, ...libraries]
  await promisify(execFile)('c++', args, { cwd: ROOT })
  renameSync(made, library)
  return library
}
