/** The real machine: Xen through the installed libxen* libraries. */
import { addon, type NativeDomainInfo } from './addon.ts'
import { type DomainInfo, type Hypervisor, SHUTDOWN_REASONS } from './hypervisor.ts'
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
  const native = new addon.Xen()
  return {
    domains: {
      info(domid) {
        const found = native.info(domid)
        return found === undefined ? undefined : domainInfo(found)
      },
      list: (first = 0) => native.list(first).map(domainInfo),
      states: (first = 0) => native.states(first),
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
    rings: (kind, options) => new NativeRingSet(kind, undefined, options),
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
