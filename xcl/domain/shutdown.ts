/** Asks a guest to end by itself. */
import { DOM0, type Domid } from '../../native/hypervisor.ts'
import { NoSuchDomain, Refused, TimedOut } from '../output/errors.ts'
import type { Toolstack } from '../toolstack.ts'
import { domainPath } from './store-tree.ts'

/** How long a guest may take to say that it has heard; libxl's value. */
const ACK_TIMEOUT_MS = 60_000

export type ShutdownRequest = 'poweroff' | 'reboot'

/**
 * Writes the request and waits until the guest acknowledges it: it empties or removes the node, or
 * just ends; or until `signal` is aborted: what was asked cannot be taken back.
 * @throws NoSuchDomain, Refused, TimedOut, XenError, XenstoreError
 */
export async function requestShutdown(
  toolstack: Toolstack,
  domid: Domid,
  request: ShutdownRequest,
  signal?: AbortSignal,
): Promise<void> {
  if (domid === DOM0) throw new Refused('Domain-0 is shut down as any Linux is, not by xcl')
  const store = await toolstack.store.client()
  const info = toolstack.hypervisor.domains.info(domid)
  if (info === undefined) throw new NoSuchDomain(String(domid))
  if (info.isShutdown || info.isDying) return
  const node = `${domainPath(domid)}/control/shutdown`
  await store.write(node, request)

  let settle: () => void = () => undefined
  let fail: (error: Error) => void = () => undefined
  const acknowledged = new Promise<void>((resolve, reject) => {
    settle = resolve
    fail = reject
  })
  // The time may be over while the watch is still being set.
  acknowledged.catch(() => undefined)
  const callOff = toolstack.after(ACK_TIMEOUT_MS, () => {
    const name = toolstack.names.nameOf(domid) ?? `domain ${domid}`
    fail(
      new TimedOut(`${name} did not answer the ${request} request in ${ACK_TIMEOUT_MS / 1000} s`),
    )
  })
  const look = (): void => {
    store.read(node).then((value) => {
      if (value !== request) settle()
    }, fail)
  }
  const watch = await store.watch(node, look)
  const waiting = new AbortController()
  const stop = (): void => waiting.abort()
  signal?.addEventListener('abort', stop)
  if (signal?.aborted) stop()
  toolstack.lifeCycle.ended(domid, waiting.signal).then(settle, fail)
  try {
    await acknowledged
  } finally {
    // A guest may be asked often before it ends: nothing is left of this time.
    signal?.removeEventListener('abort', stop)
    stop()
    callOff()
    await watch.unwatch().catch(() => undefined)
  }
}
