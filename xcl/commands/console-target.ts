/** Where a domain's console is: at consoled's socket if that answers, else at a terminal device. */
import { createConnection } from 'node:net'
import { attachRequest } from '../../consoled/attach/client.ts'
import type { Domid } from '../../native/hypervisor.ts'
import type { ConsoleTarget } from '../daemon/protocol.ts'
import type { Attachment } from '../daemon/session.ts'
import { frontendPath } from '../device/console.ts'
import { Interrupted, Refused, UsageError } from '../output/errors.ts'
import type { Toolstack } from '../toolstack.ts'
import type { Terminal } from './command.ts'

/** How long a console daemon may take to know a domain, or to make a terminal; xenconsole's value. */
const TIMEOUT_MS = 5000
/** Between two questions whether consoled knows a new domain, of which it hears a moment after us. */
const ATTACH_PAUSE_MS = 100
/** What consoled says of a domain it does not know (consoled/attach/server.ts). */
const UNKNOWN_DOMAIN = /^there is no domain /

/** What it says when somebody else types (consoled/attach/audience.ts). */
const WRITTEN = 'is written by '

const DEFAULT_ESCAPE = 0x1d

/** The domain somebody looks at. */
export interface AttachedGuest {
  readonly domid: Domid
  readonly uuid: string
  /** By which its successor is known; undefined: it has none. */
  readonly name: string | undefined
  /** Its end is this xcld's to deal with, which therefore knows whether it comes back. */
  readonly isManaged: boolean
}

export interface ConsoleOptions {
  readonly escapeCode: number
  readonly writes: 'no' | 'shared' | 'exclusive'
  /** Bytes of what was said last; consoled's default when undefined. */
  readonly tailBytes?: number | undefined
}

/** Code of an escape character: `^]` and the like, or the character itself. Ctrl-] unless told. */
export function escapeFrom(text: string | undefined): number {
  if (text === undefined) return DEFAULT_ESCAPE
  const control = /^\^([@-_a-z])$/.exec(text)?.[1]
  if (control !== undefined) return control.toUpperCase().charCodeAt(0) & 0x1f
  const code = text.charCodeAt(0)
  if (text.length === 1 && code < 0x80) return code
  throw new UsageError(`"${text}" is no escape character`, 'one character, or ^ and a letter: ^]')
}

/**
 * Attaches the caller's terminal.
 * @throws Refused, Interrupted
 */
export async function attachConsole(
  toolstack: Toolstack,
  session: Terminal,
  guest: AttachedGuest,
  options: ConsoleOptions,
): Promise<Attachment> {
  return await withDeadline(toolstack, session, async (end) => {
    const target = await consoleTarget(toolstack, guest, options, end)
    try {
      return await session.attach(target)
    } catch (error) {
      throw error instanceof Refused ? inPersonsWords(error, guest) : error
    }
  })
}

/**
 * The same for a domain that was made just now: consoled may not have heard of it yet.
 * @throws Refused, Interrupted
 */
export async function attachNewConsole(
  toolstack: Toolstack,
  session: Terminal,
  guest: AttachedGuest,
  options: ConsoleOptions,
): Promise<Attachment> {
  return await withDeadline(toolstack, session, async (end) => {
    for (;;) {
      try {
        const target = await consoleTarget(toolstack, guest, options, end)
        return await session.attach(target)
      } catch (error) {
        const isUnknown = error instanceof Refused && UNKNOWN_DOMAIN.test(error.message)
        if (!isUnknown || end.aborted) throw error
      }
      await pause(toolstack, ATTACH_PAUSE_MS, end)
    }
  })
}

/**
 * At consoled's socket; `from` goes on at that position.
 */
export function consoledTarget(
  toolstack: Toolstack,
  guest: AttachedGuest,
  { escapeCode, writes, tailBytes }: ConsoleOptions,
  from?: number,
): ConsoleTarget {
  const { domid, uuid } = guest
  const tail = from === undefined ? { tailBytes } : { from }
  return {
    kind: 'consoled',
    path: toolstack.consoledSocket,
    domid,
    request: attachRequest(domid, { writes, isExact: true, uuid, ...tail }).trimEnd(),
    isReadOnly: writes === 'no',
    escapeCode,
    isContinued: from !== undefined,
    resume: resumeText(guest, { escapeCode, writes }),
  }
}

