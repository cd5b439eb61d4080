/**
 * Breaks rules of docs/conformance.md in a copy of the sources, one at a time, and looks whether the
 * tests that are named as their proof notice.
 *
 *   npm run test:conformance -- [--seed N] [--count N | --item ID]
 *
 * Each mutation is one replacement in one file (mutations.ts). A mutation counts as noticed when at least
 * one of the item's named tests ran and failed; a test file that cannot even be loaded is no such failure.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type Item, isNamed, theChecklist } from './conformance-list.ts'
import { MUTATIONS, type Mutation } from './mutations.ts'

const SOURCES = ['native', 'lixs', 'consoled', 'xcl', 'test', 'bench', 'docs', 'dist'] as const
const FILES = ['package.json', 'tsconfig.json', 'vitest.config.ts'] as const

interface Report {
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly title: string; readonly status: string }[]
  }[]
}

function main(): number {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      count: { type: 'string', default: '20' },
      item: { type: 'string' },
    },
  })
  const items = new Map(theChecklist().map((item) => [item.id, item]))
  for (const { item } of MUTATIONS) {
    if (!items.has(item)) throw new Error(`mutations.ts: there is no item ${item}`)
  }
  const chosen =
    values.item === undefined
      ? draw(MUTATIONS, Number(values.count), Number(values.seed))
      : MUTATIONS.filter(({ item }) => item === values.item)
  const folder = mkdtempSync(join(tmpdir(), 'conformance-'))
  let noticed = 0
  try {
    copyInto(folder)
    for (const mutation of chosen) {
      const item = items.get(mutation.item)
      if (item === undefined) continue
      const sentence = tryOut(folder, mutation, item)
      if (sentence === undefined) noticed++
      const verdict = sentence ?? 'noticed'
      process.stdout.write(`${mutation.item.padEnd(7)} ${item.rule}: ${verdict}\n`)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  process.stdout.write(`seed ${values.seed}: ${MUTATIONS.length} mutations to draw from\n`)
  process.stdout.write(`${noticed} passed, ${chosen.length - noticed} failed\n`)
  return noticed === chosen.length && noticed > 0 ? 0 : 1
}

function copyInto(folder: string): void {
  for (const name of SOURCES) cpSync(name, join(folder, name), { recursive: true })
  for (const name of FILES) cpSync(name, join(folder, name))
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'))
}

/** @returns why the mutation was not noticed; undefined when it was */
function tryOut(folder: string, mutation: Mutation, item: Item): string | undefined {
  const file = join(folder, mutation.file)
  const text = readFileSync(file, 'utf8')
  const parts = text.split(mutation.find)
  if (parts.length !== 2) {
    return `NOT TRIED: ${mutation.file} has ${parts.length - 1} places like the one to break`
  }
  writeFileSync(file, parts.join(mutation.replace))
  try {
    const states: string[] = []
    for (const name of new Set(item.tests.map((named) => named.file))) {
      const named = item.tests.filter((one) => one.file === name)
      for (const [title, status] of run(folder, name)) {
        if (named.some((one) => isNamed(one, title))) states.push(status)
      }
    }
    if (states.length === 0) return 'NOT NOTICED: no named test ran'
    return states.includes('failed') ? undefined : 'NOT NOTICED: the named tests passed'
  } finally {
    writeFileSync(file, text)
  }
}

/** @returns title and outcome of each test in the file */
function run(folder: string, file: string): (readonly [string, string])[] {
  const report = join(folder, 'report.json')
  rmSync(report, { force: true })
  const program = join(folder, 'node_modules/vitest/vitest.mjs')
  const reporters = ['--reporter=json', `--outputFile=${report}`]
  spawnSync(process.execPath, [program, 'run', file, ...reporters], {
    cwd: folder,
    stdio: 'ignore',
    timeout: 120_000,
  })
  const { testResults }: Report = JSON.parse(readFileSync(report, 'utf8'))
  return testResults.flatMap(({ assertionResults }) =>
    assertionResults.map(({ title, status }) => [title, status] as const),
  )
}

/** So many of a list, without repeats, the same for the same seed. */
function draw<T>(list: readonly T[], count: number, seed: number): T[] {
  const left = [...list]
  const drawn: T[] = []
  // xorshift32; a seed of 0 would stay 0.
  let state = (seed | 0) === 0 ? 1 : seed | 0
  while (drawn.length < count && left.length > 0) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    drawn.push(...left.splice((state >>> 0) % left.length, 1))
  }
  return drawn
}

process.exitCode = main()
