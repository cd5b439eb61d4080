import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Sequence, Step } from './step.ts'

const FOLDER = fileURLToPath(new URL('./corpus/', import.meta.url))

/** A sequence that is kept. */
export interface Kept extends Sequence {
  readonly name: string
}

/** What is kept for a daemon, by name. */
export function corpusFor(against: string): Kept[] {
  mkdirSync(FOLDER, { recursive: true })
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => ({ name: file.replace('.json', ''), ...read(join(FOLDER, file)) }))
    .filter((sequence) => sequence.against.includes(against))
}

/** Keeps a sequence, a step a line. */
export function keep(name: string, { about, against, steps }: Sequence): void {
  const lines = steps.map((step) => `    ${JSON.stringify(step)}`).join(',\n')
  const head = `"about": ${JSON.stringify(about)},\n  "against": ${JSON.stringify(against)}`
  mkdirSync(FOLDER, { recursive: true })
  writeFileSync(join(FOLDER, `${name}.json`), `{\n  ${head},\n  "steps": [\n${lines}\n  ]\n}\n`)
}

function read(path: string): Sequence {
  const { about, against, steps }: Sequence = JSON.parse(readFileSync(path, 'utf8'))
  return { about, against, steps: steps as readonly Step[] }
}
