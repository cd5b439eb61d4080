/**
 * What can go wrong, and the one place where it becomes a sentence and an exit code.
 */
import {
  XenstoreConnectionLost,
  XenstoreError,
  XenstoreUnreachable,
} from '../../lixs/client/errors.ts'
import { XenError } from '../../native/xen-error.ts'
import { harmless } from './harmless.ts'

/** What an exit status of `xcl` says. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  config: 3,
  domain: 4,
  refused: 5,
  noRoom: 6,
  timeout: 7,
  batch: 8,
  interrupted: 130,
} as const

/** The command was typed wrongly. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  readonly hint: string | undefined

  constructor(message: string, hint?: string) {
    super(message)
    this.hint = hint
  }
}

/** A place in a configuration, with the line itself. */
export interface ConfigPlace {
  readonly file: string
  /** Both from 1. */
  readonly line: number
  readonly column: number
  readonly text: string
}

/** A configuration that is wrong, or asks for what this version cannot do. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly place: ConfigPlace | undefined
  readonly hint: string | undefined

  constructor(message: string, place: ConfigPlace | undefined, hint?: string) {
    super(message)
    this.place = place
    this.hint = hint
  }
}

/** No domain is called that. */
export class NoSuchDomain extends Error {
  override readonly name = 'NoSuchDomain'
  readonly domain: string
  readonly hint: string

  constructor(domain: string, hint = 'xcl list shows the domains there are') {
    // One line, whatever it is called.
    super(`no domain ${domain.replaceAll('\n', '^J')}`)
    this.domain = domain
    this.hint = hint
  }
}

/** Another domain has the name or the uuid, or is being created with it. */
export class NameTaken extends Error {
  override readonly name = 'NameTaken'
}

/** Something did not happen in time. */
export class TimedOut extends Error {
  override readonly name = 'TimedOut'
  readonly hint: string | undefined

  constructor(message: string, hint?: string) {
    super(message)
    this.hint = hint
  }
}

/** The kernel of dom0 does not serve a device. */
export class DeviceFailed extends Error {
  override readonly name = 'DeviceFailed'
  readonly hint: string | undefined

  constructor(message: string, hint?: string) {
    super(message)
    this.hint = hint
  }
}

/** The person, or another command, stopped this one; what it had begun is undone. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
}

/** It can be done, but not by this program or not now; the message says by whom. */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly hint: string | undefined

  constructor(message: string, hint?: string) {
    super(message)
    this.hint = hint
  }
}

/** The host has not got what a domain needs. */
export class NoRoom extends Error {
  override readonly name = 'NoRoom'
}

/** What xcld has to keep of a domain cannot be written. */
export class JournalFailed extends Error {
  override readonly name = 'JournalFailed'
  /** `ENOSPC` … */
  readonly code: string

  constructor(file: string, cause: unknown) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
    super(`the journal ${file} cannot be written: ${code}`, { cause })
    this.code = code
  }
}

/** The machine that xcld was to run on is not there, or not for us. */
export class MachineMissing extends Error {
  override readonly name = 'MachineMissing'
  readonly isRefused: boolean

  constructor(message: string, isRefused: boolean) {
    super(message)
    this.isRefused = isRefused
  }
}

/** What happened to one of several. */
export interface BatchFailure {
  /** As the person, or the configuration, called it. */
  readonly domain: string
  readonly error: unknown
}

/** Several domains were asked for and not all went well; each failure was told when it happened. */
export class BatchFailed extends Error {
  override readonly name = 'BatchFailed'
  readonly failures: readonly BatchFailure[]
  /** How many were asked for. */
  readonly total: number
  /** Some were not begun, for the person did not want to go on. */
  readonly isInterrupted: boolean

  constructor(failures: readonly BatchFailure[], total: number, isInterrupted: boolean) {
    const tail = isInterrupted ? '; interrupted' : ''
    super(`${failures.length} of ${total} failed${tail}`)
    this.failures = failures
    this.total = total
    this.isInterrupted = isInterrupted
  }
}

/** An error as a person and a script get it. */
export interface Explanation {
  readonly exitCode: number
  /** For scripts: a word that stays. */
  readonly code: string
  readonly sentence: string
  readonly hint: string | undefined
  /** Of a batch: what happened to each that failed. */
  readonly failures?: readonly {
    readonly domain: string
    readonly code: string
    readonly message: string
  }[]
}

