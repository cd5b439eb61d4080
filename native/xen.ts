/** The real machine: Xen through the installed libxen* libraries. */
import { addon, type NativeDomainInfo, type NativeHypervisor } from './addon.ts'
import { dom0Devices } from './dom0-devices.ts'
import {
  type Dom0Devices,
  type DomainInfo,
  type Hypervisor,
  SHUTDOWN_REASONS,
} from './hypervisor.ts'
import { NativeRingSet } from './ring-set-native.ts'

/**
 * Opens the hypervisor's control interface.
 * @throws Error when this build has no Xen part; XenError when this is no Xen host or the process
 *   may not control it
 */
export function openXen(): Hypervisor {
  if (addon.Xen === undefined) {
    throw new Error('this build has no Xen part: install libxen-dev and run `npm run build` again')
  }
  return hypervisorOver(new addon.Xen(), dom0Devices, (kind, options) => {
    return new NativeRingSet(kind, { kind: 'xen' }, options)
  })
}

/** The seam over a machine's native half; the two machines differ in nothing else. */
export function hypervisorOver(
  native: NativeHypervisor,
  devices: Dom0Devices,
  rings: Hypervisor['rings'],
): Hypervisor {
  return {
    domains: {
      info(domid) {
        const found = native.info(domid)
        return found === undefined ? undefined : domainInfo(found)
      },
      list: (first = 0) => native.list(first).map(domainInfo),
      states: (first = 0) => native.states(first),
      changed: () => native.changed(),
      host: () => native.host(),
      pause: (domid) => native.pause(domid),
      unpause: (domid) => native.unpause(domid),
      destroy: (domid) => native.destroy(domid),
      readConsoleRing: (index) => native.readConsoleRing(index),
    },
    builder: {
      create: (spec) => native.create(spec),
      prepare: (domid, spec) => native.prepare(domid, spec),
      build: (domid, spec, ports, image) => native.build(domid, spec, ports, image),
    },
    devices,
    rings,
    close: () => native.close(),
  }
}

function domainInfo(found: NativeDomainInfo): DomainInfo {
  const { shutdownCode, ...rest } = found
  return {
    ...rest,
    shutdownReason: rest.isShutdown ? SHUTDOWN_REASONS[shutdownCode] : undefined,
  }
}
