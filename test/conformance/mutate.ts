/**
 * Breaks rules of docs/conformance.md in a copy of the sources, one at a time, and looks whether the
 * tests that are named as their proof notice.
 *
 *   npm run test:conformance -- [--seed N] [--count N | --all | --item ID …]
 *
 * Items are drawn from the checklist, of those that a mutation is known for (mutations.ts: one replacement in
 * one file). It counts as noticed when at least one of the item's named tests ran and failed, while before, with
 * nothing broken, all of them passed; a test file that cannot even be loaded is no such failure. Where native
 * code is broken the addon is built anew, in the copy: nobody else ever loads it. As that takes its time, few of
 * those are drawn.
 */
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type Item, isNamed, theChecklist } from './conformance-list.ts'
import { MUTATIONS, type Mutation } from './mutations.ts'

const SOURCES = ['native', 'lixs', 'consoled', 'xcl', 'test', 'bench', 'docs', 'dist'] as const
const FILES = ['package.json', 'tsconfig.json', 'vitest.config.ts', 'build.mjs'] as const
const ADDON = 'native/build/Release/xcl_native.node'
/** So many drawn items may be of native code. */
const NATIVE_MAX = 2

/** Of one test. */
interface Outcome {
  readonly title: string
  readonly status: string
}

interface Report {
  readonly testResults: readonly { readonly assertionResults: readonly Outcome[] }[]
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
  const checklist = theChecklist()
  const unknown = MUTATIONS.find(({ item }) => !checklist.some(({ id }) => id === item))
  if (unknown !== undefined) throw new Error(`mutations.ts: there is no item ${unknown.item}`)
  const items = checklist.filter(({ id }) => MUTATIONS.some(({ item }) => item === id))
  const random = xorshift(Number(values.seed))
  const asked = items.filter(({ id }) => values.all || values.item.includes(id))
  const chosen =
    asked.length > 0
      ? asked.flatMap((item) => mutationsOf(item).map((mutation) => ({ item, mutation })))
      : drawItems(items, Number(values.count), random)
  const folder = mkdtempSync(join(tmpdir(), 'conformance-'))
  let noticed = 0
  try {
    copyInto(folder)
    const unbroken = new Outcomes(folder)
    for (const { item, mutation } of chosen) {
      const reason = whyUseless(unbroken, item)
      const { isNoticed, sentence } =
        reason === undefined ? tryOut(folder, mutation, item) : missed(`NOT TRIED: ${reason}`)
      if (isNoticed) noticed++
      process.stdout.write(`${item.id.padEnd(7)} ${item.rule}\n`)
      process.stdout.write(`        -> ${inWords(mutation)}\n        -> ${sentence}\n`)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  const drawnFrom = `${items.length} of ${checklist.length} items have a mutation`
  process.stdout.write(`seed ${values.seed}: ${drawnFrom}, ${chosen.length} tried\n`)
  process.stdout.write(`${noticed} passed, ${chosen.length - noticed} failed\n`)
  return noticed === chosen.length && noticed > 0 ? 0 : 1
}

interface Chosen {
  readonly item: Item
  readonly mutation: Mutation
}

/** So many items, without repeats, each with one of its mutations; the same for the same seed. */
function drawItems(items: readonly Item[], count: number, random: () => number): Chosen[] {
  const left = [...items]
  const drawn: Chosen[] = []
  let native = 0
  while (drawn.length < count && left.length > 0) {
    const [item] = left.splice(random() % left.length, 1)
    if (item === undefined) break
    const known = mutationsOf(item).filter(({ isNative }) => !isNative || native < NATIVE_MAX)
    const mutation = known[random() % Math.max(1, known.length)]
    if (mutation === undefined) continue
    if (mutation.isNative) native++
    drawn.push({ item, mutation })
  }
  return drawn
}

function mutationsOf({ id }: Item): Mutation[] {
  return MUTATIONS.filter(({ item }) => item === id)
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

function tryOut(folder: string, mutation: Mutation, item: Item): Verdict {
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
    return judge(folder, item)
  } finally {
    writeFileSync(file, text)
    if (mutation.isNative) writeFileSync(join(folder, ADDON), addon)
  }
}

function missed(sentence: string): Verdict {
  return { isNoticed: false, sentence }
}

/** What became of the tests of each file, which is run once. */
class Outcomes {
  readonly #folder: string
  readonly #known = new Map<string, readonly Outcome[]>()

  constructor(folder: string) {
    this.#folder = folder
  }

  of(file: string): readonly Outcome[] {
    const known = this.#known.get(file) ?? run(this.#folder, file)
    this.#known.set(file, known)
    return known
  }
}

/** A test that fails, or does not run, while nothing is broken says nothing when something is. */
function whyUseless(unbroken: Outcomes, item: Item): string | undefined {
  const outcomes = [...outcomesOf(unbroken, item)]
  const failed = outcomes.find(({ status }) => status === 'failed')
  if (failed !== undefined) return `${failed.file} › ${failed.title} fails while nothing is broken`
  return outcomes.length === 0 ? 'no named test runs while nothing is broken' : undefined
}

function* outcomesOf(outcomes: Outcomes, item: Item): Iterable<Outcome & { file: string }> {
  for (const file of new Set(item.tests.map((named) => named.file))) {
    const named = item.tests.filter((one) => one.file === file)
    for (const outcome of outcomes.of(file)) {
      if (named.some((one) => isNamed(one, outcome.title))) yield { ...outcome, file }
    }
  }
}

function judge(folder: string, item: Item): Verdict {
  let ran = 0
  for (const { file, title, status } of outcomesOf(new Outcomes(folder), item)) {
    ran++
    if (status !== 'failed') continue
    return { isNoticed: true, sentence: `${file} › ${title}: failed as it must` }
  }
  return missed(
    ran === 0 ? 'NOT NOTICED: no named test ran' : 'NOT NOTICED: the named tests passed',
  )
}

/** The whole of it the first time, then what has changed. @returns does it compile? */
function buildAddon(folder: string): boolean {
  const words = [join(folder, 'build.mjs'), '--only', 'addon']
  return spawnSync(process.execPath, words, { cwd: folder, stdio: 'ignore' }).status === 0
}

/** @returns what became of each test in the file */
function run(folder: string, file: string): Outcome[] {
  const report = join(folder, 'report.json')
  rmSync(report, { force: true })
  const program = join(folder, 'node_modules/vitest/vitest.mjs')
  const reporters = ['--reporter=json', `--outputFile=${report}`]
  spawnSync(process.execPath, [program, 'run', file, ...reporters], {
    cwd: folder,
    stdio: 'ignore',
    timeout: 300_000,
  })
  // A test that takes its own process along is reported by nobody.
  if (!existsSync(report)) return []
  const { testResults }: Report = JSON.parse(readFileSync(report, 'utf8'))
  return testResults.flatMap(({ assertionResults }) =>
    assertionResults.map(({ title, status }) => ({ title, status })),
  )
}

/** Numbers from 0 to 2^32, the same for the same seed. */
function xorshift(seed: number): () => number {
  // A state of 0 would stay 0.
  let state = (seed | 0) === 0 ? 1 : seed | 0
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

process.exitCode = main()
