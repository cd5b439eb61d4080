/** The simulated machine, seen from a program that runs on it: native/simulator/host is the machine. */
import { addon } from '../addon.ts'
import type { Hypervisor } from '../hypervisor.ts'
import { NativeRingSet } from '../ring-set-native.ts'
import { hypervisorOver } from '../xen.ts'

/**
 * Connects to a simulated machine.
 * @param onGone called once when the machine's process ends
 * @throws XenError when nobody listens at the socket, or a machine of another version does
 */
export function openSimulator(socketPath: string, onGone: () => void): Hypervisor {
  const native = new addon.Simulator(socketPath, onGone)
  return hypervisorOver(native, native, (kind, options) => {
    return new NativeRingSet(kind, { kind: 'simulator', socketPath }, options)
  })
}
