import { type Hypervisor, VIRQ_DOM_EXC } from '../../../native/hypervisor.ts'
import { buildClaims } from './build-claims.ts'
import { deviceClaims } from './device-claims.ts'
import { handleClaims } from './handle-claims.ts'
import { hostClaims } from './host-claims.ts'
import { lifeClaims } from './life-claims.ts'
import { type Claim, type ContractMachine, ContractRings } from './machine.ts'

/**
 * What callers of the hypervisor seam may rely on: claims that hold on real Xen and on the simulated
 * machine, one after another in this order, on a host without any daemon.
 */
export interface ContractSuite {
  readonly claims: readonly Claim[]
  /** Closes what the claims hold, and the hypervisor. */
  close(): void
}

/** @param kernels a kernel of the test guest for each type */
export function contractSuite(xen: Hypervisor, kernels: ContractMachine['kernels']): ContractSuite {
  const rings = new ContractRings(xen, [VIRQ_DOM_EXC])
  const machine = { xen, rings, kernels }
  return {
    claims: [
      ...hostClaims(machine),
      ...lifeClaims(machine, 'pv'),
      ...lifeClaims(machine, 'pvh'),
      ...handleClaims(machine),
      ...buildClaims(machine),
      ...deviceClaims(machine),
    ],
    close() {
      rings.close()
      xen.close()
    },
  }
}
