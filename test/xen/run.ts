import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { bootOnce, bootTwice } from './boot.ts'
import {
  buildGuests,
  buildImage,
  type Image,
  type Layer,
  makeOutFolder,
  packOurs,
} from './image.ts'
import { ensureHostPackages } from './packages.ts'
import { type Suite, suites } from './suites.ts'
import { parseTap, type TapResult } from './tap.ts'

const USAGE = `usage: run.ts [--suite NAME]... [--jobs N] [--keep] [--list]
       run.ts --script FILE [-f EXTRA]... [--timeout SECONDS] [--memory MIB] [--dom0 MIB]

  --suite NAME    run only this suite; may be given several times
  --jobs N        boots at a time; two where there are processors for them
  --list          print the suites' names
  --keep          keep serial.log and /out of suites that passed, too
  --script FILE   run FILE with bash in dom0 and show its console; the exit status is the script's
  -f EXTRA        a file or folder laid beside the script, in /rig
`

/** A suite runs the commands in it. */
const README = join(import.meta.dirname, '../../README.md')
const PROGRESS_MS = 15_000
/** Each boot has gigabytes and a processor. */
const MAX_JOBS = 64

const startedMs = Date.now()
const log = (line: string) => {
  console.log(`# ${((Date.now() - startedMs) / 1000).toFixed(0)} s: ${line}`)
}

async function main(): Promise<number> {
  const options = parseOptions()
  if (options === null) {
    process.stderr.write(USAGE)
    return 2
  }
  if (options.list === true) {
    for (const suite of suites) console.log(suite.name)
    return 0
  }
  if (options.script !== undefined) return runScript(options.script, options)

  const wanted = options.suite ?? []
  const unknown = wanted.filter((name) => !suites.some((suite) => suite.name === name))
  if (unknown.length > 0) {
    process.stderr.write(`no suite ${unknown.join(', ')}; --list names them\n`)
    return 2
  }
  const jobs = Number(options.jobs ?? defaultJobs())
  if (!Number.isInteger(jobs) || jobs < 1 || jobs > MAX_JOBS) {
    process.stderr.write(`--jobs takes a number from 1 to ${MAX_JOBS}, not "${options.jobs}"\n`)
    return 2
  }
  const chosen = suites.filter((suite) => wanted.length === 0 || wanted.includes(suite.name))
  return runSuites(chosen, jobs, options.keep === true)
}

/** Two at most: each boot has gigabytes. */
const defaultJobs = () => Math.min(2, availableParallelism())

function parseOptions() {
  try {
    return parseArgs({
      options: {
        suite: { type: 'string', multiple: true },
        list: { type: 'boolean' },
        keep: { type: 'boolean' },
        jobs: { type: 'string' },
        script: { type: 'string' },
        file: { type: 'string', short: 'f', multiple: true },
        timeout: { type: 'string' },
        memory: { type: 'string' },
        dom0: { type: 'string' },
      },
    }).values
  } catch {
    return null
  }
}

type Built = { readonly image: Image; readonly guests: string; readonly ours: string | null }

