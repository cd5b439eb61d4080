import type { XenError } from './xen-error.ts'

/** Which machine was to be opened. */
interface MachineChoice {
  readonly hypervisor: 'xen' | 'sim'
  /** Socket of the simulated machine. */
  readonly simulator: string
}

/** Why a machine could not be opened, for the person who started a daemon. */
interface MachineFailure {
  /** Without a full stop; says what to do. */
  readonly sentence: string
  /** Is it a question of privileges? */
  readonly isRefused: boolean
}

/**
 * Puts into one sentence why there is no machine to run on.
 *
 * @returns undefined when the error is not about the machine as a whole
 */
export function machineFailure(
  { op, code, message }: XenError,
  { hypervisor, simulator }: MachineChoice,
): MachineFailure | undefined {
  const cause = `${op}: ${code}`
  if (code === 'EACCES' || code === 'EPERM') {
    const sentence =
      hypervisor === 'xen'
        ? `may not use Xen (${cause}); start as root in dom0`
        : `may not use the simulated machine at ${simulator} (${cause}); only who started it may`
    return { sentence, isRefused: true }
  }
  if (hypervisor === 'sim') {
    if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTSOCK') {
      const sentence = `no simulated machine listens at ${simulator} (${cause}); \`npm start\` or xcl-simulator makes one`
      return { sentence, isRefused: false }
    }
    if (code === 'EPROTO') {
      return { sentence: `${message}; build both anew with \`npm run build\``, isRefused: false }
    }
  } else if (code === 'ENOENT' || code === 'ENODEV' || code === 'ENXIO' || code === 'ENOSYS') {
    const sentence = `no Xen on this host (${cause}); there is a simulated machine, too: --hypervisor sim`
    return { sentence, isRefused: false }
  }
  return undefined
}
