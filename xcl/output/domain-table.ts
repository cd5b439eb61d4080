import { SHUTDOWN_REASONS, type ShutdownReason } from '../../native/hypervisor.ts'

/** A row of `xcl list`, and an element of its JSON. */
export interface ListedDomain {
  /** null when the store has no name for it (it is being made, or dying). */
  readonly name: string | null
  readonly domid: number
  readonly uuid: string
  readonly memoryKiB: number
  readonly vcpus: number
  readonly isRunning: boolean
  readonly isBlocked: boolean
  readonly isPaused: boolean
  readonly isShutdown: boolean
  readonly shutdownReason: ShutdownReason | null
  readonly isDying: boolean
  readonly cpuSeconds: number
  /** null when another toolstack created it: what that knows is its own. */
  readonly devices: ListedDevices | null
}

/** A guest's devices, in JSON only. */
export interface ListedDevices {
  readonly vifs: readonly {
    readonly devid: number
    readonly mac: string | null
    readonly bridge: string
  }[]
  readonly disks: readonly {
    readonly vdev: string
    readonly target: string
    readonly isReadOnly: boolean
  }[]
}

const HEADER = `Name${' '.repeat(40)}ID   Mem VCPUs\tState\tTime(s)`
const VERBOSE_HEADER = `${HEADER}   UUID                                Reason`

/** The table of `xl list`, column by column: scripts cut it by position. */
export function domainTable(domains: readonly ListedDomain[], isVerbose: boolean): string {
  const rows = domains.map((domain) => row(domain) + (isVerbose ? verbose(domain) : ''))
  return `${[isVerbose ? VERBOSE_HEADER : HEADER, ...rows].join('\n')}\n`
}

function row(domain: ListedDomain): string {
  const { name, domid, memoryKiB, vcpus, cpuSeconds } = domain
  const memoryMiB = Math.floor(memoryKiB / 1024)
  return [
    (name ?? '(null)').padEnd(40),
    ` ${String(domid).padStart(5)}`,
    ` ${String(memoryMiB).padStart(5)}`,
    ` ${String(vcpus).padStart(5)}`,
    `     ${stateLetters(domain)}`,
    `  ${cpuSeconds.toFixed(1).padStart(8)}`,
  ].join('')
}

/** Letters of the reasons in the order of SHUTDOWN_REASONS; a plain poweroff has none. */
const REASON_LETTERS = '-rscwS'

function stateLetters(domain: ListedDomain): string {
  const reason =
    domain.shutdownReason === null ? 0 : SHUTDOWN_REASONS.indexOf(domain.shutdownReason)
  return [
    domain.isRunning ? 'r' : '-',
    domain.isBlocked ? 'b' : '-',
    domain.isPaused ? 'p' : '-',
    domain.isShutdown ? 's' : '-',
    REASON_LETTERS[reason] ?? '-',
    domain.isDying ? 'd' : '-',
  ].join('')
}

function verbose(domain: ListedDomain): string {
  return ` ${domain.uuid} ${(domain.shutdownReason ?? '-').padStart(8)}`
}
