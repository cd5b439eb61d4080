import { type Domid, domidFrom } from '../../native/hypervisor.ts'
import {
  BatchFailed,
  type BatchFailure,
  errorText,
  explain,
  Interrupted,
  NoSuchDomain,
} from '../output/errors.ts'
import type { Toolstack } from '../toolstack.ts'
import type { Terminal } from './command.ts'

/** Domains worked on at once: enough to hide the waiting, and nobody else has to queue for long. */
const AT_ONCE = 16

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/**
 * The domain that a person means: all digits are a domid, then uuid, then name.
 * @throws NoSuchDomain, XenstoreUnreachable
 */
export async function findDomain(toolstack: Toolstack, text: string): Promise<Domid> {
  if (/^[0-9]+$/.test(text)) {
    const domid = domidFrom(text)
    if (domid === undefined || toolstack.hypervisor.domains.info(domid) === undefined) {
      throw new NoSuchDomain(text)
    }
    return domid
  }
  await toolstack.store.client()
  await toolstack.names.refreshed()
  const domid = UUID.test(text)
    ? toolstack.names.domidOfUuid(text.toLowerCase())
    : toolstack.names.domidOf(text)
  if (domid === undefined) throw new NoSuchDomain(text)
  return domid
}

/**
 * Does the same to several domains, some at a time. What fails of one alone is thrown as it is; of
 * several, each failure is told on stderr when it happens. After an interrupt no more are begun.
 * @param nameOf what the person calls an item
 * @throws BatchFailed when not all of several went well
 */
export async function forEach<T>(
  session: Terminal,
  items: readonly T[],
  nameOf: (item: T) => string,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const failures: BatchFailure[] = []
  const queue = [...items]
  let begun = 0
  const worker = async (): Promise<void> => {
    for (let item = queue[begun]; item !== undefined; item = queue[begun]) {
      if (session.signal.aborted) return
      begun++
      try {
        await work(item)
      } catch (error) {
        failures.push({ domain: nameOf(item), error })
        if (items.length > 1) session.stderr(errorText(explain(error)))
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker))
  const isInterrupted =
    begun < items.length || failures.some(({ error }) => error instanceof Interrupted)
  if (failures.length === 0 && !isInterrupted) return
  if (items.length === 1 && failures[0] !== undefined) throw failures[0].error
  throw new BatchFailed(failures, items.length, isInterrupted)
}
