import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

/** A reader that waits for ever is ended then, and the test with it. */
const LIMIT_MS = 30_000

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'consoled-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

describe('a log that is read back', () => {
  it(
    'waits for nobody where it is a pipe',
    () => {
      const [log, pipe] = [join(dir, 'log'), join(dir, 'pipe')]
      writeFileSync(log, 'text')
      execFileSync('mkfifo', [pipe])
      const module = JSON.stringify(new URL('../../../consoled/log/log-tail.ts', import.meta.url))
      const script = `
        const { tailOf, tailOfBoth, rangeOfBoth } = await import(${module})
        const [log, pipe] = process.argv.slice(1)
        for (const path of [log, pipe]) {
          for (const bytes of [tailOf(path, 9), tailOfBoth(path, 9), rangeOfBoth(path, 4, 4)]) {
            process.stdout.write(bytes.toString() + ';')
          }
        }`
      const args = ['--import', 'tsx', '--input-type=module', '-e', script, log, pipe]
      const options = { timeout: LIMIT_MS, encoding: 'utf8' } as const
      expect(execFileSync(process.execPath, args, options)).toBe('text;text;text;;;;')
    },
    2 * LIMIT_MS,
  )
})
