import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Simulator } from '../../../native/simulator/control.ts'
import { XcldClient } from '../../../xcl/daemon/client.ts'
import { type ProgramProcess, startProgram } from '../../support/a-program.ts'
import { aFolder } from '../../support/a-socket-peer.ts'

let folder: ReturnType<typeof aFolder>
let xcld: ProgramProcess | undefined
beforeEach(() => {
  folder = aFolder()
})
afterEach(async () => {
  xcld?.child.kill('SIGKILL')
  await xcld?.ended
  folder.remove()
})

function start(...more: string[]): ProgramProcess {
  const at = (name: string): string => join(folder.path, name)
  const own = [
    '--socket',
    at('xcld.sock'),
    '--state-dir',
    at('state'),
    '--store-socket',
    at('none'),
  ]
  const env = { XCL_SIMULATOR: at('simulator.sock') }
  return startProgram('xcld', ['--no-fork', '--hypervisor', 'sim', ...own, ...more], env)
}

test('without a machine xcld says where it has looked for one', async () => {
  xcld = start()
  const { code, stderr } = await xcld.ended
  expect(code).toBe(1)
  const path = join(folder.path, 'simulator.sock')
  expect(stderr).toMatch(new RegExp(`^xcld: no simulated machine listens at ${path} [^\n]*\n$`))
})

test('a machine that goes takes xcld with it, with a sentence on stderr and in the log', async () => {
  const machine = await Simulator.start({ runDir: folder.path, xen: '4.17' })
  const log = join(folder.path, 'xcld.log')
  xcld = start('--log-file', log)
  while (!(await serves())) expect(xcld.child.exitCode).toBeNull()
  process.kill(machine.pid, 'SIGKILL')
  const { code, stderr } = await xcld.ended
  expect(code).toBe(1)
  expect(stderr).toBe('xcld: the simulated machine has gone; ending\n')
  const last = readFileSync(log, 'utf8').trim().split('\n').at(-1) ?? ''
  expect(JSON.parse(last)).toMatchObject({
    level: 60,
    msg: 'the simulated machine has gone; ending',
  })
  await machine.stop()
})

test('an xcld in the background ends with its machine, too', async () => {
  const machine = await Simulator.start({ runDir: folder.path, xen: '4.17' })
  const log = join(folder.path, 'xcld.log')
  const at = (name: string): string => join(folder.path, name)
  const own = [
    '--socket',
    at('xcld.sock'),
    '--state-dir',
    at('state'),
    '--store-socket',
    at('none'),
  ]
  const simulated = ['--hypervisor', 'sim', '--simulator', machine.socketPath, '--log-file', log]
  const { code } = await startProgram('xcld', [...simulated, ...own]).ended
  expect(code).toBe(0)
  expect(await serves()).toBe(true)
  await machine.stop()
  while (await serves()) await new Promise((resolve) => setImmediate(resolve))
  expect(readFileSync(log, 'utf8')).toContain('the simulated machine has gone; ending')
})

/** Whether somebody takes commands. */
function serves(): Promise<boolean> {
  return new XcldClient(join(folder.path, 'xcld.sock')).run(['--version']).then(
    () => true,
    () => false,
  )
}
