import { defineConfig } from 'vitest/config'
import { ConformanceReporter } from './test/conformance/conformance-reporter.ts'
import { CountReporter } from './test/support/count-reporter.ts'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 20_000,
    reporters: ['default', new ConformanceReporter(), new CountReporter()],
  },
})