/** Sentence, hint and exit code of anything that was thrown. */
export function explain(error: unknown): Explanation {
  if (error instanceof UsageError) return explanation('usage', EXIT.usage, error)
  if (error instanceof ConfigError) return explainConfig(error)
  if (error instanceof NoSuchDomain) return explanation('no-such-domain', EXIT.domain, error)
  if (error instanceof NameTaken) return explanation('name-taken', EXIT.domain, error)
  if (error instanceof TimedOut) return explanation('timeout', EXIT.timeout, error)
  if (error instanceof DeviceFailed) return explanation('device', EXIT.failed, error)
  if (error instanceof Interrupted) return explanation('interrupted', EXIT.interrupted, error)
  if (error instanceof Refused) return explanation('refused', EXIT.failed, error)
  if (error instanceof JournalFailed) {
    const isFull = error.code === 'ENOSPC' || error.code === 'EDQUOT'
    return explanation('journal', isFull ? EXIT.noRoom : EXIT.failed, error)
  }
  if (error instanceof MachineMissing) {
    return explanation('no-machine', error.isRefused ? EXIT.refused : EXIT.failed, error)
  }
  if (error instanceof NoRoom) return explanation('no-room', EXIT.noRoom, error)
  if (error instanceof BatchFailed) return explainBatch(error)
  if (error instanceof XenError) return explainXen(error)
  if (error instanceof XenstoreUnreachable) return explainUnreachable(error)
  if (error instanceof XenstoreConnectionLost) {
    const hint = 'is lixs (or xenstored) still running?'
    return { exitCode: EXIT.failed, code: 'store-lost', sentence: error.message, hint }
  }
  if (error instanceof XenstoreError) return explainStore(error)
  const sentence = error instanceof Error ? error.message : String(error)
  return { exitCode: EXIT.failed, code: 'failed', sentence, hint: undefined }
}

/**
 * The lines that go to stderr: the sentence after the program's name, the hint below it. What was typed,
 * and names that guests or others gave, stand in them: nothing in it is obeyed by a terminal.
 */
export function errorText(explained: Explanation): string {
  const hint = explained.hint === undefined ? '' : `  hint: ${explained.hint}\n`
  return harmless(`xcl: ${explained.sentence}\n${hint}`)
}

function explanation(
  code: string,
  exitCode: number,
  error: Error & { readonly hint?: string | undefined },
): Explanation {
  return { exitCode, code, sentence: error.message, hint: error.hint }
}

/** When all failed alike, the exit code is that failure's; when some went well, the batch's. */
function explainBatch(error: BatchFailed): Explanation {
  const explained = error.failures.map((failure) => explain(failure.error))
  const codes = new Set(explained.map(({ exitCode }) => exitCode))
  const [first] = codes
  const isTotal = error.failures.length === error.total
  const alike = codes.size === 1 && first !== undefined ? first : EXIT.failed
  const exitCode = error.isInterrupted ? EXIT.interrupted : isTotal ? alike : EXIT.batch
  return {
    exitCode,
    code: error.isInterrupted ? 'interrupted' : 'batch',
    sentence: error.message,
    hint: undefined,
    failures: explained.map(({ code, sentence: message }, i) => ({
      domain: error.failures[i]?.domain ?? '',
      code,
      message,
    })),
  }
}

function explainConfig(error: ConfigError): Explanation {
  const { place } = error
  const sentence =
    place === undefined
      ? error.message
      : `${place.file}:${place.line}:${place.column}: ${error.message}\n  ${place.text}\n  ${caret(place)}`
  return { exitCode: EXIT.config, code: 'config', sentence, hint: error.hint }
}

/** Spaces up to the column, tabs kept as they are so that the caret stands below its character. */
function caret(place: ConfigPlace): string {
  return `${place.text.slice(0, place.column - 1).replace(/[^\t]/g, ' ')}^`
}

function explainUnreachable(error: XenstoreUnreachable): Explanation {
  const isRefused = error.code === 'EACCES' || error.code === 'EPERM'
  return {
    exitCode: isRefused ? EXIT.refused : EXIT.failed,
    code: 'store-unreachable',
    sentence: `the XenStore daemon does not answer at ${error.socketPath} (${error.code})`,
    hint: isRefused ? 'only root may connect to it' : 'is lixs (or xenstored) running?',
  }
}

function explainStore(error: XenstoreError): Explanation {
  const isFull = error.errno === 'ENOSPC' || error.errno === 'ENOMEM'
  const isRefused = error.errno === 'EACCES' || error.errno === 'EPERM'
  return {
    exitCode: isFull ? EXIT.noRoom : isRefused ? EXIT.refused : EXIT.failed,
    code: `store-${error.errno}`,
    sentence: error.message,
    hint: undefined,
  }
}

/** Exit codes of Xen's errnos; those not listed are failures of no particular kind. */
const XEN_EXITS: Readonly<Record<string, number>> = {
  EPERM: EXIT.refused,
  EACCES: EXIT.refused,
  ENOMEM: EXIT.noRoom,
  ENOSPC: EXIT.noRoom,
  EMFILE: EXIT.noRoom,
  ENFILE: EXIT.noRoom,
  EXFULL: EXIT.noRoom,
  ESRCH: EXIT.domain,
}

const XEN_HINTS: Readonly<Record<string, string>> = {
  EPERM: 'xcl must be run as root in dom0',
  EACCES: 'xcl must be run as root in dom0',
  ENOMEM: 'Xen has no memory left for this; destroy a guest or give this one less memory',
  ENOSPC: 'Xen has no room left for this (domains, event channels or grants)',
  EXFULL: 'a bridge takes 1,023 interfaces: spread the guests over several',
}

function explainXen(error: XenError): Explanation {
  return {
    exitCode: XEN_EXITS[error.code] ?? EXIT.failed,
    code: `xen-${error.code}`,
    sentence: error.message,
    hint: XEN_HINTS[error.code],
  }
}
