/**
 * What callers of the hypervisor seam may rely on, as a program: bundled to one file and run by plain
 * node, as root on a Xen host without any daemon, or on a simulated machine. Prints TAP, ends with 0
 * when all claims hold.
 *
 *   node hypervisor-contract.cjs [--hypervisor xen]
 *   node hypervisor-contract.cjs --hypervisor sim SOCKET
 *
 * Kernels: XCL_GUEST_PV and XCL_GUEST_PVH.
 */
import { parseArgs } from 'node:util'
import { openHypervisor, SIMULATOR_SOCKET } from '../../native/open-hypervisor.ts'
import { contractSuite } from './contract/suite.ts'
import { runClaims } from './contract/tap.ts'

const { values, positionals } = parseArgs({
  options: { hypervisor: { type: 'string', default: 'xen' } },
  allowPositionals: true,
})
const [simulator = SIMULATOR_SOCKET] = positionals
const xen = openHypervisor(values.hypervisor === 'sim' ? 'sim' : 'xen', {
  simulator,
  onGone() {
    console.log('Bail out! the simulated machine has gone')
    process.exit(1)
  },
})
const suite = contractSuite(xen, {
  pv: process.env.XCL_GUEST_PV ?? '',
  pvh: process.env.XCL_GUEST_PVH ?? '',
})
runClaims(suite.claims).then((isSound) => {
  suite.close()
  process.exitCode = isSound ? 0 : 1
})
