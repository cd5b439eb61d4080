/**
 * Sets up and builds everything: dependencies, addon, grammar, the three bundles, the C client.
 * Uses nothing but Node, so that it runs before the dependencies are there. A step whose outcome is
 * newer than its sources is passed over.
 *
 *   node build.mjs [--only dependencies,addon,grammar,programs,client]
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(fileURLToPath(import.meta.url))
const at = (...parts) => join(root, ...parts)
/**
 * The heaps of our daemons are small, since their state lies outside: threads that help to collect
 * them cost more wake-ups than they save (a warm create under emulation: 123 ms against 184 ms). And
 * code that was not used for a while is kept: a create after a quiet hour must not compile again. Nor
 * is a heap collected just because nothing happens: some seconds after the last guest that would be
 * the only reason to wake up.
 */
const SHEBANG =
  '#!/usr/bin/env -S node --single-threaded-gc --no-flush-bytecode --no-memory-reducer'
/**
 * consoled makes garbage when guests come, not when they print. Ten thousand that come at once let the room for young
 * objects grow to 32 MiB, which are never given back: more than all their consoles take (bench/consoles, memory).
 */
const SMALL_YOUNG = ' --max-semi-space-size=4'
const PROGRAMS = [
  { name: 'lixs', entry: 'lixs/main.ts' },
  { name: 'consoled', entry: 'consoled/main.ts', flags: SMALL_YOUNG },
  { name: 'xcld', entry: 'xcl/main.ts' },
]
/** What node-gyp makes: the addon and the simulated machine. */
const NATIVE = ['xcl_native.node', 'xcl-simulator']

// Also part of what an outcome is made from: other flags make another outcome.
const CLIENT_FLAGS = [
  '-std=c17',
  '-O2',
  '-static',
  '-s',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-D_FORTIFY_SOURCE=2',
  '-fstack-protector-strong',
]

