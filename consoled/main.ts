/** consoled: argv in, exit code out. */
import { constants } from 'node:os'
import { basename } from 'node:path'
import { storeSocketPath } from '../lixs/client/socket-path.ts'
import { machineFailure } from '../native/machine-failure.ts'
import { openHypervisor } from '../native/open-hypervisor.ts'
import { configText, helpText, parseCommandLine, UsageError } from '../native/os/command-line.ts'
import {
  isInBackground,
  reportEnded,
  reportReady,
  startInBackground,
} from '../native/os/daemonize.ts'
import { openLog } from '../native/os/log.ts'
import { machineIdentity } from '../native/os/machine-identity.ts'
import { MetricsServer } from '../native/os/metrics/server.ts'
import { notify } from '../native/os/notify.ts'
import { PidFile } from '../native/os/pidfile.ts'
import { XenError } from '../native/xen-error.ts'
import { systemClock } from './clock.ts'
import { Daemon } from './daemon.ts'
import { OPTIONS, type OptionName } from './option-table.ts'
import { type Options, optionsFrom } from './options.ts'

const EXIT_FAILED = 1
const EXIT_USAGE = 2
/** As upstream's daemon ends when it may not. */
const EXIT_REFUSED = constants.errno.EPERM
const EXIT_DEFECT = 70
/** Everything that is served lay on it: there is nothing to clean up. */
const MACHINE_GONE = 'the simulated machine has gone; ending'

const PURPOSE =
  'Serves the consoles of Xen guests: to log files, to terminals, to everybody who attaches.'

const EXAMPLES = `Examples:
  consoled --log=all --timestamp=all       in the background, as Debian's scripts start it
  consoled --log guest --log-max-size 10M  a guest's log takes no more than so much, and those put aside
  consoled --log guest --log-to journal    journalctl XEN_NAME=demo shows what demo says
  consoled --tty always                    a terminal for every guest, as xenconsoled makes them
  consoled --no-fork --hypervisor sim --simulator /tmp/sim.sock --attach /tmp/consoled.sock
`

/** Scripts look for upstream's line. */
const VERSION = `Xen Console Daemon 3.0 (consoled ${process.env.XCL_VERSION ?? 'development'})\n`

/** Debian's init script stops the daemon by this name when it started it under this name. */
const STOCK_NAME = 'xenconsoled'

async function main(argv: readonly string[]): Promise<number> {
  const program = basename(process.argv[1] ?? '') === STOCK_NAME ? STOCK_NAME : 'consoled'
  process.title = program
  let options: Options
  try {
    const settings = parseCommandLine<OptionName>(OPTIONS, argv, process.env)
    const isSet = (name: OptionName) => settings.get(name)?.values.length !== 0
    if (isSet('help')) return print(`${helpText(program, PURPOSE, OPTIONS)}\n${EXAMPLES}`)
    if (isSet('version')) return print(VERSION)
    options = optionsFrom(settings)
    if (isSet('print-config')) {
      const effective = new Map<OptionName, string>([
        ['pid-file', options.pidFile ?? 'none'],
        ['log-file', options.logFile ?? 'stderr'],
        ['state', options.statePath],
      ])
      return print(configText(OPTIONS, settings, effective))
    }
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`${program}: ${error.message}; try --help\n`)
    return EXIT_USAGE
  }
  if (options.hypervisor === 'xen' && process.geteuid?.() !== 0) {
    process.stderr.write(`${program}: only root may serve consoles\n`)
    return EXIT_REFUSED
  }
  if (options.isForeground || isInBackground()) return await serve(program, options)
  const start = await startInBackground(argv)
  if (start.sentence !== '') process.stderr.write(`${program}: ${start.sentence}\n`)
  return start.code
}

/** @returns the exit code, once told to stop or when it could not start */
async function serve(program: string, options: Options): Promise<number> {
  try {
    const pidFile = options.pidFile === undefined ? undefined : PidFile.lock(options.pidFile)
    if (!options.isForeground) {
      process.umask(0o027)
      process.chdir('/')
    }
    const { log, reopen } = openLog({
      name: program,
      level: options.logLevel,
      file: options.logFile,
    })
    const hypervisor = openHypervisor(options.hypervisor, {
      simulator: options.simulator,
      onGone: () => {
        log.fatal(MACHINE_GONE)
        if (options.isForeground && options.logFile !== undefined) {
          process.stderr.write(`${program}: ${MACHINE_GONE}\n`)
        }
        process.exit(EXIT_FAILED)
      },
    })
    const metrics =
      options.metrics === undefined ? undefined : await MetricsServer.listen(options.metrics)
    const daemon = new Daemon({
      hypervisor,
      machine: machineIdentity(options.hypervisor === 'sim' ? options.simulator : undefined),
      storePath: storeSocketPath(),
      options,
      clock: systemClock,
      log,
    })
    // Who is told to stop while it begins stops as soon as it has begun.
    const stopped = stopSignal()
    await daemon.start()
    metrics?.serve(() => daemon.metrics())
    pidFile?.write(process.pid)
    process.on('SIGHUP', () => {
      reopen()
      daemon.reopenLogs()
    })
    process.on('uncaughtException', (error) => {
      log.fatal({ err: error }, 'a defect; ending')
      process.exit(EXIT_DEFECT)
    })
    notify('READY=1')
    reportReady()
    log.info({ signal: await stopped }, 'stopping')
    notify('STOPPING=1')
    metrics?.close()
    daemon.close()
    hypervisor.close()
    pidFile?.release()
    return 0
  } catch (error) {
    const { code, sentence } = explain(error, options)
    if (options.isForeground) process.stderr.write(`${program}: ${sentence}\n`)
    else await reportEnded(code, sentence)
    return code
  }
}

/** Why the daemon could not start. */
function explain(error: unknown, options: Options): { code: number; sentence: string } {
  const known = error instanceof XenError ? machineFailure(error, options) : undefined
  if (known?.isRefused) return { code: EXIT_REFUSED, sentence: known.sentence }
  const message = error instanceof Error ? error.message : String(error)
  return { code: EXIT_FAILED, sentence: known?.sentence ?? message }
}

function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, resolve)
  })
}

function print(text: string): number {
  process.stdout.write(text)
  return 0
}

main(process.argv.slice(2)).then((code) => process.exit(code))
