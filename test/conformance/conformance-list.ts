/**
 * The checklists of docs/conformance.md and docs/conformance-console.md: rules of XenStore and of the
 * console daemon, and the tests that prove each.
 *
 * ```
 * | 5.19 | MUST | the same path and token twice is EEXIST | test/lixs/….test.ts › title<br>rig: suite › claim |
 * ```
 *
 * A proof is a test of `npm test`, by file and title, or a claim of a rig's suite, by its words; an item
 * without one says `not done:` and why.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The pages, and what reports call them. */
export const CHECKLISTS = [
  { page: 'docs/conformance.md', name: 'conformance' },
  { page: 'docs/conformance-console.md', name: 'conformance of consoled' },
] as const
type Page = (typeof CHECKLISTS)[number]['page']
const SCENARIOS = 'test/xen/scenarios'
const TAGS = ['MUST', 'SHOULD', 'NICE'] as const
export type Tag = (typeof TAGS)[number]

export interface Item {
  /** Section and number, as `5.19`. */
  readonly id: string
  readonly tag: Tag
  readonly rule: string
  readonly tests: readonly NamedTest[]
  readonly rigClaims: readonly string[]
}

/** A test of `npm test`. */
export interface NamedTest {
  readonly file: string
  /** The whole title, or its first word: the number of an item, for tests made by `rule`. */
  readonly title: string
}

/** Is it the test of that title? */
export function isNamed({ title }: NamedTest, name: string): boolean {
  return name === title || name.startsWith(`${title} `)
}

const ROW = /^\| ([0-9]+\.[0-9]+) \| ([A-Z]+) \| (.+) \| (.*) \|$/
const RIG = 'rig: '
const NOT_DONE = 'not done: '
const ARROW = ' › '

/** @throws Error naming a row that cannot be read, or an id that is there twice */
function readChecklist(page: Page): Item[] {
  const items: Item[] = []
  const ids = new Set<string>()
  for (const line of readFileSync(page, 'utf8').split('\n')) {
    if (!/^\| [0-9]/.test(line)) continue
    const [, id = '', tag, rule = '', proofs = ''] = ROW.exec(line) ?? []
    const known = TAGS.find((candidate) => candidate === tag)
    if (known === undefined) throw new Error(`${page}: cannot read: ${line}`)
    if (ids.has(id)) throw new Error(`${page}: ${id} is there twice`)
    ids.add(id)
    items.push({ id, tag: known, rule, ...readProofs(`${page}: ${id}`, proofs) })
  }
  return items
}

/**
 * A checklist of this repository: XenStore's, unless told.
 *
 * @throws Error also for a claim that no scenario of the rig makes
 */
export function theChecklist(page: Page = CHECKLISTS[0].page): Item[] {
  const items = readChecklist(page)
  const scenarios = readdirSync(SCENARIOS).map((file) =>
    readFileSync(join(SCENARIOS, file), 'utf8'),
  )
  for (const { id, rigClaims } of items) {
    for (const claim of rigClaims) {
      const words = claim.slice(claim.indexOf(ARROW) + ARROW.length)
      if (scenarios.some((text) => text.includes(words))) continue
      throw new Error(`${page}: ${id}: no scenario of the rig claims "${words}"`)
    }
  }
  return items
}

function readProofs(where: string, cell: string): Pick<Item, 'tests' | 'rigClaims'> {
  const tests: NamedTest[] = []
  const rigClaims: string[] = []
  for (const proof of cell.split('<br>').map((part) => part.trim())) {
    if (proof.startsWith(NOT_DONE)) continue
    const arrow = proof.indexOf(ARROW)
    if (arrow < 0) throw new Error(`${where}: no proof, and no reason: ${proof}`)
    if (proof.startsWith(RIG)) rigClaims.push(proof.slice(RIG.length))
    else tests.push({ file: proof.slice(0, arrow), title: proof.slice(arrow + ARROW.length) })
  }
  return { tests, rigClaims }
}