const steps = {
  /** node_modules as the lock file says; `npm ci` only when the lock file changed. */
  dependencies() {
    const installed = at('node_modules', '.package-lock.json')
    if (
      existsSync(installed) &&
      statSync(installed).mtimeMs >= statSync(at('package-lock.json')).mtimeMs
    )
      return
    say('installing dependencies (npm ci)')
    run('npm', ['ci', '--ignore-scripts', '--no-fund', '--no-audit', '--loglevel=error'])
  },

  /**
   * The addon, with the Xen part where libxen-dev is installed, and the simulated machine. Only what
   * changed is compiled.
   */
  addon() {
    const withXen = existsSync('/usr/include/xenctrl.h')
    const gyp = at('node_modules/node-gyp/bin/node-gyp.js')
    const nodedir = resolve(process.execPath, '../..')
    const flags = ['--directory', at('native'), '--loglevel=error']
    if (existsSync(join(nodedir, 'include/node/node_api.h'))) flags.push(`--nodedir=${nodedir}`)
    const asked = {
      XCL_WITH_XEN: withXen ? '1' : '0',
      XCL_SANITIZE: process.env.XCL_SANITIZE ?? '0',
    }
    const setting = JSON.stringify([process.version, flags, asked])
    const recipe = fingerprint(['native/binding.gyp'], setting)
    // The recipe lists the simulator's sources as they are when it is configured.
    const sources = filesOf('native/simulator/host').filter((name) => name.endsWith('.cc'))
    const listed = createHash('sha256').update(sources.join('\n')).digest('hex')
    const key = fingerprint(
      ['native/src', 'native/simulator/protocol.h', 'native/simulator/host', 'native/binding.gyp'],
      setting,
    )
    const built = NATIVE.map((name) => at('native/build/Release', name))
    const stamp = at('native/build/fingerprint.json')
    const before = existsSync(stamp) ? JSON.parse(readFileSync(stamp, 'utf8')) : {}
    if (before.key === key && built.every((file) => existsSync(file))) return
    say(
      withXen
        ? 'building the addon with the Xen part (libxen-dev found)'
        : 'building the addon without the Xen part (install libxen-dev for --hypervisor xen)',
    )
    const env = { ...process.env, ...asked }
    if (before.recipe !== recipe) run(process.execPath, [gyp, 'clean', ...flags], { env })
    if (before.recipe !== recipe || before.listed !== listed) {
      run(process.execPath, [gyp, 'configure', ...flags], { env })
    }
    // A line for each file that is compiled says nothing, unless one fails.
    run(process.execPath, [gyp, 'build', '-j', '2', ...flags], { env, isQuiet: true })
    writeFileSync(stamp, JSON.stringify({ key, recipe, listed }))
  },

  /** xl.cfg's grammar to a parser that esbuild can bundle. */
  grammar() {
    const source = at('xcl/config/xl-cfg.peggy')
    const target = at('xcl/config/xl-cfg-parser.js')
    if (!existsSync(source) || isNewer(target, [source])) return
    const made = temporary(target)
    run(process.execPath, [
      at('node_modules/peggy/bin/peggy.js'),
      '--format',
      'es',
      '-o',
      made,
      source,
    ])
    renameSync(made, target)
  },

  /** dist/lib/*.cjs, dist/bin/*, the addon and the simulated machine beside the bundles. */
  async programs() {
    put(at('dist/package.json'), '{ "type": "commonjs" }\n')
    const version = JSON.parse(readFileSync(at('package.json'), 'utf8')).version
    for (const program of PROGRAMS) {
      if (!existsSync(at(program.entry))) continue
      await bundle({
        entryPoints: [at(program.entry)],
        outfile: at(`dist/lib/${program.name}.cjs`),
        define: { 'process.env.XCL_VERSION': JSON.stringify(version) },
      })
      const launcher = `${SHEBANG}${program.flags ?? ''}\nrequire('../lib/${program.name}.cjs')\n`
      put(at(`dist/bin/${program.name}`), launcher, 0o755)
    }
    const contract = at('test/native/hypervisor-contract.ts')
    if (existsSync(contract)) {
      await bundle({
        entryPoints: [contract],
        outfile: at('dist/test/hypervisor-contract.cjs'),
      })
    }
    for (const name of NATIVE) {
      put(at('dist/lib', name), readFileSync(at('native/build/Release', name)), 0o755)
    }
  },

  /** What a person types: small, static, so that starting it costs next to nothing. */
  client() {
    if (!existsSync(at('xcl/client'))) return
    const sources = readdirSync(at('xcl/client')).map((name) => at('xcl/client', name))
    const target = at('dist/bin/xcl')
    const stamp = at('.cache/client.fingerprint')
    const key = fingerprint(['xcl/client'], CLIENT_FLAGS.join(' '))
    if (existsSync(target) && read(stamp) === key) return
    mkdirSync(at('dist/bin'), { recursive: true })
    const made = temporary(target)
    run('cc', [...CLIENT_FLAGS, '-o', made, ...sources.filter((file) => file.endsWith('.c'))])
    renameSync(made, target)
    writeFileSync(stamp, key)
  },
}

/** A program and all that it imports, as one file. */
async function bundle({ outfile, define = {}, ...options }) {
  const { build } = await import('esbuild')
  const { outputFiles } = await build({
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    logLevel: 'warning',
    define: { 'import.meta.url': 'XCL_BUNDLE_URL', ...define },
    banner: { js: "const XCL_BUNDLE_URL = require('node:url').pathToFileURL(__filename).href" },
    ...options,
    outfile,
    write: false,
  })
  for (const { contents } of outputFiles) put(outfile, contents)
}

/**
 * Whoever starts a program meanwhile finds the old file or the new one, whole; one that would be the
 * same is not touched.
 */
function put(file, content, mode = 0o644) {
  const old = statSync(file, { throwIfNoEntry: false })
  const bytes = Buffer.from(content)
  if (old !== undefined && (old.mode & 0o777) === mode && readFileSync(file).equals(bytes)) return
  mkdirSync(dirname(file), { recursive: true })
  const made = temporary(file)
  writeFileSync(made, bytes)
  chmodSync(made, mode)
  renameSync(made, file)
}

