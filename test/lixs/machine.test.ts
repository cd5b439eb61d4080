import { afterEach, beforeEach, expect, test } from 'vitest'
import { openMachine } from '../../lixs/machine.ts'
import { StateMemory } from '../../native/os/state-memory.ts'
import { Simulator } from '../../native/simulator/control.ts'
import { aFolder } from '../support/a-socket-peer.ts'

let folder: ReturnType<typeof aFolder>
let memories: StateMemory[] = []
let simulator: Simulator | undefined

beforeEach(() => {
  folder = aFolder()
  memories = []
  simulator = undefined
})
afterEach(async () => {
  await simulator?.stop()
  for (const memory of memories) memory.close()
  folder.remove()
})

function opened(path: string, onGone = () => {}) {
  const memory = StateMemory.anonymous()
  memories.push(memory)
  return openMachine({ hypervisor: 'sim', simulator: path }, memory, onGone)
}

test('where nobody listens there is no machine, and the sentence says where', () => {
  const path = '/nowhere/simulator.sock'
  expect(() => opened(path)).toThrow(
    expect.objectContaining({
      name: 'StartFailure',
      code: 1,
      message: expect.stringContaining(`no simulated machine listens at ${path} (`),
    }),
  )
})

test('one machine has one XenStore daemon', async () => {
  simulator = await Simulator.start({ runDir: folder.path, xen: '4.17' })
  const { socketPath } = simulator
  const first = opened(socketPath)
  expect(() => opened(socketPath)).toThrow(
    expect.objectContaining({
      name: 'StartFailure',
      code: 1,
      message: expect.stringContaining("another XenStore daemon serves this host's domains"),
    }),
  )
  first.rings.close()
  first.close()
})

test('a machine that goes is told of', async () => {
  simulator = await Simulator.start({ runDir: folder.path, xen: '4.17' })
  const { socketPath, pid } = simulator
  const gone = new Promise<void>((resolve) => {
    opened(socketPath, resolve)
  })
  process.kill(pid, 'SIGKILL')
  await gone
})
