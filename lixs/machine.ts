import type { DomainControl, Hypervisor } from '../native/hypervisor.ts'
import { openLoopback } from '../native/loopback.ts'
import { machineFailure } from '../native/machine-failure.ts'
import { openHypervisor } from '../native/open-hypervisor.ts'
import type { StateMemory } from '../native/os/state-memory.ts'
import type { RingSet } from '../native/ring-set.ts'
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
const EXIT_REFUSED = 5

/**
 * @param onGone called once if the machine ceases to be
 * @param inheritedFd of the machine, left by the daemon before; below 0, or undefined: none
 * @throws StartFailure when there is no such machine, or it may not be used
 */
export function openMachine(
  { hypervisor, simulator }: Pick<Options, 'hypervisor' | 'simulator'>,
  memory: StateMemory,
  onGone: () => void,
  inheritedFd?: number,
): Machine {
  if (hypervisor === 'none') {
    // A world without domains: what is left of a ring set are its sockets.
    return {
      rings: openLoopback().rings('xenstore', { memory, ...RING_OPTIONS, virqs: [] }),
      domains: undefined,
      close: () => undefined,
    }
  }
  let opened: Hypervisor | undefined
  try {
    const machine = openHypervisor(hypervisor, { simulator, onGone })
    opened = machine
    const rings = machine.rings('xenstore', { memory, ...RING_OPTIONS, inheritedFd })
    return { rings, domains: machine.domains, close: () => machine.close() }
  } catch (error) {
    opened?.close()
    throw error instanceof XenError ? explained(error, { hypervisor, simulator }) : error
  }
}

function explained(
  error: XenError,
  choice: { readonly hypervisor: 'xen' | 'sim'; readonly simulator: string },
): StartFailure {
  const { code, op, message } = error
  const known = machineFailure(error, choice)
  if (known !== undefined) {
    const exitCode = known.isRefused ? EXIT_REFUSED : EXIT_FAILED
    return new StartFailure(exitCode, known.sentence, { cause: error })
  }
  if (code === 'EBUSY' || code === 'EEXIST') {
    const text = `another XenStore daemon serves this host's domains (${op}: ${code}); stop it first`
    return new StartFailure(EXIT_FAILED, text, { cause: error })
  }
  return new StartFailure(EXIT_FAILED, message, { cause: error })
}