function build(): Built {
  // First of all: with libxen-dev there, the addon is built with its Xen part.
  ensureHostPackages()
  execFileSync(process.execPath, [join(import.meta.dirname, '../../build.mjs')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const image = buildImage(log)
  return { image, guests: buildGuests(), ours: packOurs(image) }
}

/** @returns null when a layer is wanted that is not there */
function layerArchives(built: Built, layers: readonly Layer[]): string[] | null {
  const archives: string[] = []
  for (const layer of layers) {
    const archive = layer === 'ours' ? built.ours : join(built.image.folder, `${layer}.cpio`)
    if (archive === null) return null
    archives.push(archive)
  }
  return archives
}

const guestFiles = (built: Built) => [
  join(built.guests, 'guest-pv.elf'),
  join(built.guests, 'guest-pvh.elf'),
  join(built.guests, 'free-kib'),
]

async function runScript(
  script: string,
  options: { file?: string[]; timeout?: string; memory?: string; dom0?: string },
): Promise<number> {
  const built = build()
  const all: Layer[] = built.ours === null ? ['node', 'linux'] : ['node', 'linux', 'ours']
  const outFolder = makeOutFolder(`script-${basename(script)}`)
  const result = await bootOnce({
    image: built.image,
    layers: layerArchives(built, all) ?? [],
    payload: {
      script: resolve(script),
      files: [...guestFiles(built), ...(options.file ?? []).map((file) => resolve(file))],
      environment: {},
    },
    outFolder,
    memoryMiB: Number(options.memory ?? 4096),
    dom0MiB: Number(options.dom0 ?? 1024),
    timeoutMs: Number(options.timeout ?? 300) * 1000,
    onSerial: (text) => process.stdout.write(text.replaceAll('\r', '')),
  })
  log(`/out and serial.log are in ${outFolder}`)
  if (result.kind === 'exited') return result.status
  log(`rig failure: ${result.reason}`)
  return 125
}

type Count = { passed: number; failed: number; suites: number }

/** Several boots at a time, as each keeps one processor busy; those that measure go last and alone. */
async function runSuites(chosen: readonly Suite[], jobs: number, keep: boolean): Promise<number> {
  const count: Count = { passed: 0, failed: 0, suites: 0 }
  try {
    const built = build()
    const run = (suite: Suite) => runAndPrint(suite, built, keep, count)
    const shared = chosen.filter((suite) => suite.alone !== true)
    const worker = async () => {
      for (let suite = shared.shift(); suite !== undefined; suite = shared.shift()) await run(suite)
    }
    await Promise.all(Array.from({ length: jobs }, worker))
    for (const suite of chosen) if (suite.alone === true) await run(suite)
    if (count.suites !== chosen.length) {
      throw new Error(`${count.suites} of ${chosen.length} suites came to results`)
    }
  } catch (error) {
    // The last line is read by machines: it must come, and it must not be green.
    console.log(`not ok - rig: ${error instanceof Error ? error.message : String(error)}`)
    count.failed++
  }
  console.log(`${count.passed} passed, ${count.failed} failed`)
  return count.failed === 0 ? 0 : 1
}

async function runAndPrint(suite: Suite, built: Built, keep: boolean, count: Count): Promise<void> {
  const outFolder = makeOutFolder(suite.name)
  const results = await runSuite(suite, built, outFolder)
  for (const result of results) {
    console.log(`${result.passed ? 'ok' : 'not ok'} - ${suite.name}: ${result.name}`)
    for (const line of result.notes) console.log(`  # ${line}`)
  }
  const bad = results.filter((result) => !result.passed).length
  count.passed += results.length - bad
  count.failed += bad
  if (results.length > 0) count.suites++
  log(`${suite.name}: ${results.length - bad} passed, ${bad} failed`)
  if (bad > 0 || keep) log(`${suite.name}: logs are in ${outFolder}`)
  else rmSync(outFolder, { recursive: true })
}

/** A boot that broke, a script that stopped half-way: each is a failed result of its suite. */
async function runSuite(suite: Suite, built: Built, outFolder: string): Promise<TapResult[]> {
  const layers = layerArchives(built, suite.layers)
  if (layers === null) {
    return [failure('the suite can be started', 'dist/ is missing: run npm run build')]
  }
  log(`${suite.name}: booting`)
  let serial = ''
  const progress = setInterval(() => {
    const lines = serial.split('\n').filter((line) => /^(not )?ok \d/.test(line))
    log(`${suite.name}: ${lines.length} results so far; ${lines.at(-1)?.trim() ?? 'none yet'}`)
  }, PROGRESS_MS)
  const boot = await bootTwice(
    {
      image: built.image,
      layers,
      payload: {
        script: join(import.meta.dirname, 'scenarios', `${suite.scenario}.sh`),
        files: [join(import.meta.dirname, 'scenarios'), README, ...guestFiles(built)],
        environment: suite.environment ?? {},
      },
      outFolder,
      memoryMiB: suite.memoryMiB ?? 4096,
      dom0MiB: suite.dom0MiB ?? 1024,
      timeoutMs: suite.timeoutS * 1000,
      onSerial: (text) => {
        serial += text
      },
    },
    (line) => {
      serial = ''
      log(`${suite.name}: ${line}`)
    },
  )
  clearInterval(progress)
  log(`${suite.name}: ended after ${boot.seconds.toFixed(1)} s`)
  if (boot.kind === 'broken') {
    // Nothing came over, but what the console showed until then is known.
    const shown = parseTap(serial.replaceAll('\r', '')).results
    const claim = boot.isUp ? 'the suite ends with a status' : 'dom0 comes up'
    return [...shown, failure(claim, boot.reason, ...lastLines(serial))]
  }

  const tap = parseTap(readTap(join(outFolder, 'results.tap')))
  const results = [...tap.results]
  if (!tap.complete) {
    const why = `status ${boot.status} after ${results.length} results`
    results.push(failure('the suite runs to its end', why, ...lastLines(serial)))
  } else if (boot.status !== 0 && results.every((result) => result.passed)) {
    results.push(failure('the suite exits with 0', `status ${boot.status}`))
  }
  return results
}

const failure = (name: string, ...notes: string[]): TapResult => ({ passed: false, name, notes })

const lastLines = (serial: string) => serial.replaceAll('\r', '').trimEnd().split('\n').slice(-15)

function readTap(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

process.exitCode = await main()
