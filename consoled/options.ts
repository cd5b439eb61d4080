import { dirname, join, resolve } from 'node:path'
import { SIMULATOR_SOCKET } from '../native/open-hypervisor.ts'
import { type Settings, UsageError } from '../native/os/command-line.ts'
import { type LogLevel, logLevelFrom } from '../native/os/log.ts'
import { type MetricsAddress, metricsAddressFrom } from '../native/os/metrics/address.ts'
import { STATE_FILE } from './log/state-file.ts'
import type { OptionName } from './option-table.ts'

/** What consoled is told to do. */
export interface Options {
  readonly hypervisor: 'xen' | 'sim'
  /** Socket of the simulated machine. */
  readonly simulator: string
  readonly isForeground: boolean
  readonly pidFile: string | undefined
  /** Undefined: stderr. */
  readonly logFile: string | undefined
  readonly logLevel: LogLevel
  readonly logDir: string
  readonly logsGuests: boolean
  readonly logsHypervisor: boolean
  readonly logsToFiles: boolean
  readonly logsToJournal: boolean
  /** Where journald receives. */
  readonly journalPath: string
  readonly stampsGuests: boolean
  readonly stampsHypervisor: boolean
  readonly replacesEscape: boolean
  readonly overflow: 'discard' | 'keep'
  readonly attachPath: string
  readonly tty: 'asked' | 'always'
  readonly metrics: MetricsAddress | undefined
  /** Infinity: only the limit of descriptors counts. */
  readonly maxOpenLogs: number
  /** A log as long as this is put aside; Infinity: none is. */
  readonly maxLogBytes: number
  /** So many of each are kept. */
  readonly keptLogs: number
  /** What the next start finds of the logs. */
  readonly statePath: string
}

const BACKGROUND_PID_FILE = '/run/xen/xenconsoled.pid'
const BACKGROUND_LOG_FILE = '/var/log/xen/consoled.log'

/**
 * The settings as the daemon wants them; paths absolute, for it leaves its working directory.
 *
 * @throws UsageError for what consoled cannot do
 */
export function optionsFrom(settings: Settings<OptionName>): Options {
  const last = (name: OptionName): string | undefined => settings.get(name)?.values.at(-1)
  const isSet = (name: OptionName): boolean => last(name) !== undefined
  const includes = (name: OptionName, whose: 'guest' | 'hv'): boolean =>
    isIncluded(settings.get(name)?.values ?? [], whose)
  const metrics = last('metrics')
  const logTo = last('log-to')

  const hypervisor = last('hypervisor')
  if (hypervisor === 'none') {
    throw new UsageError('--hypervisor none: without a hypervisor there are no consoles to serve')
  }
  const isSimulated = hypervisor === 'sim'
  const attachPath = resolve(last('attach') ?? '')
  const isForeground = isSet('interactive') || isSet('no-fork')
  const pidFile = last('pid-file') ?? (isForeground ? undefined : BACKGROUND_PID_FILE)
  const logFile = last('log-file') ?? (isForeground ? undefined : BACKGROUND_LOG_FILE)
  return {
    hypervisor: isSimulated ? 'sim' : 'xen',
    simulator: resolve(last('simulator') ?? SIMULATOR_SOCKET),
    isForeground,
    pidFile: pidFile === undefined ? undefined : resolve(pidFile),
    logFile: logFile === undefined ? undefined : resolve(logFile),
    logLevel: isSet('verbose') ? 'debug' : logLevelFrom(last('log-level')),
    logDir: resolve(last('log-dir') ?? ''),
    logsGuests: includes('log', 'guest'),
    logsHypervisor: includes('log', 'hv'),
    logsToFiles: logTo !== 'journal',
    logsToJournal: logTo === 'journal' || logTo === 'both',
    journalPath: resolve(last('journal') ?? ''),
    stampsGuests: includes('timestamp', 'guest'),
    stampsHypervisor: includes('timestamp', 'hv'),
    replacesEscape: isSet('replace-escape'),
    overflow: last('overflow-data') === 'keep' ? 'keep' : 'discard',
    attachPath,
    tty: last('tty') === 'always' ? 'always' : 'asked',
    metrics: metrics === undefined ? undefined : metricsAddressFrom(metrics),
    maxOpenLogs: Number(last('open-logs')) || Number.POSITIVE_INFINITY,
    maxLogBytes: bytesFrom(last('log-max-size') ?? '0') || Number.POSITIVE_INFINITY,
    keptLogs: Number(last('log-keep')),
    statePath: resolve(
      last('state') ?? (isSimulated ? join(dirname(attachPath), 'consoled.state') : STATE_FILE),
    ),
  }
}

/** Given several times, such an option adds up, as upstream's does; `none` begins anew. */
function isIncluded(values: readonly string[], whose: 'guest' | 'hv'): boolean {
  return values
    .slice(values.lastIndexOf('none') + 1)
    .some((value) => value === whose || value === 'all')
}

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, M: 2 ** 20, G: 2 ** 30 }

/** @throws UsageError */
function bytesFrom(text: string): number {
  const [, number, unit = ''] = /^([0-9]{1,12})([kMG]?)$/.exec(text) ?? []
  const bytes = Number(number) * (UNITS[unit] ?? Number.NaN)
  if (Number.isSafeInteger(bytes)) return bytes
  throw new UsageError(`--log-max-size: "${text}" is no number of bytes such as 500000, 64k or 10M`)
}
