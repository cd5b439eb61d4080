/** A simulated machine that can watch no more descriptors goes on with those that it has. */
import { execFileSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it, vi } from 'vitest'
import { openHypervisor } from '../../../native/open-hypervisor.ts'
import { aFolder } from '../../support/a-socket-peer.ts'
import { ContractRings, refuses } from '../contract/machine.ts'
import { TestMachine } from './a-machine.ts'

const folder = aFolder()
const full = join(folder.path, 'full')
let machine: TestMachine | undefined

afterEach(async () => {
  rmSync(full, { force: true })
  await machine?.stop()
  folder.remove()
})

async function startShort(): Promise<TestMachine> {
  const library = join(folder.path, 'full-epoll.so')
  const source = join(import.meta.dirname, 'full-epoll.c')
  execFileSync(process.env.CC ?? 'cc', ['-shared', '-fPIC', '-o', library, source, '-ldl'])
  const others = process.env.LD_PRELOAD
  vi.stubEnv('LD_PRELOAD', others === undefined ? library : `${others} ${library}`)
  vi.stubEnv('XCL_TEST_EPOLL_FULL', full)
  try {
    return await TestMachine.start()
  } finally {
    vi.unstubAllEnvs()
  }
}

it('a connection that cannot be watched is dropped, and no other', async () => {
  machine = await startShort()
  const { xen, simulator } = machine
  const open = () => openHypervisor('sim', { simulator: simulator.socketPath, onGone: () => {} })
  writeFileSync(full, '')
  await refuses('EPIPE', open)
  await refuses('EPIPE', () => new ContractRings(xen, []))
  rmSync(full)
  expect(xen.domains.list().length).toBe(1)
  open().close()
  new ContractRings(xen, []).close()
  expect(await simulator.stats()).toMatchObject({ domains: 1, portsHeld: 0 })
})
