/**
 * Takes the devices of a domain away, by what its toolstack noted below `/libxl/<domid>/device` (a
 * guest cannot write there).
 *
 * The guest is not asked: its halves are removed, at which the back ends close, whatever state they
 * are in.
 */
import type { XenstoreClient } from '../../lixs/client/client.ts'
import type { Domid } from '../../native/hypervisor.ts'
import { Refused } from '../output/errors.ts'
import type { Toolstack } from '../toolstack.ts'
import { SET_UP_BY, XCL } from './device-nodes.ts'
import { removeNode } from './remove-node.ts'
import { stateValue, type XenbusState, xenbusState } from './xenbus.ts'

/** How long a back end may take to close, as with libxl. */
const CLOSE_TIMEOUT_MS = 10_000

interface Device {
  readonly kind: string
  readonly frontend: string | undefined
  readonly backend: string | undefined
  readonly state: XenbusState | undefined
  /** Is there a back end that has taken the device up, and may have to close? */
  readonly isServed: boolean
  /** A hotplug script that set it up, and would have to run again. */
  readonly script: string | undefined
}

/**
 * Closes and removes all devices but the console, all at once, waiting for each back end. What they
 * have in the domain's own folders goes with those.
 * @param kinds of devices that the domain has; read when not given
 * @throws Refused when a device has a hotplug script: only its own toolstack runs those
 */
export async function removeDevices(
  toolstack: Toolstack,
  domid: Domid,
  kinds?: readonly string[],
): Promise<void> {
  const store = await toolstack.store.client()
  const known = kinds ?? (await store.directory(`/libxl/${domid}/device`)) ?? []
  const devices = await listDevices(store, domid, known)
  const scripted = devices.find(({ script }) => script !== undefined)
  if (scripted !== undefined) {
    throw new Refused(
      `domain ${domid} has a ${scripted.kind} that a script has set up (${scripted.script}); xcl does not run it`,
      `xl destroy ${domid} does`,
    )
  }
  if (devices.length === 0) return
  await close(store, devices)
  await Promise.all(
    devices.flatMap(({ backend, isServed }) =>
      backend !== undefined && isServed ? closed(toolstack, store, backend) : [],
    ),
  )
  const folders = new Set(devices.flatMap(({ backend }) => backend?.replace(/\/[^/]*$/, '') ?? []))
  await Promise.all([...folders].map((folder) => removeNode(store, folder)))
}

async function listDevices(
  store: XenstoreClient,
  domid: Domid,
  kinds: readonly string[],
): Promise<Device[]> {
  const found = await Promise.all(
    kinds
      .filter((kind) => kind !== 'console')
      .map(async (kind) => {
        const ids = (await store.directory(`/libxl/${domid}/device/${kind}`)) ?? []
        return Promise.all(ids.map((id) => readDevice(store, domid, kind, id)))
      }),
  )
  return found.flat()
}

async function readDevice(
  store: XenstoreClient,
  domid: Domid,
  kind: string,
  id: string,
): Promise<Device> {
  const path = `/libxl/${domid}/device/${kind}/${id}`
  // Where it is with nearly all: that saves a round.
  const guess = `/local/domain/0/backend/${kind}/${domid}/${id}`
  const [frontend, backend, script, setUpBy, guessed] = await Promise.all([
    store.read(`${path}/frontend`),
    store.read(`${path}/backend`),
    store.read(`${path}/script`),
    store.read(`${path}/${SET_UP_BY}`),
    store.read(`${guess}/state`),
  ])
  const about = { kind, frontend, script: setUpBy === XCL ? undefined : script }
  if (!isBackendOf(domid, kind, backend)) {
    return { ...about, backend: undefined, state: undefined, isServed: false }
  }
  const state = xenbusState(backend === guess ? guessed : await store.read(`${backend}/state`))
  const isServed = state !== undefined && state !== 'Initialising'
  return { ...about, backend, state, isServed }
}

/** A folder from the store is removed only when it is what it claims to be. */
function isBackendOf(domid: Domid, kind: string, path: string | undefined): path is string {
  const [, served] = /^\/local\/domain\/[0-9]+\/backend\/(.*)\/[^/]+$/.exec(path ?? '') ?? []
  return served === `${kind}/${domid}`
}

/** In one round: nobody but the guest looks at a back end's state before its own half is gone. */
async function close(store: XenstoreClient, devices: readonly Device[]): Promise<void> {
  await Promise.all(
    devices.flatMap(({ frontend, backend, state, isServed }) => {
      return [
        isServed && store.write(`${backend}/online`, '0'),
        isServed && state !== 'Closed' && store.write(`${backend}/state`, stateValue('Closing')),
        // Whatever state it is in: a back end closes when there is no other half.
        frontend !== undefined && removeNode(store, frontend),
      ]
    }),
  )
}

/** Settles when the back end has closed or vanished, or has had its time. */
async function closed(
  { backends, log }: Toolstack,
  store: XenstoreClient,
  backend: string,
): Promise<void> {
  const unreached = await backends.until(store, {
    backend,
    isReached: (state) => state === undefined || state === 'Closed',
    timeoutMs: CLOSE_TIMEOUT_MS,
  })
  if (unreached !== undefined) {
    log.warn({ backend }, 'back end did not close in time; removed all the same')
  }
}
