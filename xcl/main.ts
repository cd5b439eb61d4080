/**
 * xcld, the daemon behind `xcl`: command line in, exit code out.
 *
 * Exit codes: 0 done, or another instance runs already; 1 failed; 2 wrong usage; 5 no privileges;
 * 70 a defect.
 */
import { join } from 'node:path'
import type { Hypervisor } from '../native/hypervisor.ts'
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
import { notify } from '../native/os/notify.ts'
import { AlreadyRunning, PidFile } from '../native/os/pidfile.ts'
import { XenError } from '../native/xen-error.ts'
import { commandLineHelp } from './cli.ts'
import { Xcld } from './daemon/xcld.ts'
import { OPTIONS, type OptionName } from './option-table.ts'
import { type Options, optionsFrom } from './options.ts'
import { EXIT, errorText, explain, MachineMissing, Refused } from './output/errors.ts'

const NAME = 'xcld'
const PURPOSE = 'The toolstack daemon behind xcl, which starts it when it is needed.'
const EXIT_DEFECT = 70
/** By `xcl`, when no daemon can be reached, before words that ask for help or the version. */
const COMMAND_LINE_HELP = '--command-line-help'
/** The domains went with it: there is nothing to undo. */
const MACHINE_GONE = 'the simulated machine has gone; ending'

async function main(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  process.title = NAME
  if (argv[0] === COMMAND_LINE_HELP) return sayHelpOfXcl(argv.slice(1))
  let options: Options
  try {
    const settings = parseCommandLine<OptionName>(OPTIONS, argv, env)
    const isSet = (name: OptionName): boolean => settings.get(name)?.values.length !== 0
    if (isSet('help')) return say(helpText(NAME, PURPOSE, OPTIONS))
    if (isSet('version')) return say(`${NAME} ${process.env.XCL_VERSION ?? 'development'}\n`)
    options = optionsFrom(settings)
    if (isSet('print-config')) {
      const effective = new Map<OptionName, string>([
        ['pid-file', options.pidFile],
        ['log-file', options.logFile ?? 'stderr'],
      ])
      return say(configText(OPTIONS, settings, effective))
    }
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    return complain(EXIT.usage, `${error.message}; see ${NAME} --help`)
  }
  if (options.isForeground || isInBackground(env)) return await serve(options)
  const started = await startInBackground(argv)
  return started.sentence === '' ? started.code : complain(started.code, started.sentence)
}

/** @returns the exit code, once told to stop or when it could not start */
async function serve(options: Options): Promise<number> {
  const { isForeground, logFile, logLevel } = options
  try {
    // First of all: a second instance must not touch what the first one serves.
    const pidFile = PidFile.lock(options.pidFile)
    const stateLock = lockState(options.stateDir)
    const { log, reopen } = openLog({ name: NAME, level: logLevel, file: logFile })
    const hypervisor = openMachine(options, () => {
      log.fatal(MACHINE_GONE)
      process.exit(
        isForeground && logFile !== undefined ? complain(EXIT.failed, MACHINE_GONE) : EXIT.failed,
      )
    })
    const xcld = new Xcld(
      {
        hypervisor,
        log,
        clock: () => performance.now(),
        wallClock: () => Date.now(),
        after: (ms, call) => {
          const timer = setTimeout(call, ms)
          return () => clearTimeout(timer)
        },
      },
      options,
    )
    const stopped = stopSignal()
    process.on('SIGHUP', reopen)
    process.on('uncaughtException', (error) => {
      log.fatal({ err: error }, 'a defect; ending')
      process.exit(EXIT_DEFECT)
    })
    await xcld.start()
    pidFile.write(process.pid)
    if (!isForeground) {
      process.chdir('/')
      await reportReady()
    }
    notify(`READY=1\nMAINPID=${process.pid}`)
    log.info({ pid: process.pid, socket: options.socket }, 'serving')
    log.info({ signal: await stopped }, 'ending')
    notify('STOPPING=1')
    await xcld.stop()
    hypervisor.close()
    stateLock.release()
    pidFile.release()
    return 0
  } catch (error) {
    const isRunning = error instanceof AlreadyRunning
    const { exitCode, sentence, hint } = explain(error)
    const code = isRunning ? 0 : exitCode
    const text = hint === undefined ? sentence : `${sentence}; ${hint}`
    if (isForeground) return complain(code, text)
    // Who started us only wanted one to run.
    await reportEnded(code, isRunning ? '' : text)
    return code
  }
}

/** @throws MachineMissing when there is no such machine, or it may not be used */
function openMachine(options: Options, onGone: () => void): Hypervisor {
  try {
    return openHypervisor(options.hypervisor, { simulator: options.simulator, onGone })
  } catch (error) {
    const known = error instanceof XenError ? machineFailure(error, options) : undefined
    if (known === undefined) throw error
    throw new MachineMissing(known.sentence, known.isRefused)
  }
}

/** Two daemons with the same domains would undo each other's creations. */
function lockState(stateDir: string): PidFile {
  try {
    const lock = PidFile.lock(join(stateDir, 'lock'))
    lock.write(process.pid)
    return lock
  } catch (error) {
    if (!(error instanceof AlreadyRunning)) throw error
    throw new Refused(
      `another xcld${error.pid === undefined ? '' : ` (pid ${error.pid})`} follows the domains in ${stateDir}`,
      'stop it, or give this one a --state-dir of its own',
    )
  }
}

function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, resolve)
  })
}

/** No daemon, no Xen, no privileges: `xcl --help` works on any machine. */
function sayHelpOfXcl(argv: readonly string[]): number {
  try {
    return say(commandLineHelp(argv))
  } catch (error) {
    const explained = explain(error)
    process.stderr.write(errorText(explained))
    return explained.exitCode
  }
}

function say(text: string): number {
  process.stdout.write(text)
  return EXIT.done
}

function complain(code: number, sentence: string): number {
  process.stderr.write(`${NAME}: ${sentence}\n`)
  return code
}

main(process.argv.slice(2), process.env).then((code) => process.exit(code))
