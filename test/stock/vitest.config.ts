import { defineConfig } from 'vitest/config'
import { CountReporter } from '../support/count-reporter.ts'

/** Apart from `npm test`, since it fetches packages. */
export default defineConfig({
  test: {
    root: new URL('../..', import.meta.url).pathname,
    globalSetup: [new URL('prepare.ts', import.meta.url).pathname],
    include: ['test/stock/**/*.stock.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 120_000,
    reporters: ['default', new CountReporter()],
  },
})
