/** Where a domain's console is: at consoled's socket if that answers, else at a terminal device. */
import { createConnection } from 'node:net'
import type { Domid } from '../../native/hypervisor.ts'
import type { ConsoleTarget } from '../daemon/protocol.ts'
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

const DEFAULT_ESCAPE = 0x1d

export interface ConsoleOptions {
  readonly escapeCode: number
  readonly isReadOnly: boolean
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
 * Attaches the caller's terminal. Settles when it is attached; `session.detached` says when no more.
 * @throws Refused
 */
export async function attachConsole(
  toolstack: Toolstack,
  session: Terminal,
  domid: Domid,
  options: ConsoleOptions,
): Promise<void> {
  await withDeadline(toolstack, session, (end) =>
    attachOnce(toolstack, session, domid, options, end),
  )
}

/**
 * The same for a domain that was made just now: consoled may not have heard of it yet.
 * @throws Refused, Interrupted
 */
export async function attachNewConsole(
  toolstack: Toolstack,
  session: Terminal,
  domid: Domid,
  options: ConsoleOptions,
): Promise<void> {
  await withDeadline(toolstack, session, async (end) => {
    for (;;) {
      try {
        return await attachOnce(toolstack, session, domid, options, end)
      } catch (error) {
        const isUnknown = error instanceof Refused && UNKNOWN_DOMAIN.test(error.message)
        if (!isUnknown || end.aborted) throw error
      }
      await pause(toolstack, end)
    }
  })
}

/** @param end aborted when the time is over, or the caller does not want it any more */
async function attachOnce(
  toolstack: Toolstack,
  session: Terminal,
  domid: Domid,
  options: ConsoleOptions,
  end: AbortSignal,
): Promise<void> {
  const target = await consoleTarget(toolstack, domid, options, end)
  if (!session.signal.aborted) await session.attach(target)
}

/**
 * One time for all that is tried.
 * @throws Interrupted as soon as the caller does not want it any more; else what `work` throws
 */
async function withDeadline(
  toolstack: Toolstack,
  { signal }: Terminal,
  work: (end: AbortSignal) => Promise<void>,
): Promise<void> {
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
    await Promise.race([interrupted, work(end.signal)])
  } finally {
    signal.removeEventListener('abort', interrupt)
    callOff()
    end.abort()
  }
}

/** Ends early when the time is over. */
async function pause(toolstack: Toolstack, end: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const callOff = toolstack.after(ATTACH_PAUSE_MS, resolve)
    end.addEventListener('abort', () => {
      callOff()
      resolve()
    })
  })
}

async function consoleTarget(
  toolstack: Toolstack,
  domid: Domid,
  { escapeCode, isReadOnly }: ConsoleOptions,
  end: AbortSignal,
): Promise<ConsoleTarget> {
  const path = toolstack.consoledSocket
  if (await answers(path)) return { kind: 'consoled', path, domid, isReadOnly, escapeCode }
  const tty = await terminalOf(toolstack, domid, end)
  if (tty === undefined) {
    throw new Refused(
      `domain ${domid} has no console to attach to: nothing answers at ${path}, and it has no terminal`,
      'is consoled (or xenconsoled) running?',
    )
  }
  if (isReadOnly) throw new Refused('only consoled can show a console read-only')
  return { kind: 'tty', path: tty, domid, isReadOnly, escapeCode }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
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
