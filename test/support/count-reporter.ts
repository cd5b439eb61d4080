import type { Reporter, TestModule } from 'vitest/node'

/** Ends a run with one line that a script can read: `N passed, N failed`. */
export class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    let passed = 0
    let failed = errors.length
    for (const module of modules) {
      failed += module.errors().length
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === 'passed') passed++
        else failed++
      }
    }
    process.stdout.write(`${passed} passed, ${failed} failed\n`)
  }
}
