/**
 * Runs test/native against an addon built with AddressSanitizer and UndefinedBehaviorSanitizer.
 *
 *   node --import tsx test/native/sanitize.ts [vitest arguments]
 *
 * The Xen part is left out: it has nothing to run on here. Ends with vitest's exit code; what a
 * sanitizer finds aborts the test process and so fails the run.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..')
const sourceFolder = join(root, 'native/src')
const outFolder = join(root, 'native/build/sanitized')
const addon = join(outFolder, 'xcl_native.node')
const headers = resolve(process.execPath, '../../include/node')

/** Names of the files that the addon is made of without the Xen part, from binding.gyp. */
function sourcesOf(recipe: string): string[] {
  const [common = ''] = recipe.split("'conditions'")
  return [...common.matchAll(/'src\/([a-z_]+\.cc)'/g)].map((match) => match[1] ?? '')
}

function build(): void {
  const sources = sourcesOf(readFileSync(join(root, 'native/binding.gyp'), 'utf8'))
  mkdirSync(outFolder, { recursive: true })
  const changed = (name: string, than: string) =>
    !existsSync(than) || statSync(name).mtimeMs > statSync(than).mtimeMs
  const headerFiles = readdirSync(sourceFolder).filter((name) => name.endsWith('.h'))
  const objects = sources.map((name) => {
    const source = join(sourceFolder, name)
    const object = join(outFolder, name.replace(/cc$/, 'o'))
    const isStale = [source, ...headerFiles.map((header) => join(sourceFolder, header))].some(
      (file) => changed(file, object),
    )
    if (isStale) compile(source, object)
    return object
  })
  execFileSync('g++', ['-shared', '-fsanitize=address,undefined', '-o', addon, ...objects], {
    stdio: 'inherit',
  })
}

function compile(source: string, object: string): void {
  const flags = ['-std=gnu++20', '-O1', '-g', '-fPIC', '-fno-omit-frame-pointer']
  const checks = ['-fsanitize=address,undefined', '-fno-sanitize=vptr', '-fno-sanitize-recover=all']
  const defines = [
    '-DNAPI_VERSION=9',
    '-DNODE_ADDON_API_CPP_EXCEPTIONS',
    '-DNODE_GYP_MODULE_NAME=xcl_native',
  ]
  const includes = [`-I${headers}`, `-I${join(root, 'node_modules/node-addon-api')}`]
  execFileSync('g++', [...flags, ...checks, ...defines, ...includes, '-c', source, '-o', object], {
    stdio: 'inherit',
  })
}

build()
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
    },
  },
)
process.exitCode = run.status ?? 1
