import type { DomainControl, Hypervisor } from '../native/hypervisor.ts'
import { openLoopback } from '../native/loopback.ts'
import type { StateMemory } from '../native/os/state-memory.ts'
import type { RingSet } from '../native/ring-set.ts'
import { openXen } from '../native/xen.ts'
import { XenError } from '../native/xen-error.ts'
import { RING_OPTIONS } from './daemon.ts'
import type { Options } from './options.ts'
import { StartFailure } from './start-failure.ts'

/** What the daemon runs on. */
interface Machine {
  readonly rings: RingSet
  /** Undefined when there is no hypervisor. */
  readonly domains: DomainControl | undefined
  close(): void
}

const EXIT_FAILED = 1
const EXIT_USAGE = 2
const EXIT_REFUSED = 5

/** @throws StartFailure when there is no such machine, or it may not be used */
export function openMachine(kind: Options['hypervisor'], memory: StateMemory): Machine {
  switch (kind) {
    case 'sim':
      throw new StartFailure(
        EXIT_USAGE,
        'the simulator (--hypervisor sim) is not part of this build; there are xen and none',
      )
    case 'none':
      // A world without domains: what is left of a ring set are its sockets.
      return {
        rings: openLoopback().rings('xenstore', { memory, ...RING_OPTIONS, virqs: [] }),
        domains: undefined,
        close: () => undefined,
      }
    case 'xen':
      return openXenMachine(memory)
  }
}

function openXenMachine(memory: StateMemory): Machine {
  let xen: Hypervisor | undefined
  try {
    xen = openXen()
    const rings = xen.rings('xenstore', { memory, ...RING_OPTIONS })
    const opened = xen
    return { rings, domains: opened.domains, close: () => opened.close() }
  } catch (error) {
    xen?.close()
    throw explained(error)
  }
}

function explained(error: unknown): unknown {
  if (!(error instanceof XenError)) return error
  const { code, op, message } = error
  if (code === 'EACCES' || code === 'EPERM') {
    const text = `may not use Xen (${op}: ${code}); start lixs as root in dom0`
    return new StartFailure(EXIT_REFUSED, text, { cause: error })
  }
  if (code === 'EBUSY' || code === 'EEXIST') {
    const text = `another XenStore daemon serves this host's domains (${op}: ${code}); stop it first`
    return new StartFailure(EXIT_FAILED, text, { cause: error })
  }
  if (code === 'ENOENT' || code === 'ENODEV' || code === 'ENXIO' || code === 'ENOSYS') {
    const text = `no Xen on this host (${op}: ${code}); without it there is --hypervisor none`
    return new StartFailure(EXIT_FAILED, text, { cause: error })
  }
  return new StartFailure(EXIT_FAILED, message, { cause: error })
}
