/**
 * Breaks rules of docs/conformance.md and docs/conformance-console.md in a copy of the sources, one at a
 * time, and looks whether the tests that are named as their proof notice.
 *
 *   npm run test:conformance -- [--seed N] [--count N | --all | --item ID …]
 *
 * An item of consoled's page is written `console:1.3`. Items are drawn from both checklists, of those that a
 * mutation is known for (xenstore-mutations.ts, console-mutations.ts: one replacement in one file). It counts as
 * noticed when at least one of the item's named tests ran and failed, while before, with nothing broken, all of
 * them passed; a test file that cannot even be loaded is no such failure. Where native code is broken the addon
 * is built anew, in the copy: nobody else ever loads it. As that takes its time, few of those are drawn.
 */
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { isNamed, type NamedTest } from './conformance-list.ts'
import { Choice, type Chosen } from './draw.ts'
import type { Mutation } from './mutation.ts'

const SOURCES = ['native', 'lixs', 'consoled', 'xcl', 'test', 'bench', 'docs', 'dist'] as const
const FILES = ['package.json', 'tsconfig.json', 'vitest.config.ts', 'build.mjs'] as const
const ADDON = 'native/build/Release/xcl_native.node'
/** The tests of all rules that were chosen, and those of the one that is broken: there, one that fails is enough. */
const UNBROKEN = { timeoutMs: 1_800_000, words: [] } as const
const BROKEN = { timeoutMs: 300_000, words: ['--bail=1'] } as const

/** Of one test that ran. */
interface Outcome extends NamedTest {
  readonly hasFailed: boolean
}

interface Report {
  readonly testResults: readonly {
    readonly name: string
    readonly assertionResults: readonly { readonly title: string; readonly status: string }[]
  }[]
}

function main(): number {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      count: { type: 'string', default: '20' },
      all: { type: 'boolean', default: false },
      item: { type: 'string', multiple: true, default: [] },
    },
  })
  const choice = new Choice()
  let chosen = choice.draw(Number(values.count), Number(values.seed))
  if (values.item.length > 0) chosen = choice.of(values.item)
  if (values.all) chosen = choice.all()
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'conformance-')))
  let noticed = 0
  try {
    copyInto(folder)
    const tests = chosen.flatMap(({ item }) => item.tests)
    const unbroken = run(folder, tests, UNBROKEN)
    for (const { id, item, mutation } of chosen) {
      const reason = whyUseless(unbroken, item.tests)
      const { isNoticed, sentence } =
        reason === undefined ? tryOut(folder, mutation, item.tests) : missed(reason)
      if (isNoticed) noticed++
      process.stdout.write(`${id.padEnd(7)} ${item.rule}\n`)
      process.stdout.write(`        -> ${inWords(mutation)}\n        -> ${sentence}\n`)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  const drawnFrom = `${choice.broken} of ${choice.items} items have a mutation`
  process.stdout.write(`seed ${values.seed}: ${drawnFrom}, ${chosen.length} tried\n`)
  process.stdout.write(`${noticed} passed, ${chosen.length - noticed} failed\n`)
  return noticed === chosen.length && noticed > 0 ? 0 : 1
}

/** `lixs/store/perms.ts: base = 16 becomes base = 10` */
function inWords({ file, find, replace }: Mutation): string {
  const [before, after] = [find, replace].map((text) => text.trim().replace(/\s+/g, ' '))
  return `${file}: \`${before}\` ${after === '' ? 'is gone' : `becomes \`${after}\``}`
}

function copyInto(folder: string): void {
  for (const name of SOURCES) cpSync(name, join(folder, name), { recursive: true })
  for (const name of FILES) cpSync(name, join(folder, name))
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'))
}

interface Verdict {
  readonly isNoticed: boolean
  readonly sentence: string
}

function tryOut(folder: string, mutation: Mutation, tests: Chosen['item']['tests']): Verdict {
  const file = join(folder, mutation.file)
  const text = readFileSync(file, 'utf8')
  const parts = text.split(mutation.find)
  if (parts.length !== 2) {
    return missed(
      `NOT TRIED: ${mutation.file} has ${parts.length - 1} places like the one to break`,
    )
  }
  const addon = readFileSync(join(folder, ADDON))
  writeFileSync(file, parts.join(mutation.replace))
  try {
    if (mutation.isNative && !buildAddon(folder)) return missed('NOT TRIED: it does not compile')
    return judge(run(folder, tests, BROKEN), tests)
  } finally {
    writeFileSync(file, text)
    if (mutation.isNative) writeFileSync(join(folder, ADDON), addon)
  }
}

function missed(sentence: string): Verdict {
  return { isNoticed: false, sentence }
}

/** A test that fails, or does not run, while nothing is broken says nothing when something is. */
function whyUseless(unbroken: readonly Outcome[], tests: readonly NamedTest[]): string | undefined {
  const ran = ofThese(unbroken, tests)
  const failed = ran.find(({ hasFailed }) => hasFailed)
  if (failed !== undefined) {
    return `NOT TRIED: ${failed.file} › ${failed.title} fails while nothing is broken`
  }
  return ran.length === 0 ? 'NOT TRIED: no named test runs while nothing is broken' : undefined
}

function judge(outcomes: readonly Outcome[], tests: readonly NamedTest[]): Verdict {
  const ran = ofThese(outcomes, tests)
  const failed = ran.find(({ hasFailed }) => hasFailed)
  if (failed !== undefined) {
    return { isNoticed: true, sentence: `${failed.file} › ${failed.title}: failed as it must` }
  }
  return missed(
    ran.length === 0 ? 'NOT NOTICED: no named test ran' : 'NOT NOTICED: the named tests passed',
  )
}

function ofThese(outcomes: readonly Outcome[], tests: readonly NamedTest[]): Outcome[] {
  return outcomes.filter(({ file, title }) =>
    tests.some((named) => named.file === file && isNamed(named, title)),
  )
}

/** The whole of it the first time, then what has changed. @returns does it compile? */
function buildAddon(folder: string): boolean {
  const words = [join(folder, 'build.mjs'), '--only', 'addon']
  return spawnSync(process.execPath, words, { cwd: folder, stdio: 'ignore' }).status === 0
}

/** Runs these tests, and no others of their files. @returns what became of those that ran */
function run(
  folder: string,
  tests: readonly NamedTest[],
  { timeoutMs, words }: typeof UNBROKEN | typeof BROKEN,
): Outcome[] {
  const report = join(folder, 'report.json')
  rmSync(report, { force: true })
  const program = join(folder, 'node_modules/vitest/vitest.mjs')
  const files = new Set(tests.map(({ file }) => file))
  // Of the whole name, in which those of the groups around the test come first.
  const names = new Set(tests.map(({ title }) => title.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')))
  const only = ['--testNamePattern', `(^| )(${[...names].join('|')})( |$)`]
  const reporters = ['--reporter=json', `--outputFile=${report}`]
  spawnSync(process.execPath, [program, 'run', ...files, ...only, ...words, ...reporters], {
    cwd: folder,
    stdio: 'ignore',
    timeout: timeoutMs,
  })
  // A test that takes its own process along is reported by nobody.
  if (!existsSync(report)) return []
  const { testResults }: Report = JSON.parse(readFileSync(report, 'utf8'))
  return testResults.flatMap(({ name, assertionResults }) =>
    assertionResults
      .filter(({ status }) => status === 'passed' || status === 'failed')
      .map(({ title, status }) => ({
        file: relative(folder, name),
        title,
        hasFailed: status === 'failed',
      })),
  )
}

process.exitCode = main()
