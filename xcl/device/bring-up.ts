/**
 * What has to happen between a device's nodes and the start of its guest: the back end takes the
 * device up, and a network card's interface becomes a port of its bridge. All devices at once; each
 * waits for one state.
 */
import type { XenstoreClient } from '../../lixs/client/client.ts'
import type { Domid } from '../../native/hypervisor.ts'
import { DeviceFailed, TimedOut } from '../output/errors.ts'
import type { Toolstack } from '../toolstack.ts'
import type { KernelKind, Unreached } from './backends.ts'
import { backendPath } from './device-nodes.ts'
import { hotplugStatusPath, interfaceName, type Vif } from './vif.ts'
import type { XenbusState } from './xenbus.ts'

/** How long a back end may take, as with libxl. */
const READY_TIMEOUT_MS = 10_000

/** Which part of Linux serves a kind. */
const MODULES: Readonly<Record<KernelKind, string>> = { vif: 'xen-netback', vbd: 'xen-blkback' }

export interface GuestDevices {
  readonly domid: Domid
  /** Of the guest, for errors. */
  readonly name: string
  readonly vifs: readonly Vif[]
  readonly disks: readonly { readonly devid: number; readonly vdev: string }[]
}

/** One device that is waited for. */
interface Awaited {
  readonly kind: KernelKind
  /** `vif 0 of demo`, `disk xvda of demo` */
  readonly title: string
  readonly backend: string
}

/**
 * Settles when all devices of a guest wait for its front ends.
 * @param signal aborted: nobody waits any more, and what was done is left to be undone
 * @throws TimedOut, DeviceFailed, XenError, XenstoreError
 */
export async function bringUpDevices(
  toolstack: Toolstack,
  store: XenstoreClient,
  { domid, name, vifs, disks }: GuestDevices,
  signal: AbortSignal,
): Promise<void> {
  const failed = new AbortController()
  const either = AbortSignal.any([signal, failed.signal])
  const ready = (awaited: Awaited): Promise<void> => backendReady(toolstack, store, awaited, either)
  const works = [
    ...vifs.map(async (vif) => {
      const backend = backendPath(domid, 'vif', vif.devid)
      await ready({ kind: 'vif', title: `vif ${vif.devid} of ${name}`, backend })
      if (either.aborted) return
      // Made before its back end said that it is ready.
      toolstack.hypervisor.devices.joinBridge(interfaceName(domid, vif), vif.bridge)
      await store.write(hotplugStatusPath(domid, vif), 'connected')
    }),
    ...disks.map(({ devid, vdev }) => {
      const backend = backendPath(domid, 'vbd', devid)
      return ready({ kind: 'vbd', title: `disk ${vdev} of ${name}`, backend })
    }),
  ]
  try {
    await Promise.all(works)
  } catch (error) {
    // The others need not be waited for, but they must have stopped before anything is undone.
    failed.abort()
    await Promise.allSettled(works)
    throw error
  }
}

async function backendReady(
  { backends }: Toolstack,
  store: XenstoreClient,
  { kind, title, backend }: Awaited,
  signal: AbortSignal,
): Promise<void> {
  let seen: XenbusState | undefined
  const unreached = await backends.until(store, {
    backend,
    isReached: (state) => {
      seen = state
      return state !== undefined && state !== 'Unknown' && state !== 'Initialising'
    },
    timeoutMs: READY_TIMEOUT_MS,
    signal,
  })
  if (unreached?.kind === 'late') throw tooLate(kind, title, unreached)
  if (seen !== 'Closing' && seen !== 'Closed') return
  const reason = await store.read(
    `/local/domain/0/error/${backend.slice('/local/domain/0/'.length)}/error`,
  )
  const why = reason ? `: ${reason}` : ''
  throw new DeviceFailed(
    `${title}: its back end has given up${why}`,
    "dom0's kernel log may say more",
  )
}

function tooLate(
  kind: KernelKind,
  title: string,
  { state }: Extract<Unreached, { kind: 'late' }>,
): TimedOut {
  const stuck = state === undefined ? 'it is gone' : `it is still ${state}`
  return new TimedOut(
    `${title}: its back end was not ready after ${READY_TIMEOUT_MS / 1000} s; ${stuck}`,
    `is the module ${MODULES[kind]} loaded in dom0?`,
  )
}
