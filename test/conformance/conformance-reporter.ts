import { relative } from 'node:path'
import type { Reporter, TestModule } from 'vitest/node'
import {
  CHECKLISTS,
  type Item,
  isNamed,
  type NamedTest,
  type Tag,
  theChecklist,
} from './conformance-list.ts'

/** By file and title. */
type States = ReadonlyMap<string, ReadonlyMap<string, string>>

/**
 * Says after a run of all tests how much of each checklist they have proven: an item is proven when
 * each test that it names has passed in this run. A named test that is missing or failed fails the run.
 */
export class ConformanceReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const states = statesOf(modules)
    for (const { page, name } of CHECKLISTS) {
      const items = theChecklist(page)
      // Who runs some files only asks for nothing else.
      if (!items.every(({ tests }) => tests.every(({ file }) => states.has(file)))) continue
      for (const tag of ['MUST', 'SHOULD', 'NICE'] as const) say(name, tag, items, states)
    }
  }
}

function say(name: string, tag: Tag, items: readonly Item[], states: States): void {
  if (!items.some((item) => item.tag === tag)) return
  const count = { items: 0, here: 0, rig: 0, failed: 0, notDone: 0 }
  for (const { id, rule, tests, rigClaims } of items.filter((item) => item.tag === tag)) {
    count.items++
    const unproven = tests.filter((named) => !hasPassed(states.get(named.file), named))
    for (const { file, title } of unproven) {
      process.stdout.write(`${name}: ${id} ${rule}: no test passed as ${file} › ${title}\n`)
    }
    if (unproven.length > 0) count.failed++
    else if (tests.length > 0) count.here++
    else if (rigClaims.length > 0) count.rig++
    else count.notDone++
  }
  const { items: all, here, rig, failed, notDone } = count
  process.stdout.write(
    `${name}: ${tag.padEnd(6)} ${all} items: ${here} proven here, ${rig} claimed in the rig, ` +
      `${failed} failed, ${notDone} not done\n`,
  )
  if (failed > 0 || (tag === 'MUST' && notDone > 0)) process.exitCode = 1
}

/** At least one test is called so, and none of those failed. */
function hasPassed(tests: ReadonlyMap<string, string> | undefined, named: NamedTest): boolean {
  const states = [...(tests ?? [])].filter(([name]) => isNamed(named, name))
  return states.length > 0 && states.every(([, state]) => state === 'passed')
}

function statesOf(modules: readonly TestModule[]): States {
  const states = new Map<string, Map<string, string>>()
  for (const module of modules) {
    const tests = new Map<string, string>()
    for (const test of module.children.allTests()) tests.set(test.name, test.result().state)
    states.set(relative(process.cwd(), module.moduleId), tests)
  }
  return states
}
