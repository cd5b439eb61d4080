/** Where a domain's console is: at consoled's socket if that answers, else at a terminal device. */
import { createConnection } from 'node:net'
import type { Domid } from '../../native/hypervisor.ts'
import type { ConsoleTarget } from '../daemon/protocol.ts'
import { frontendPath } from '../device/console.ts'
import { Refused, UsageError } from '../output/errors.ts'
import type { Toolstack } from '../toolstack.ts'
import type { Terminal } from './command.ts'

/** How long a console daemon may take to make a terminal; xenconsole's value. */
const TTY_TIMEOUT_MS = 5000
/** A console daemon hears of a new domain a moment after us. */
const ATTACH_TRIES = 50
const ATTACH_PAUSE_MS = 100

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
  await session.attach(await consoleTarget(toolstack, domid, options))
}

/** The same for a domain that was made just now: consoled may not have heard of it yet. */
export async function attachNewConsole(
  toolstack: Toolstack,
  session: Terminal,
  domid: Domid,
  options: ConsoleOptions,
): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await attachConsole(toolstack, session, domid, options)
      return
    } catch (error) {
      if (tries === ATTACH_TRIES || session.signal.aborted) throw error
      await new Promise<void>((resolve) => toolstack.after(ATTACH_PAUSE_MS, resolve))
    }
  }
}

async function consoleTarget(
  toolstack: Toolstack,
  domid: Domid,
  { escapeCode, isReadOnly }: ConsoleOptions,
): Promise<ConsoleTarget> {
  const path = toolstack.consoledSocket
  if (await answers(path)) return { kind: 'consoled', path, domid, isReadOnly, escapeCode }
  const tty = await terminalOf(toolstack, domid)
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

/** Path of the pseudo terminal, as soon as the console daemon has said it. */
async function terminalOf(toolstack: Toolstack, domid: Domid): Promise<string | undefined> {
  const store = await toolstack.store.client()
  const node = `${frontendPath(domid)}/tty`
  let settle: (path: string | undefined) => void = () => undefined
  const found = new Promise<string | undefined>((resolve) => {
    settle = resolve
  })
  const callOff = toolstack.after(TTY_TIMEOUT_MS, () => settle(undefined))
  const watch = await store.watch(node, () => {
    store.read(node).then(
      (path) => {
        if (path) settle(path)
      },
      () => settle(undefined),
    )
  })
  const path = await found
  callOff()
  await watch.unwatch().catch(() => undefined)
  return path
}
