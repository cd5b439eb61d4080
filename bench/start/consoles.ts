/** Consoles as a person has them: through consoled's socket. */
import { createConnection } from 'node:net'
import { attachRequest, parseAttachAnswer } from '../../consoled/attach/client.ts'
import type { Domid } from '../../native/hypervisor.ts'

/** How long a guest may take to answer, and consoled to let go of one that is dead. */
const PATIENCE_MS = 10_000

/**
 * Types a line at a guest's console and waits for what it is to print.
 * @returns undefined when it did; else a sentence
 */
export function typed(
  socketPath: string,
  domid: Domid,
  line: string,
  expected: string,
): Promise<string | undefined> {
  return attached(socketPath, domid, {
    begin: (type) => type(`${line}\n`),
    shown: (text) => text.includes(expected),
    ended: 'its console ended',
  })
}

/**
 * Waits until consoled does not serve a domain any more.
 * @returns undefined when it does not; else a sentence
 */
export async function isLetGo(socketPath: string, domid: Domid): Promise<string | undefined> {
  const fault = await attached(socketPath, domid, {
    begin: () => undefined,
    shown: () => false,
    ended: undefined,
  })
  return fault?.startsWith('there is no domain') ? undefined : fault
}

interface Visit {
  /** When attached. */
  readonly begin: (type: (text: string) => void) => void
  /** With all that was shown so far; true ends the visit well. */
  readonly shown: (text: string) => boolean
  /** What it means that consoled ends the visit; undefined: all is well. */
  readonly ended: string | undefined
}

function attached(socketPath: string, domid: Domid, visit: Visit): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection(socketPath)
    let text = ''
    let isAttached = false
    const leave = (fault: string | undefined): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(fault)
    }
    const timer = setTimeout(
      () => leave(`nothing came within ${PATIENCE_MS / 1000} s`),
      PATIENCE_MS,
    )
    socket.write(attachRequest(domid))
    socket.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1')
      if (!isAttached) {
        const answer = parseAttachAnswer(Buffer.from(text, 'latin1'))
        if (answer === undefined) return
        if (answer.kind === 'error') return leave(answer.message)
        isAttached = true
        text = text.slice(answer.length)
        visit.begin((typed) => socket.write(typed))
      }
      if (visit.shown(text)) leave(undefined)
    })
    socket.on('error', (error) => leave(error.message))
    socket.on('close', () => leave(visit.ended))
  })
}
