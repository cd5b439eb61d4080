/**
 * lixs, the program: command line in, exit code out.
 *
 * Exit codes: 0 done, or another instance runs already; 1 failed, or wrong usage (as upstream); 5 no
 * privileges; 70 a defect.
 */
import { readFileSync, rmSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { configText, helpText, parseCommandLine, UsageError } from '../native/os/command-line.ts'
import { withConfigFile } from '../native/os/config-file.ts'
import {
  isInBackground,
  reportEnded,
  reportReady,
  startInBackground,
} from '../native/os/daemonize.ts'
import { raiseOpenFilesLimit } from '../native/os/file-limit.ts'
import { type Logger, openLog, type ProcessLog } from '../native/os/log.ts'
import { MetricsServer } from '../native/os/metrics/server.ts'
import { notify } from '../native/os/notify.ts'
import { AlreadyRunning, PidFile } from '../native/os/pidfile.ts'
import { StateMemory } from '../native/os/state-memory.ts'
import { systemTimers } from './connection/timers.ts'
import { Daemon } from './daemon.ts'
import { readSavedState, type SavedState } from './live-update/saved-state.ts'
import { successionOf } from './live-update/succession.ts'
import { openMachine } from './machine.ts'
import { CONFIG_FILE, OPTIONS } from './option-table.ts'
import { BACKGROUND_LOG_FILE, effectiveValues, type Options, optionsFrom } from './options.ts'
import { namedQuotas, quotasWith } from './quota-settings.ts'
import { explain, StartFailure } from './start-failure.ts'
import { Trace } from './trace.ts'
import { TraceFile } from './trace-file.ts'

const NAME = 'lixs'
/** Upstream's name for it. */
const STATE_FILE = 'state_dump'
const PURPOSE = 'The XenStore daemon: serves guests through their rings and tools through a socket.'
const EXIT_FAILED = 1
const EXIT_DEFECT = 70
/** Everything that is served lay on it: there is nothing to clean up. */
const MACHINE_GONE = 'the simulated machine has gone; ending'

/** @returns the exit code, or undefined when a daemon now runs in this process */
async function main(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number | undefined> {
  process.title = NAME
  let options: Options
  try {
    const given = parseCommandLine(OPTIONS, argv, env)
    const isAsked = (name: 'help' | 'version' | 'print-config'): boolean =>
      (given.get(name)?.values.length ?? 0) > 0
    if (isAsked('help')) return say(helpText(NAME, PURPOSE, OPTIONS))
    if (isAsked('version')) return say(`${NAME} ${process.env.XCL_VERSION ?? 'development'}\n`)
    const config = given.get('config')
    const settings = withConfigFile(
      OPTIONS,
      given,
      config?.values.at(-1) ?? CONFIG_FILE,
      config?.source === 'default',
    )
    options = optionsFrom(settings, env)
    if (isAsked('print-config')) {
      const quotas = quotasWith(options.quotas, options.softMemory)
      const effective = effectiveValues(options, namedQuotas(quotas), quotas.memorySoft)
      return say(configText(OPTIONS, settings, effective))
    }
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    return complain(EXIT_FAILED, `${error.message}; see ${NAME} --help`)
  }
  // After a live update this process is in the background already, if it is to be.
  const mayServe = options.isForeground || options.isLiveUpdate || isInBackground(env)
  if (mayServe) return await serve(options)
  const started = await startInBackground(argv)
  if (started.sentence !== '') process.stderr.write(`${NAME}: ${started.sentence}\n`)
  if (options.isPidPrinted && started.pid !== undefined) say(`${started.pid}\n`)
  return started.code
}

/** Becomes the daemon. */
async function serve(options: Options): Promise<number | undefined> {
  try {
    await start(options)
    return undefined
  } catch (error) {
    const { code, message } = error instanceof AlreadyRunning ? already(error) : explain(error)
    if (options.isLiveUpdate) logEnd(options, message)
    if (isInBackground()) {
      await reportEnded(code, message)
      return code
    }
    return complain(code, message)
  }
}

/** Nobody waits for the program that takes over, and it may have no stderr: the log is what is left. */
function logEnd(options: Options, message: string): void {
  try {
    openProcessLog(options).log.fatal(message)
  } catch {
    // Then there is no log either.
  }
}

async function start(options: Options): Promise<void> {
  const startFolder = process.cwd()
  const stateFile = join(options.runDir, STATE_FILE)
  // First of all: a second instance must not touch what the first one serves.
  const saved = options.isLiveUpdate ? readSavedState(readFileSync(stateFile)) : undefined
  if (saved !== undefined) rmSync(stateFile)
  const pidFile = pidFileFor(options.pidFile, saved)
  if (saved === undefined) await refuseSecondDaemon(options.socketPath)
  const processLog = openProcessLog(options)
  const { log, levels } = processLog
  const traceFile = new TraceFile(options.traceFile)
  const trace = new Trace(traceFile, () => performance.timeOrigin + performance.now())
  for (const change of options.traceControl) trace.change(change)
  const files = raiseOpenFilesLimit()
  let metrics: MetricsServer | undefined
  try {
    if (options.traceFile !== undefined) trace.open()
    if (options.metrics !== undefined) metrics = await MetricsServer.listen(options.metrics)
  } catch (error) {
    // What is for the operator only must not cost the store that the daemon before has left.
    if (saved === undefined) throw error
    log.error({ err: error }, 'goes on without a trace, or without metrics')
  }
  const memory = StateMemory.anonymous()
  const machine = openMachine(
    options,
    memory,
    () => {
      log.fatal(MACHINE_GONE)
      if (options.isForeground && options.logFile !== undefined) complain(EXIT_FAILED, MACHINE_GONE)
      process.exit(EXIT_FAILED)
    },
    saved?.eventsFd,
  )
  const succession = successionOf(startFolder, stateFile, pidFile)
  const become: typeof succession.become = (...how) => {
    traceFile.flush()
    return succession.become(...how)
  }
  const daemon = new Daemon(
    {
      memory,
      rings: machine.rings,
      domains: machine.domains,
      quotas: quotasWith(options.quotas, options.softMemory),
      timers: systemTimers,
      log,
      levels,
      trace,
      saved,
      succession: { ...succession, become },
    },
    { ...options, isDom0Served: options.isDom0Served && machine.domains !== undefined },
  )
  metrics?.serve(() => daemon.metrics())
  // Whatever ends the process: the last lines of a trace tell why.
  process.on('exit', () => trace.close())
  process.on('SIGHUP', () => {
    processLog.reopen()
    traceFile.reopen()
  })
  endOnSignals(log, () => {
    notify('STOPPING=1')
    daemon.stop()
    metrics?.close()
    machine.close()
    pidFile?.release()
  })
  pidFile?.write(process.pid)
  if (options.isForeground) {
    if (options.isPidPrinted) say(`${process.pid}\n`)
  } else {
    process.chdir('/')
    reportReady()
  }
  notify(`READY=1\nMAINPID=${process.pid}`)
  const { hypervisor, socketPath } = options
  log.info({ socketPath, hypervisor, files, ...pauseOf(saved) }, 'serving')
}

/** The lock, unless the daemon before has left it to us. */
function pidFileFor(path: string | undefined, saved: SavedState | undefined): PidFile | undefined {
  if (path === undefined) return undefined
  const inherited = saved?.annex?.process.pidFileFd ?? -1
  if (inherited >= 0) return PidFile.inherit(path, inherited)
  try {
    return PidFile.lock(path)
  } catch (error) {
    const isOurs = error instanceof AlreadyRunning && error.pid === process.pid
    if (saved === undefined || !isOurs) throw error
    // A stock daemon has left its lock to the process; having looked at the file has given it up.
    return PidFile.lock(path)
  }
}

/** How long nobody was served. */
function pauseOf(saved: SavedState | undefined): { readonly pauseMs?: number } {
  const stoppedAtMs = saved?.annex?.process.stoppedAtMs
  if (stoppedAtMs === undefined) return {}
  return { pauseMs: Math.round(Number(process.hrtime.bigint()) / 1e6 - stoppedAtMs) }
}

function openProcessLog({ logLevel, logFile, isForeground }: Options): ProcessLog {
  const file = logFile ?? (isForeground ? undefined : BACKGROUND_LOG_FILE)
  return openLog({ name: NAME, level: logLevel, file })
}

/** Two daemons would take turns in replacing each other's socket: the first one keeps it. */
function refuseSecondDaemon(socketPath: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createConnection(socketPath)
    probe.once('error', () => resolve()) // nobody listens there, or not for us: `listen` will tell
    probe.once('connect', () => {
      probe.destroy()
      const text = `a XenStore daemon already answers at ${socketPath}; stop it first`
      reject(new StartFailure(EXIT_FAILED, text))
    })
  })
}

function endOnSignals(log: Logger, end: () => void): void {
  const endBy = (signal: string): void => {
    log.info({ signal }, 'ending')
    end()
    process.exit(0)
  }
  process.on('SIGTERM', endBy)
  process.on('SIGINT', endBy)
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'a defect; ending')
    process.exit(EXIT_DEFECT)
  })
}

function already(error: AlreadyRunning): { code: number; message: string } {
  return { code: 0, message: error.message }
}

function say(text: string): number {
  process.stdout.write(text)
  return 0
}

function complain(code: number, sentence: string): number {
  process.stderr.write(`${NAME}: ${sentence}\n`)
  return code
}

main(process.argv.slice(2), process.env).then((code) => {
  // Not just exitCode: a start that failed half-way may have left something in the event loop.
  if (code !== undefined) process.exit(code)
})
