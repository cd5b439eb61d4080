/** Where a guest's log lies: consoled says it; where it does not run, or logs none, where xenconsoled puts logs. */
import { createConnection } from 'node:net'
import { join } from 'node:path'
import {
  logsRequest,
  parseAttachAnswer,
  type ToldLog,
  toldLog,
} from '../../consoled/attach/client.ts'
import type { Domid } from '../../native/hypervisor.ts'
import { findDomain } from '../commands/domain-argument.ts'
import { NoSuchDomain, Refused } from '../output/errors.ts'
import type { Toolstack } from '../toolstack.ts'

/** consoled answers at once; what does not is not consoled. */
const ANSWER_TIMEOUT_MS = 5000
/** What consoled says of a domain it does not know (consoled/attach/server.ts). */
const UNKNOWN_DOMAIN = /^there is no domain /
/** Would leave the line of a request. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROLS = /[\u0000-\u001f\u007f]/
const NAME_MAX_BYTES = 245
/** Somebody may remember the number only. */
export const GONE = 'the log of a guest that is gone is found by its name'
/** What consoled says that logs guests to no files (consoled/attach/server.ts). */
const NOT_LOGGED = /^what guests print is not logged to files/

export interface FoundLog extends ToldLog {
  readonly name: string
  /** What consoled says that logs to no files: a file there is of before. Undefined: it may grow. */
  readonly whyOld: string | undefined
}

/**
 * The log of a guest, which may be gone.
 * @param typed domid or uuid of one that is there; the name also of one that was
 * @throws NoSuchDomain, Refused
 */
export async function logOf(toolstack: Toolstack, typed: string): Promise<FoundLog> {
  const guest = await guestOf(toolstack, typed)
  let answer = await asked(toolstack, guest.domid ?? guest.name)
  // It may be too new for consoled, or too old, or another's to serve.
  const isUnknown = answer?.kind === 'error' && UNKNOWN_DOMAIN.test(answer.message)
  if (isUnknown && guest.domid !== undefined) answer = await asked(toolstack, guest.name)
  const { name } = guest
  if (answer?.kind === 'ok') return { ...toldLog(answer.text), name, whyOld: undefined }
  const whyOld = answer?.message
  if (whyOld !== undefined && !NOT_LOGGED.test(whyOld)) throw new Refused(whyOld)
  // The name would lead out of the folder.
  if (name.includes('/')) {
    if (whyOld !== undefined) throw new Refused(whyOld)
    throw new NoSuchDomain(`${typed} that could have a log`, GONE)
  }
  const path = join(toolstack.consoleLogDir, `guest-${name}.log`)
  return { path, isStamped: undefined, name, whyOld }
}

async function guestOf(
  toolstack: Toolstack,
  typed: string,
): Promise<{ readonly name: string; readonly domid: Domid | undefined }> {
  const domid = await present(toolstack, typed)
  const name = domid === undefined ? typed : toolstack.names.nameOf(domid)
  const isPossible =
    name !== undefined &&
    !CONTROLS.test(name) &&
    name !== '' &&
    Buffer.byteLength(name) <= NAME_MAX_BYTES
  if (!isPossible) throw new NoSuchDomain(`${typed} that could have a log`, GONE)
  return { name, domid }
}

/** Undefined: there is no such domain now, or nobody who could say so. */
async function present(toolstack: Toolstack, typed: string): Promise<Domid | undefined> {
  try {
    return await findDomain(toolstack, typed)
  } catch {
    // What is no name was meant as a number.
    if (/^[0-9]+$/.test(typed)) throw new NoSuchDomain(typed, GONE)
    return undefined
  }
}

/** @returns undefined when consoled does not answer */
function asked(
  toolstack: Toolstack,
  domain: Domid | string,
): Promise<ReturnType<typeof parseAttachAnswer>> {
  return new Promise((resolve) => {
    const socket = createConnection(toolstack.consoledSocket)
    let received = Buffer.alloc(0)
    const settle = (answer: ReturnType<typeof parseAttachAnswer>): void => {
      callOff()
      socket.destroy()
      resolve(answer)
    }
    const callOff = toolstack.after(ANSWER_TIMEOUT_MS, () => settle(undefined))
    socket.on('data', (bytes: Buffer) => {
      received = Buffer.concat([received, bytes])
      const answer = parseAttachAnswer(received)
      if (answer !== undefined) settle(answer)
    })
    socket.on('error', () => settle(undefined))
    socket.on('close', () => settle(undefined))
    socket.write(logsRequest(domain))
  })
}
