/**
 * Runs test/native against an addon and a simulated machine built with AddressSanitizer and
 * UndefinedBehaviorSanitizer.
 *
 *   node --import tsx test/native/sanitize.ts [vitest arguments]
 *
 * The Xen part is left out: it has nothing to run on here. Ends with vitest's exit code; what a
 * sanitizer finds aborts the test process, or the machine, and so fails the run.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..')
const native = join(root, 'native')
const outFolder = join(native, 'build/sanitized')
const addon = join(outFolder, 'xcl_native.node')
const simulator = join(outFolder, 'xcl-simulator')
const nodeHeaders = resolve(process.execPath, '../../include/node')

const FLAGS = ['-std=gnu++20', '-O1', '-g', '-fPIC', '-fno-omit-frame-pointer']
const CHECKS = ['-fsanitize=address,undefined', '-fno-sanitize=vptr', '-fno-sanitize-recover=all']
const FOR_ADDON = [
  '-DNAPI_VERSION=9',
  '-DNODE_ADDON_API_CPP_EXCEPTIONS',
  '-DNODE_GYP_MODULE_NAME=xcl_native',
  `-I${nodeHeaders}`,
  `-I${join(root, 'node_modules/node-addon-api')}`,
]
const FOR_SIMULATOR = [`-I${join(native, 'simulator')}`, `-I${join(native, 'simulator/host')}`]

interface Compilation {
  readonly source: string
  readonly object: string
  readonly flags: readonly string[]
}

/** Files named in one target of binding.gyp, without what stands under its conditions. */
function namedSources(target: string): string[] {
  const recipe = readFileSync(join(native, 'binding.gyp'), 'utf8')
  const [, text = ''] = recipe.split(`'target_name': '${target}'`)
  const [common = ''] = text.split("'conditions'")
  return [...common.matchAll(/'(src\/[a-z0-9_]+\.cc)'/g)].map((match) => match[1] ?? '')
}

function filesIn(folder: string, ending: string): string[] {
  return readdirSync(join(native, folder))
    .filter((name) => name.endsWith(ending))
    .map((name) => join(folder, name))
}

function compilations(target: string, sources: readonly string[], flags: readonly string[]) {
  return sources.map((source): Compilation => {
    const object = join(outFolder, target, source.replace(/cc$/, 'o'))
    return { source: join(native, source), object, flags }
  })
}

async function compileStale(all: readonly Compilation[]): Promise<void> {
  const folders = ['src', 'simulator', 'simulator/host', 'simulator/host/guests']
  const headers = folders.flatMap((folder) => filesIn(folder, '.h'))
  const newest = Math.max(...headers.map((name) => statSync(join(native, name)).mtimeMs))
  const isStale = ({ source, object }: Compilation) => {
    const made = statSync(object, { throwIfNoEntry: false })?.mtimeMs ?? 0
    return made < newest || made < statSync(source).mtimeMs
  }
  const waiting = all.filter(isStale)
  const work = async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) await compile(next)
  }
  await Promise.all(Array.from({ length: availableParallelism() }, work))
}

async function compile({ source, object, flags }: Compilation): Promise<void> {
  mkdirSync(dirname(object), { recursive: true })
  const args = [...FLAGS, ...CHECKS, ...flags, '-c', source, '-o', object]
  const [code] = await once(spawn('g++', args, { stdio: 'inherit' }), 'exit')
  if (code !== 0) throw new Error(`g++ ended with ${code} for ${source}`)
}

function link(out: string, flags: readonly string[], made: readonly Compilation[]): void {
  const objects = made.map(({ object }) => object)
  execFileSync('g++', [...flags, '-fsanitize=address,undefined', '-o', out, ...objects], {
    stdio: 'inherit',
  })
}

async function build(): Promise<void> {
  const ofAddon = compilations('addon', namedSources('xcl_native'), FOR_ADDON)
  const hostSources = [
    ...filesIn('simulator/host', '.cc'),
    ...filesIn('simulator/host/guests', '.cc'),
    ...namedSources('xcl-simulator'),
  ]
  const ofSimulator = compilations('simulator', hostSources, FOR_SIMULATOR)
  await compileStale([...ofAddon, ...ofSimulator])
  link(addon, ['-shared'], ofAddon)
  link(simulator, [], ofSimulator)
}

await build()
const library = execFileSync('g++', ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim()
const run = spawnSync(
  process.execPath,
  [join(root, 'node_modules/vitest/vitest.mjs'), 'run', 'test/native', ...process.argv.slice(2)],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      LD_PRELOAD: library,
      // Node itself never frees what it holds at the end.
      ASAN_OPTIONS: 'detect_leaks=0',
      UBSAN_OPTIONS: 'print_stacktrace=1',
      XCL_ADDON: addon,
      XCL_SIMULATOR_BINARY: simulator,
    },
  },
)
process.exitCode = run.status ?? 1
