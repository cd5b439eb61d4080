/** What is done with a domain that has shut down, from its configuration and its past. */
import type { ShutdownReason } from '../../native/hypervisor.ts'
import type { DomainConfig, EndAction } from '../config/domain-config.ts'

/** A domain that ends sooner than this after its start is suspected of doing so for ever. */
export const QUICK_DEATH_MS = 5000
/** So many such ends in a row, and it is not restarted any more. */
export const MAX_QUICK_DEATHS = 5

/** What remains to be done, and what a log should say about it. */
export interface EndDecision {
  readonly action: 'destroy' | 'restart' | 'rename-restart' | 'preserve' | 'none'
  /** Ends in a row that came too soon, this one included. */
  readonly quickDeaths: number
  readonly note: string | undefined
}

/** Which setting of the configuration is about which end; suspend is nobody's end. */
const SETTINGS: Readonly<
  Record<Exclude<ShutdownReason, 'suspend'>, (config: DomainConfig) => EndAction>
> = {
  poweroff: (config) => config.onPoweroff,
  reboot: (config) => config.onReboot,
  crash: (config) => config.onCrash,
  watchdog: (config) => config.onWatchdog,
  'soft-reset': (config) => config.onSoftReset,
}

/**
 * @param livedMs from unpause to the end
 * @param quickDeaths those in a row before this end
 */
export function decideEnd(
  config: DomainConfig,
  reason: ShutdownReason,
  livedMs: number,
  quickDeaths: number,
): EndDecision {
  if (reason === 'suspend') return { action: 'none', quickDeaths, note: undefined }
  const setting = SETTINGS[reason](config)
  const wanted = withoutCoredump(setting)
  const deaths = livedMs < QUICK_DEATH_MS ? quickDeaths + 1 : 0
  const restarts = wanted === 'restart' || wanted === 'rename-restart'
  if (restarts && deaths >= MAX_QUICK_DEATHS) {
    const note = `ended ${deaths} times in a row within ${QUICK_DEATH_MS / 1000} s of its start; not restarted`
    return { action: 'destroy', quickDeaths: deaths, note }
  }
  const note = wanted === setting ? undefined : 'core dumps are not written by this version of xcl'
  return { action: wanted, quickDeaths: deaths, note }
}

function withoutCoredump(setting: EndAction): Exclude<EndAction, `coredump-${string}`> {
  if (setting === 'coredump-destroy') return 'destroy'
  return setting === 'coredump-restart' ? 'restart' : setting
}

/** Name of a domain that `rename-restart` keeps: `demo-20260131T1205Z`. */
export function retiredName(name: string, nowMs: number): string {
  const stamp = new Date(nowMs).toISOString().replace(/[-:]/g, '').slice(0, 13)
  return `${name}-${stamp}Z`
}
