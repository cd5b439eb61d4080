/**
 * Takes the devices of another toolstack's domain away, by what that toolstack noted below
 * `/libxl/<domid>/device` (a guest cannot write there).
 */
import type { XenstoreClient } from '../../lixs/client/client.ts'
import type { Domid } from '../../native/hypervisor.ts'
import { Refused } from '../output/errors.ts'
import type { Toolstack } from '../toolstack.ts'

/** How long a backend may take to close, as with libxl. */
const CLOSE_TIMEOUT_MS = 10_000
const XENBUS_CLOSING = '5'
const XENBUS_CLOSED = '6'

interface Device {
  readonly kind: string
  readonly id: string
  readonly frontend: string | undefined
  readonly backend: string | undefined
  /** The hotplug script that set it up, and would have to run again. */
  readonly script: string | undefined
}

/**
 * Closes and removes all devices but the console, waiting for each backend.
 * @throws Refused when a device has a hotplug script: only its own toolstack runs those
 */
export async function removeDevices(toolstack: Toolstack, domid: Domid): Promise<void> {
  const store = await toolstack.store.client()
  const devices = await listDevices(store, domid)
  const scripted = devices.find((device) => device.script !== undefined)
  if (scripted !== undefined) {
    throw new Refused(
      `domain ${domid} has a ${scripted.kind} that a script has set up (${scripted.script}); xcl does not run it`,
      `xl destroy ${domid} does`,
    )
  }
  await Promise.all(devices.map((device) => removeDevice(toolstack, store, domid, device)))
}

async function listDevices(store: XenstoreClient, domid: Domid): Promise<Device[]> {
  const root = `/libxl/${domid}/device`
  const kinds = (await store.directory(root)) ?? []
  const found = await Promise.all(
    kinds
      .filter((kind) => kind !== 'console')
      .map(async (kind) => {
        const ids = (await store.directory(`${root}/${kind}`)) ?? []
        return Promise.all(ids.map((id) => readDevice(store, root, kind, id)))
      }),
  )
  return found.flat()
}

async function readDevice(
  store: XenstoreClient,
  root: string,
  kind: string,
  id: string,
): Promise<Device> {
  const path = `${root}/${kind}/${id}`
  const [frontend, backend, script] = await Promise.all([
    store.read(`${path}/frontend`),
    store.read(`${path}/backend`),
    store.read(`${path}/script`),
  ])
  return { kind, id, frontend, backend, script }
}

async function removeDevice(
  toolstack: Toolstack,
  store: XenstoreClient,
  domid: Domid,
  device: Device,
): Promise<void> {
  const { kind, id, frontend, backend } = device
  if (backend !== undefined && (await store.read(`${backend}/state`)) !== undefined) {
    await store.transaction((tx) => {
      tx.write(`${backend}/online`, '0')
      tx.write(`${backend}/state`, XENBUS_CLOSING)
    })
    await closed(toolstack, store, backend)
    await store.rm(backend)
  }
  if (frontend !== undefined) await store.rm(frontend)
  await store.rm(`/libxl/${domid}/device/${kind}/${id}`)
}

/** Settles when the backend has closed or vanished, or has had its time. */
async function closed(toolstack: Toolstack, store: XenstoreClient, backend: string): Promise<void> {
  let settle: () => void = () => undefined
  const done = new Promise<void>((resolve) => {
    settle = resolve
  })
  const look = async (): Promise<void> => {
    const state = await store.read(`${backend}/state`).catch(() => undefined)
    if (state === undefined || state === XENBUS_CLOSED) settle()
  }
  const callOff = toolstack.after(CLOSE_TIMEOUT_MS, () => {
    toolstack.log.warn({ backend }, 'backend did not close in time; removed all the same')
    settle()
  })
  const watch = await store.watch(`${backend}/state`, () => void look())
  await done
  callOff()
  await watch.unwatch()
}
