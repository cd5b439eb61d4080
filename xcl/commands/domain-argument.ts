import { type Domid, domidFrom } from '../../native/hypervisor.ts'
import { BatchFailed, errorText, explain, NoSuchDomain } from '../output/errors.ts'
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
 * Does the same to several domains, some at a time. One failure of one is thrown as it is; of
 * several, each is told on stderr.
 * @throws BatchFailed when some, but not all, of several failed; the failure itself when all did
 */
export async function forEach<T>(
  session: Terminal,
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  const failures: unknown[] = []
  const queue = items.values()
  const worker = async (): Promise<void> => {
    for (const item of queue) {
      try {
        await work(item)
      } catch (error) {
        failures.push(error)
        if (items.length > 1) session.stderr(errorText(explain(error)))
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker))
  if (failures.length === 0) return
  if (items.length === 1) throw failures[0]
  throw new BatchFailed(`${failures.length} of ${items.length} failed`)
}
