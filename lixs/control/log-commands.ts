import type { Logger, ProcessLog } from '../../native/os/log.ts'
import { type ControlAnswer, type ControlCommand, INVALID, OK_ANSWER } from './command.ts'

interface LogTargets {
  readonly log: Logger
  readonly processLog: Pick<ProcessLog, 'switchTo'>
}

/** What is logged, and where. */
export function logCommands(targets: LogTargets): readonly ControlCommand[] {
  const configured = targets.log.level
  return [
    { name: 'log', parameters: 'on|off', run: (words) => log(targets, configured, words) },
    { name: 'logfile', parameters: '<file>', run: (words) => logfile(targets, words) },
    { name: 'print', parameters: '<string>', run: (words) => print(targets, words) },
  ]
}

/** `on` logs everything down to single requests' errors; `off` goes back to what was configured. */
function log({ log }: LogTargets, configured: string, words: readonly string[]): ControlAnswer {
  const [wanted] = words
  if (words.length !== 1 || (wanted !== 'on' && wanted !== 'off')) return INVALID
  log.level = wanted === 'on' ? 'debug' : configured
  return OK_ANSWER
}

function logfile({ log, processLog }: LogTargets, words: readonly string[]): ControlAnswer {
  const [file] = words
  if (words.length !== 1 || file === undefined || !file.startsWith('/')) return INVALID
  try {
    processLog.switchTo(file)
    return OK_ANSWER
  } catch (error) {
    log.warn({ err: error, file }, 'cannot log there')
    return { kind: 'error', errno: 'EIO' }
  }
}

function print({ log }: LogTargets, words: readonly string[]): ControlAnswer {
  const [text] = words
  if (words.length !== 1) return INVALID
  log.info({ text }, 'xenstore-control print')
  return OK_ANSWER
}