/** A name in the same folder, so that it can take the other's place at once; gone when we end. */
function temporary(file) {
  const made = `${file}.${process.pid}`
  process.on('exit', () => rmSync(made, { force: true }))
  return made
}

/**
 * One build at a time in this folder; waits for another, but not for one that died. The file holds
 * who built when it was made, and is there only with its content.
 *
 * @returns ends it
 */
function lock() {
  const file = at('.cache/build.lock')
  const mine = `${file}.${process.pid}`
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(mine, `${process.pid} ${startOf(process.pid)}`)
  process.on('exit', () => rmSync(mine, { force: true }))
  for (let waited = 0; ; waited++) {
    try {
      linkSync(mine, file)
      break
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    const holder = read(file)
    if (isAbandoned(file, holder)) removeLock(file, holder)
    else if (waited === 0) say(`waiting for another build (pid ${Number.parseInt(holder, 10)})`)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
  }
  let isHeld = true
  const unlock = () => {
    if (isHeld) rmSync(file, { force: true })
    isHeld = false
  }
  process.on('exit', unlock)
  return unlock
}

/** Its builder has ended, whoever has that process id now; or nobody ever wrote into it. */
function isAbandoned(file, holder) {
  const [pid, start] = holder.split(' ')
  if (start !== undefined) return startOf(pid) !== start
  const made = statSync(file, { throwIfNoEntry: false })?.mtimeMs
  return made !== undefined && Date.now() - made > 5000
}

/** Another waiting build may have been faster, and the lock be its own by now: then it stays. */
function removeLock(file, holder) {
  const removed = `${file}.${process.pid}.old`
  try {
    renameSync(file, removed)
    if (read(removed) !== holder) linkSync(removed, file)
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error
  }
  rmSync(removed, { force: true })
}

/** When a process began, in the kernel's ticks since its boot; empty when there is none. */
function startOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name of the program, in parentheses, may hold anything.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  } catch {
    return ''
  }
}

function say(text) {
  process.stderr.write(`build: ${text}\n`)
}

/** @param isQuiet its output is shown only if it fails */
function run(command, args, { env = process.env, isQuiet = false } = {}) {
  const output = isQuiet ? 'pipe' : 'inherit'
  try {
    execFileSync(command, args, {
      cwd: root,
      stdio: ['ignore', output, output],
      env,
      maxBuffer: 2 ** 28,
    })
  } catch (error) {
    if (error.code === 'ENOENT')
      fail(`${command} is not there; install it (Debian: apt-get install build-essential)`)
    if (isQuiet) process.stderr.write(Buffer.concat([error.stdout, error.stderr]))
    fail(`${[command, ...args].join(' ')} ended with ${error.status ?? error.signal}`)
  }
}

function fail(text) {
  process.stderr.write(`build: ${text}\n`)
  process.exit(1)
}

function read(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return '' // not there, or gone since it was looked for
  }
}

function isNewer(target, sources) {
  if (!existsSync(target)) return false
  const made = statSync(target).mtimeMs
  return sources.every((source) => statSync(source).mtimeMs < made)
}

/** Digest over the content of files and folders, and a text of what else matters. */
function fingerprint(places, text) {
  const hash = createHash('sha256').update(text)
  for (const name of places.flatMap(filesOf)) hash.update(name).update(readFileSync(at(name)))
  return hash.digest('hex')
}

/** The file itself, or all files in the folder and its folders; none where nothing is. */
function filesOf(place) {
  if (!existsSync(at(place))) return []
  if (!statSync(at(place)).isDirectory()) return [place]
  const names = readdirSync(at(place)).sort()
  return names.flatMap((name) => filesOf(join(place, name)))
}

const flag = process.argv.indexOf('--only')
const wanted = flag === -1 ? Object.keys(steps) : (process.argv[flag + 1] ?? '').split(',')
const unlock = lock()
for (const name of wanted) {
  if (!Object.hasOwn(steps, name))
    fail(`no step "${name}"; there are ${Object.keys(steps).join(', ')}`)
  await steps[name]()
}
unlock()