/** consoled knows numbers; a person, names, and may be content to look. */
function inPersonsWords({ message, hint }: Refused, { domid, name }: AttachedGuest): Refused {
  const [, whose, what] = /^(domain [0-9]+) (.*)$/s.exec(message) ?? []
  if (what === undefined || whose !== `domain ${domid}`) return new Refused(message, hint)
  const looks = what.startsWith(WRITTEN) ? 'with --ro you only look' : hint
  return new Refused(`${name ?? whose} ${what}`, looks)
}

/** What `resumeFrom` in console.ts understands. */
function resumeText(guest: AttachedGuest, options: ConsoleOptions): string {
  const { domid, uuid, name } = guest
  return JSON.stringify({ domid, uuid, name, ...options })
}

/** Whether consoled runs. */
export function consoledAnswers({ consoledSocket }: Toolstack): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(consoledSocket)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

/** Ends early when it is aborted. */
export async function pause(toolstack: Toolstack, ms: number, end: AbortSignal): Promise<void> {
  if (end.aborted) return
  await new Promise<void>((resolve) => {
    const callOff = toolstack.after(ms, () => {
      end.removeEventListener('abort', stop)
      resolve()
    })
    const stop = (): void => {
      callOff()
      resolve()
    }
    end.addEventListener('abort', stop, { once: true })
  })
}

/**
 * One time for all that is tried.
 * @throws Interrupted as soon as the caller does not want it any more; else what `work` throws
 */
async function withDeadline<T>(
  toolstack: Toolstack,
  { signal }: Terminal,
  work: (end: AbortSignal) => Promise<T>,
): Promise<T> {
  const end = new AbortController()
  const callOff = toolstack.after(TIMEOUT_MS, () => end.abort())
  let interrupt: () => void = () => undefined
  const interrupted = new Promise<never>((_, reject) => {
    interrupt = () => {
      end.abort()
      reject(new Interrupted('attaching to the console was interrupted'))
    }
  })
  signal.addEventListener('abort', interrupt)
  if (signal.aborted) interrupt()
  try {
    return await Promise.race([interrupted, work(end.signal)])
  } finally {
    signal.removeEventListener('abort', interrupt)
    callOff()
    end.abort()
  }
}

/** @param end aborted when the time is over, or the caller does not want it any more */
async function consoleTarget(
  toolstack: Toolstack,
  guest: AttachedGuest,
  options: ConsoleOptions,
  end: AbortSignal,
): Promise<ConsoleTarget> {
  if (await consoledAnswers(toolstack)) return consoledTarget(toolstack, guest, options)
  const { domid } = guest
  const { escapeCode, writes } = options
  const tty = await terminalOf(toolstack, domid, end)
  if (tty === undefined) {
    throw new Refused(
      `domain ${domid} has no console to attach to: nothing answers at ${toolstack.consoledSocket}, and it has no terminal`,
      'is consoled (or xenconsoled) running?',
    )
  }
  if (writes !== 'shared') {
    throw new Refused('only consoled can show a console read-only, or to one writer alone')
  }
  return {
    kind: 'tty',
    path: tty,
    domid,
    request: '',
    isReadOnly: false,
    escapeCode,
    isContinued: false,
    resume: resumeText(guest, options),
  }
}

/** Path of the pseudo terminal, as soon as the console daemon has said it; undefined at the end. */
async function terminalOf(
  toolstack: Toolstack,
  domid: Domid,
  end: AbortSignal,
): Promise<string | undefined> {
  const store = await toolstack.store.client()
  const node = `${frontendPath(domid)}/tty`
  let settle: (path: string | undefined) => void = () => undefined
  const found = new Promise<string | undefined>((resolve) => {
    settle = resolve
  })
  end.addEventListener('abort', () => settle(undefined))
  if (end.aborted) settle(undefined)
  const watch = await store.watch(node, () => {
    store.read(node).then(
      (path) => {
        if (path) settle(path)
      },
      () => settle(undefined),
    )
  })
  const path = await found
  await watch.unwatch().catch(() => undefined)
  return path
}
