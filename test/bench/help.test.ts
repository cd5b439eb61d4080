import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')

it.each([
  ['bench/run.ts', 'npm run bench'],
  ['bench/consoles/main.ts', 'npm run bench:consoles'],
  ['bench/peers/main.ts', 'npm run bench:peers'],
])('%s tells how it is used, and measures nothing', (program, command) => {
  const args = ['--import', 'tsx', program, '--help']
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: ROOT,
    encoding: 'utf8',
  })
  expect([status, stderr]).toEqual([0, ''])
  expect(stdout).toMatch(new RegExp(`^Usage: ${command} -- \\[OPTION\\]…\\n`))
  expect(stdout).not.toContain('undefined')
})
