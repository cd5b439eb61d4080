import { resolve } from 'node:path'
import { LOG_LEVELS, type Logger, type LogLevels } from '../../native/os/log.ts'
import { TRACE_NAMES, type Trace } from '../trace.ts'
import {
  type ControlAnswer,
  type ControlCommand,
  INVALID,
  LIB_DIR,
  linesAnswer,
  OK_ANSWER,
} from './command.ts'

/** In words: for EINVAL xenstore-control says that there is no such command. */
const NO_FILE: ControlAnswer = { kind: 'text', text: 'no trace file was named; see logfile' }

interface LogTargets {
  readonly log: Logger
  readonly levels: LogLevels
  readonly trace: Trace
}

/** What is traced and logged, and where. */
export function logCommands(targets: LogTargets): readonly ControlCommand[] {
  return [
    {
      name: 'log',
      parameters: '[on|off|<+|-><switch>|level [<level> [<subsystem>]]]',
      run: (words) => log(targets, words),
    },
    { name: 'logfile', parameters: '<file>', run: (words) => logfile(targets, words) },
    { name: 'print', parameters: '<string>', run: (words) => print(targets, words) },
  ]
}

function log(targets: LogTargets, words: readonly string[]): ControlAnswer {
  const [word, ...rest] = words
  if (word === 'level') return level(targets, rest)
  if (rest.length > 0) return INVALID
  const { trace } = targets
  if (word === undefined) {
    return linesAnswer(
      TRACE_NAMES.map((name) => `${name.padEnd(4)}: ${trace.isSet(name) ? 'on' : 'off'}`),
    )
  }
  if (word === 'on') return trace.file === undefined ? NO_FILE : opened(targets, undefined)
  if (word === 'off') {
    trace.close()
    return OK_ANSWER
  }
  return trace.change(word) ? OK_ANSWER : INVALID
}

/** Without a word: the levels; with one, all are set to it; with two, that of one subsystem. */
function level({ levels }: LogTargets, words: readonly string[]): ControlAnswer {
  if (words.length === 0) {
    return linesAnswer([...levels.current()].map(([name, value]) => `${name}: ${value}`))
  }
  const wanted = LOG_LEVELS.find((known) => known === words[0])
  if (wanted === undefined || words.length > 2 || !levels.set(wanted, words[1])) return INVALID
  return OK_ANSWER
}

function logfile(targets: LogTargets, words: readonly string[]): ControlAnswer {
  const [file] = words
  if (words.length !== 1 || file === undefined || file === '') return INVALID
  return opened(targets, resolve(LIB_DIR, file))
}

/** @param file undefined: where the trace went before, or was told to go at the start */
function opened({ log, trace }: LogTargets, file: string | undefined): ControlAnswer {
  try {
    trace.open(file)
    return OK_ANSWER
  } catch (error) {
    log.warn({ err: error, file: file ?? trace.file }, 'cannot trace there')
    return { kind: 'error', errno: 'EIO' }
  }
}

function print({ log }: LogTargets, words: readonly string[]): ControlAnswer {
  const [text] = words
  if (words.length !== 1) return INVALID
  log.info({ text }, 'xenstore-control print')
  return OK_ANSWER
}
