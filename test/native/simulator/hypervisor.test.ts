import { once } from 'node:events'
import { afterEach, expect, it } from 'vitest'
import { VIRQ_DOM_EXC } from '../../../native/hypervisor.ts'
import { openHypervisor } from '../../../native/open-hypervisor.ts'
import { XenError } from '../../../native/xen-error.ts'
import { ContractRings, contractSpec, refuses } from '../contract/machine.ts'
import { TestMachine } from './a-machine.ts'
import { startHolder } from './holder.ts'

let machine: TestMachine
afterEach(() => machine?.stop())

/** Asks until the machine does not answer any more, without a turn of the loop. */
function askUntilGone({ xen }: TestMachine): XenError {
  for (;;) {
    try {
      xen.domains.host()
    } catch (error) {
      if (error instanceof XenError) return error
      throw error
    }
  }
}

it('a machine that is not there is told in one sentence', async () => {
  machine = await TestMachine.start()
  const simulator = `${machine.simulator.socketPath}.none`
  const error = await refuses('ENOENT', () =>
    openHypervisor('sim', { simulator, onGone: () => {} }),
  )
  expect(error.message).toBe(`cannot reach the simulated machine at ${simulator}: ENOENT`)
})

it('a handle that was closed refuses, and is not told when the machine goes', async () => {
  machine = await TestMachine.start()
  machine.xen.close()
  machine.xen.close()
  await refuses('EBADF', () => machine.xen.domains.host())
  await refuses('EBADF', () => machine.xen.builder.create(contractSpec('pv')))
  await machine.simulator.stop()
  expect(machine.timesGone).toBe(0)
})

it('who does nothing is told once when the machine goes', async () => {
  machine = await TestMachine.start()
  machine.kill()
  await machine.gone
  const error = await refuses('EPIPE', () => machine.xen.domains.list())
  expect(error.op).toBe('simulator')
  expect(error.message).toBe('the simulated machine has gone: EPIPE')
  await refuses('EPIPE', () => machine.xen.builder.create(contractSpec('pv')))
  expect(machine.timesGone).toBe(1)
  expect(await machine.simulator.ended).toMatchObject({ code: null, signal: 'SIGKILL' })
})

it('who asks something is told before the question fails', async () => {
  machine = await TestMachine.start()
  machine.kill()
  const error = askUntilGone(machine)
  expect(machine.timesGone).toBe(1)
  expect(error).toMatchObject({ op: 'simulator', code: 'EPIPE' })
  await machine.simulator.ended
  expect(machine.timesGone).toBe(1)
})

it('rings that are attached are closed without a word when the machine has gone', async () => {
  machine = await TestMachine.start()
  const rings = new ContractRings(machine.xen, [VIRQ_DOM_EXC])
  const [first, second] = await machine.guests(rings, 2)
  machine.kill()
  await machine.gone
  if (first === undefined || second === undefined) throw new Error('no guests')
  rings.store.detach(first.ids.store)
  rings.type(second.ids.console, 'ping\n')
  await refuses('EPIPE', () => rings.attach(first.domid, first.ports))
  rings.close()
})

it('a handle alone does not keep its process alive', async () => {
  machine = await TestMachine.start()
  const holder = startHolder(['open', machine.simulator.socketPath])
  expect(await once(holder, 'exit')).toEqual([0, null])
})
