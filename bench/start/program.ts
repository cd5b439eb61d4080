/** What `npm start` does: reads its flags, follows a run to its end, and says how it ended. */
import { constants as osConstants } from 'node:os'
import { helpText, parseCommandLine, UsageError } from '../../native/os/command-line.ts'
import { endWithParent } from '../../native/os/end-with-parent.ts'
import { chart } from './chart.ts'
import { jsonText } from './json.ts'
import { logTail } from './log-tail.ts'
import { OPTIONS, type OptionName, optionsFrom, type StartOptions } from './options.ts'
import { checkOutput, writeOutput } from './output-file.ts'
import { failureText, type ProcessFailure } from './processes.ts'
import { Progress } from './progress.ts'
import { grouped, report } from './report.ts'
import type { Results } from './results.ts'
import { Run } from './run.ts'

const PROGRAM = 'npm start'
const PURPOSE = 'Starts a simulated Xen with our three programs on it, and creates guests.'
const EXIT_FAILED = 1
const EXIT_USAGE = 2
const EXIT_DEFECT = 70
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const
/** A process that ended may be the reason of an error that we see first. */
const BLAME_MS = 1000

/** Why a run does not go on. */
type End =
  | { readonly kind: 'measured'; readonly results: Results }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'process'; readonly failure: ProcessFailure }
  | { readonly kind: 'signal'; readonly name: string; readonly exitCode: number }

/**
 * @param argv without the program
 * @returns the exit code, once everything is down
 * @throws Error whose message is a sentence, for folders that cannot be made
 */
export async function start(argv: readonly string[]): Promise<number> {
  let options: StartOptions
  const progress = new Progress(process.stdout, () => performance.now())
  let run: Run
  try {
    const settings = parseCommandLine<OptionName>(OPTIONS, argv, process.env)
    if (settings.get('help')?.values.length !== 0) {
      process.stdout.write(helpText(`${PROGRAM} --`, PURPOSE, OPTIONS))
      return 0
    }
    options = optionsFrom(settings)
    checkFile('--json', options.jsonFile)
    checkFile('--svg', options.svgFile)
    const what = options.devices.length === 0 ? '' : ` with ${options.devices.join(' and ')}`
    progress.say(`xcl: ${grouped(options.guests)} guests${what} on a simulated Xen ${options.xen}`)
    run = new Run(options, progress)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`${PROGRAM}: ${error.message}; try ${PROGRAM} -- --help\n`)
    return EXIT_USAGE
  }
  process.on('exit', () => run.closeNow())
  // A killed npm cannot pass anything on, and nobody would be left to type Ctrl-C.
  if (process.env.npm_lifecycle_event !== undefined) endWithParent()
  process.on('uncaughtException', (error) => {
    process.stderr.write(`${PROGRAM}: a defect: ${error.stack}\n`)
    process.exit(EXIT_DEFECT)
  })
  return await follow(run, options, progress)
}

/** @returns the exit code, once everything is down */
async function follow(run: Run, options: StartOptions, progress: Progress): Promise<number> {
  const told = endFromOutside(run, options)
  const measured = run.measure().then(
    (results): End => ({ kind: 'measured', results }),
    (error: unknown): End => ({ kind: 'failed', error }),
  )
  let end = await Promise.race([told, measured])
  let exitCode = EXIT_FAILED
  if (end.kind === 'failed') {
    end = await Promise.race([told, after(BLAME_MS, end)])
  }
  if (end.kind === 'measured') {
    const { results } = end
    exitCode = results.errors.length === 0 ? 0 : EXIT_FAILED
    for (const line of ['', ...report(results)]) progress.say(line)
    for (const failure of writeFiles(options, results)) {
      process.stderr.write(`${PROGRAM}: ${failure}\n`)
      exitCode = EXIT_FAILED
    }
    if (!options.isExit) {
      for (const line of ['', ...hints(run)]) progress.say(line)
      end = await told
    }
  }
  switch (end.kind) {
    case 'measured':
      await run.close(true)
      progress.say('')
      progress.say(`all is down; logs are in ${run.logs.path}`)
      return exitCode
    case 'signal': {
      progress.say(`${end.name}: taking everything down`)
      await run.close(false)
      progress.say('nothing is left')
      return end.exitCode
    }
    case 'process':
      progress.say('')
      await run.close(true)
      for (const line of mourn(end.failure, run)) process.stderr.write(`${line}\n`)
      return EXIT_FAILED
    case 'failed': {
      progress.say('')
      await run.close(true)
      process.stderr.write(
        `${PROGRAM}: ${textOf(end.error)}; all is taken down; logs are in ${run.logs.path}\n`,
      )
      return EXIT_FAILED
    }
  }
}

/** What ends a run before its time, or afterwards when it stays up. */
function endFromOutside(run: Run, options: StartOptions): Promise<End> {
  return new Promise((resolve) => {
    let isEnding = false
    const end = (name: string, exitCode: number): void => {
      // Whoever asks twice does not want to wait.
      if (isEnding) process.exit(exitCode)
      isEnding = true
      resolve({ kind: 'signal', name, exitCode })
    }
    for (const name of SIGNALS) {
      process.on(name, () => end(name, 128 + osConstants.signals[name]))
    }
    for (const output of [process.stdout, process.stderr]) {
      output.on('error', () => {
        // Nobody reads what we say; who only wants the file of --json still gets it.
        if (!options.isExit && !isEnding) end('SIGPIPE', 128 + osConstants.signals.SIGPIPE)
      })
    }
    run.processes.failed.then((failure) => resolve({ kind: 'process', failure }))
  })
}

/** What to do with ten thousand guests. */
function hints({ xcl }: Run): string[] {
  return [
    'Everything stays up until Ctrl-C. In a second terminal:',
    `  ${xcl} list`,
    `  ${xcl} console g00001      then type help; Ctrl-] leaves`,
    `  ${xcl} destroy g00001`,
  ]
}

/** One message for the end of one process. */
function mourn(failure: ProcessFailure, run: Run): string[] {
  const tail = logTail(failure.logFile)
  return [
    `${PROGRAM}: ${failureText(failure)}; the others are taken down`,
    ...(tail.length === 0 ? [] : [`its log ends with`, ...tail.map((line) => `  ${line}`)]),
    `logs are in ${run.logs.path}`,
  ]
}

/** @throws UsageError when the file cannot be written */
function checkFile(option: string, file: string | undefined): void {
  if (file === undefined) return
  try {
    checkOutput(file)
  } catch (error) {
    throw new UsageError(`${option}: ${textOf(error)}`)
  }
}

/** @returns what went wrong, if anything */
function writeFiles({ jsonFile, svgFile }: StartOptions, results: Results): string[] {
  const failures: string[] = []
  const write = (file: string | undefined, content: () => string): void => {
    if (file === undefined) return
    try {
      writeOutput(file, content())
    } catch (error) {
      failures.push(textOf(error))
    }
  }
  write(jsonFile, () => jsonText(results))
  write(svgFile, () => chart(results))
  return failures
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function after<T>(ms: number, value: T): Promise<T> {
  return new Promise((resolve) => setTimeout(resolve, ms, value))
}
