import { resolve } from 'node:path'
import type { Settings } from '../native/os/command-line.ts'
import { type LogLevel, logLevelFrom } from '../native/os/log.ts'
import type { OptionName } from './option-table.ts'

/** What xcld is told to do; paths absolute, for it leaves its working directory. */
export interface Options {
  readonly hypervisor: 'xen' | 'sim'
  /** Socket of the simulated machine. */
  readonly simulator: string
  readonly socket: string
  /** Undefined: where XenStore usually is. */
  readonly storeSocket: string | undefined
  readonly consoledSocket: string
  readonly consoleLogDir: string
  readonly stateDir: string
  readonly pidFile: string
  /** Undefined: stderr. */
  readonly logFile: string | undefined
  readonly logLevel: LogLevel
  readonly isForeground: boolean
}

const BACKGROUND_LOG_FILE = '/var/log/xcl/xcld.log'

export function optionsFrom(settings: Settings<OptionName>): Options {
  const last = (name: OptionName): string | undefined => settings.get(name)?.values.at(-1)
  const isForeground = last('no-fork') !== undefined
  const socket = resolve(last('socket') ?? '')
  const storeSocket = last('store-socket')
  const logFile = last('log-file') ?? (isForeground ? undefined : BACKGROUND_LOG_FILE)
  return {
    hypervisor: last('hypervisor') === 'sim' ? 'sim' : 'xen',
    simulator: resolve(last('simulator') ?? ''),
    socket,
    storeSocket: storeSocket === undefined ? undefined : resolve(storeSocket),
    consoledSocket: resolve(last('consoled-socket') ?? ''),
    consoleLogDir: resolve(last('console-log-dir') ?? ''),
    stateDir: resolve(last('state-dir') ?? ''),
    pidFile: resolve(last('pid-file') ?? `${socket}.pid`),
    logFile: logFile === undefined ? undefined : resolve(logFile),
    logLevel: logLevelFrom(last('log-level')),
    isForeground,
  }
}
