/** The one place that knows there are two machines. */
import type { Hypervisor } from './hypervisor.ts'
import { openSimulator } from './simulator/hypervisor.ts'
import { openXen } from './xen.ts'

/** Where a simulated machine is found unless told. */
export const SIMULATOR_SOCKET = '/run/xcl/simulator.sock'

export interface OpenOptions {
  /** Socket of the simulated machine. */
  readonly simulator: string
  /** Called once if the machine ceases to be; nothing of it can be used then, not even to clean up. */
  readonly onGone: () => void
}

/** @throws XenError, Error when this build cannot control such a machine */
export function openHypervisor(kind: 'xen' | 'sim', options: OpenOptions): Hypervisor {
  return kind === 'xen' ? openXen() : openSimulator(options.simulator, options.onGone)
}
