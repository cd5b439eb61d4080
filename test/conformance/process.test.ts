import { statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import { startLixs } from '../support/a-program.ts'
import { aFolder } from '../support/a-socket-peer.ts'
import { ruleOfProcess } from './rule.ts'

let folder: ReturnType<typeof aFolder>
beforeEach(() => {
  folder = aFolder()
})
afterEach(() => folder.remove())

ruleOfProcess('11.3', async () => {
  const runDir = join(folder.path, 'run', 'xenstored')
  const daemon = startLixs(['-N', '--hypervisor', 'none'], { XENSTORED_RUNDIR: runDir })
  await daemon.said(/"msg":"serving"/)
  expect(statSync(runDir).mode & 0o777).toBe(0o755)
  expect(statSync(join(runDir, 'socket')).isSocket()).toBe(true)
  daemon.child.kill('SIGTERM')
  expect(await daemon.ended).toMatchObject({ code: 0 })
})
