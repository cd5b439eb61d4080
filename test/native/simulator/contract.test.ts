import { afterAll, describe, expect, it } from 'vitest'
import { openHypervisor } from '../../../native/open-hypervisor.ts'
import { Simulator } from '../../../native/simulator/control.ts'
import { aFolder } from '../../support/a-socket-peer.ts'
import { ContractRings } from '../contract/machine.ts'
import { contractSuite } from '../contract/suite.ts'
import { writeKernels } from './kernels.ts'

const GONE = 'the simulated machine has gone'

for (const xen of ['4.17', '4.21'] as const) {
  const folder = aFolder()
  const simulator = await Simulator.start({ runDir: folder.path, xen, memoryMiB: 256 })
  const hypervisor = openHypervisor('sim', {
    simulator: simulator.socketPath,
    onGone: () => {
      throw new Error(GONE)
    },
  })
  const suite = contractSuite(hypervisor, writeKernels(folder.path))

  const before = await simulator.stats()

  // The claims go on from one another, as on real Xen: test/native/hypervisor-contract.ts.
  describe.sequential(`the contract on a simulated Xen ${xen}`, () => {
    for (const { name, body } of suite.claims) it(name, () => body())

    it('leaves nothing behind, and nothing has crashed but the guest that was to', async () => {
      // What dom0's kernel still waits for is answered once somebody serves its ring again. It may ask for
      // more as soon as nobody does.
      const rings = new ContractRings(hypervisor, [])
      const id = rings.store.attachSelf()
      const inFlight = async () => (await simulator.stats()).inFlight ?? 1
      while ((await inFlight()) > 0);
      rings.store.detach(id)
      rings.close()
      const { pages, portsHeld, pagesHeld, freeMemoryKiB } = before
      expect(await simulator.stats()).toMatchObject({
        domains: 1,
        guests: 0,
        crashed: 1,
        lost: 0,
        broken: 0,
        pages,
        portsHeld,
        pagesHeld,
        freeMemoryKiB,
      })
    })

    afterAll(async () => {
      suite.close()
      expect(await simulator.stop()).toEqual({ code: 0, signal: null, said: '' })
      folder.remove()
    })
  })
}
