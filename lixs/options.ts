import { dirname, resolve } from 'node:path'
import { SIMULATOR_SOCKET } from '../native/open-hypervisor.ts'
import {
  type EffectiveValue,
  type Settings as SettingsOf,
  UsageError,
} from '../native/os/command-line.ts'
import { type LogLevel, logLevelFrom } from '../native/os/log.ts'
import { type MetricsAddress, metricsAddressFrom } from '../native/os/metrics/address.ts'
import { storeSocketPath } from './client/socket-path.ts'
import { DEFAULT_TRACE, type OptionName } from './option-table.ts'
import { HARD_QUOTAS, quotaNamed } from './quota-names.ts'

type Settings = SettingsOf<OptionName>

/** Limits that are given by name, on the command line or by CONTROL; 0 = none. */
export type QuotaSettings = ReadonlyMap<string, number>

/** What lixs is told to do. */
export interface Options {
  readonly hypervisor: 'xen' | 'sim' | 'none'
  /** Socket of the simulated machine. */
  readonly simulator: string
  readonly socketPath: string
  /** Made when it is missing: the folder of the socket. */
  readonly runDir: string
  readonly pidFile: string | undefined
  readonly isForeground: boolean
  readonly logLevel: LogLevel
  /** Undefined: stderr in the foreground, BACKGROUND_LOG_FILE in the background. */
  readonly logFile: string | undefined
  /** Undefined: nothing is traced until CONTROL says so. */
  readonly traceFile: string | undefined
  /** `+io`, `-obj`: in this order. */
  readonly traceControl: readonly string[]
  /** Undefined: nobody is told. */
  readonly metrics: MetricsAddress | undefined
  readonly quotas: QuotaSettings
  /** Memory of a domain that is only warned of, in bytes; undefined: the default. */
  readonly softMemory: number | undefined
  /** How long an event waits for an unprivileged domain; 0 = for ever. */
  readonly eventTimeoutMs: number
  readonly keepOrphans: boolean
  readonly privilegedDomid: number | undefined
  /** Serve dom0's own ring? */
  readonly isDom0Served: boolean
  readonly isPidPrinted: boolean
  /** Another daemon in this process has left its state: go on with that. */
  readonly isLiveUpdate: boolean
}

/** Where a daemon in the background logs to unless told. */
export const BACKGROUND_LOG_FILE = '/var/log/xen/lixs.log'

/** What upstream's start script asks for when XENSTORED_TRACE has any value. */
const ENVIRONMENT_TRACE_FILE = '/var/log/xen/xenstored-trace.log'

/** Options that set one quota each, and the quota's name. */
const QUOTA_OPTIONS: readonly (readonly [OptionName, string])[] = [
  ['entry-nb', 'nodes'],
  ['entry-size', 'node-size'],
  ['watch-nb', 'watches'],
  ['transaction', 'transactions'],
  ['perm-nb', 'node-permissions'],
  ['path-max', 'path-max'],
]

/**
 * The settings as the daemon wants them; paths absolute, for it leaves its working directory.
 *
 * @throws UsageError for what upstream knows and this program does not do
 */
export function optionsFrom(settings: Settings, env: NodeJS.ProcessEnv): Options {
  const values = (name: OptionName): readonly string[] => settings.get(name)?.values ?? []
  const last = (name: OptionName): string | undefined => values(name).at(-1)
  const isSet = (name: OptionName): boolean => values(name).length > 0
  const absolute = (path: string | undefined): string | undefined =>
    path === undefined ? undefined : resolve(path)

  if (Number(last('master-domid')) !== 0) {
    throw new UsageError('--master-domid: lixs runs in dom0 only (domain 0)')
  }
  const socketPath = resolve(last('socket-path') ?? storeSocketPath(env))
  const privilegedDomid = last('priv-domid')
  const softMemory = last('quota-soft')
  const metrics = last('metrics')
  return {
    hypervisor: hypervisorFrom(last('hypervisor')),
    simulator: resolve(last('simulator') ?? SIMULATOR_SOCKET),
    socketPath,
    runDir: dirname(socketPath),
    pidFile: absolute(last('pid-file')),
    isForeground: isSet('no-fork'),
    logLevel: logLevelFrom(last('log-level')),
    logFile: absolute(last('log-file')),
    traceFile: absolute(
      last('trace-file') ?? (env.XENSTORED_TRACE ? ENVIRONMENT_TRACE_FILE : undefined),
    ),
    traceControl: values('trace-control'),
    metrics: metrics === undefined ? undefined : metricsAddressFrom(metrics),
    quotas: quotasFrom(settings),
    softMemory: softMemory === undefined ? undefined : settingFrom(softMemory)[1],
    eventTimeoutMs: settingFrom(last('timeout') ?? 'watch-event=20')[1] * 1000,
    keepOrphans: isSet('keep-orphans'),
    privilegedDomid: privilegedDomid === undefined ? undefined : Number(privilegedDomid),
    isDom0Served: !isSet('no-domain-init'),
    isPidPrinted: isSet('output-pid'),
    isLiveUpdate: isSet('live-update'),
  }
}

/** What is in force for options that were not given and have no fixed default. */
export function effectiveValues(
  { socketPath, isForeground, logFile, traceFile, quotas: given }: Options,
  quotas: ReadonlyMap<string, number>,
  softMemory: number,
): ReadonlyMap<OptionName, string | EffectiveValue> {
  const values = new Map<OptionName, string | EffectiveValue>([
    ['socket-path', socketPath],
    ['log-file', logFile ?? (isForeground ? 'stderr' : BACKGROUND_LOG_FILE)],
    ['trace-file', traceFile ?? ''],
    ['trace-control', DEFAULT_TRACE],
    ['quota', [...quotas].map(([name, value]) => `${name}=${value}`).join(' ')],
    ['quota-soft', `memory=${softMemory}`],
  ])
  for (const [option, quota] of QUOTA_OPTIONS) {
    const value = String(quotas.get(quota))
    values.set(option, given.has(quota) ? { value, from: 'quota' } : value)
  }
  return values
}

function quotasFrom(settings: Settings): QuotaSettings {
  const quotas = new Map<string, number>()
  for (const [option, quota] of QUOTA_OPTIONS) {
    const value = settings.get(option)?.values.at(-1)
    if (value !== undefined) quotas.set(quota, Number(value))
  }
  for (const text of settings.get('quota')?.values ?? []) {
    const [name, value] = settingFrom(text)
    quotas.set(quotaNamed(HARD_QUOTAS, name)?.name ?? name, value)
  }
  return quotas
}

/** `name=number`, already checked against the table. */
function settingFrom(text: string): [string, number] {
  const equals = text.indexOf('=')
  return [text.slice(0, equals), Number(text.slice(equals + 1))]
}

function hypervisorFrom(text: string | undefined): Options['hypervisor'] {
  return text === 'sim' || text === 'none' ? text : 'xen'
}
