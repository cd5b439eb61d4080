/** Ends a domain at once and removes everything that was made for it, whoever made it. */
import { rmSync } from 'node:fs'
import type { XenstoreClient } from '../../lixs/client/client.ts'
import { DOM0, type DomainInfo, type Domid } from '../../native/hypervisor.ts'
import type { Reservation } from '../daemon/names.ts'
import { removeDevices } from '../device/removal.ts'
import { NoSuchDomain, Refused } from '../output/errors.ts'
import type { Toolstack } from '../toolstack.ts'
import { destroyInXen, releaseDomain } from './create.ts'
import { domainPath, libxlPath, removeStoreTree } from './store-tree.ts'

/** Destroys on their way, so that a second one of the same domain joins the first. */
const underWay = new WeakMap<Toolstack, Map<Domid, Promise<void>>>()

/**
 * Destroys a domain. One that is just being created is given up instead.
 * @throws NoSuchDomain, Refused, XenError, XenstoreError
 */
export async function destroyDomain(toolstack: Toolstack, domid: Domid): Promise<void> {
  if (domid === DOM0) throw new Refused('Domain-0 runs the toolstack and cannot be destroyed')
  const creation = toolstack.names.creationOf(domid)
  if (creation !== undefined) return await cancelCreation(toolstack, creation)
  const running = underWay.get(toolstack) ?? new Map<Domid, Promise<void>>()
  underWay.set(toolstack, running)
  const other = running.get(domid)
  if (other !== undefined) return await other
  const destruction = destroy(toolstack, domid)
  running.set(domid, destruction)
  try {
    await destruction
  } finally {
    running.delete(domid)
  }
}

/** Gives up a creation that is on its way; when it was faster, destroys what it made. */
export async function cancelCreation(toolstack: Toolstack, creation: Reservation): Promise<void> {
  creation.cancel()
  await creation.ended
  const domid = toolstack.names.domidOfUuid(creation.uuid)
  if (domid !== undefined) await destroyDomain(toolstack, domid)
}

/** Removes what a domain that Xen no longer has left in the store and on disk. */
export async function removeRemains(
  toolstack: Toolstack,
  domid: Domid,
  uuid: string,
): Promise<void> {
  const store = await toolstack.store.client()
  // The number may belong to another domain by now.
  if ((await store.read(`${domainPath(domid)}/vm`)) === `/vm/${uuid}`) {
    await removeStoreTree(store, domid, `/vm/${uuid}`)
    await releaseDomain(toolstack, domid)
    toolstack.names.drop(domid)
  } else {
    await removeVm(store, uuid)
  }
  toolstack.journal.remove(uuid)
}

async function removeVm(store: XenstoreClient, uuid: string): Promise<void> {
  if ((await store.read(`/vm/${uuid}/uuid`)) !== undefined) await store.rm(`/vm/${uuid}`)
}

async function destroy(toolstack: Toolstack, domid: Domid): Promise<void> {
  const store = await toolstack.store.client()
  const info = toolstack.hypervisor.domains.info(domid)
  if (info === undefined) throw new NoSuchDomain(String(domid))
  const begin = toolstack.clock()
  const name = toolstack.names.nameOf(domid)
  const managed = toolstack.lifeCycle.begin(domid)
  try {
    await removeAll(toolstack, store, info)
  } catch (error) {
    toolstack.lifeCycle.finish(domid, managed)
    throw error
  }
  if (managed === undefined) removeLibxlFiles(domid, info.uuid)
  toolstack.lifeCycle.finish(domid)
  const totalMs = toolstack.clock() - begin
  toolstack.log.info({ domid, domain: name, totalMs }, 'domain destroyed')
}

async function removeAll(
  toolstack: Toolstack,
  store: XenstoreClient,
  info: DomainInfo,
): Promise<void> {
  const { domid, uuid, isPaused, isDying } = info
  const { domains } = toolstack.hypervisor
  if (!isDying) domains.pause(domid)
  const [kinds, vm] = await Promise.all([
    store.directory(`${libxlPath(domid)}/device`),
    store.read(`${domainPath(domid)}/vm`),
  ])
  if (kinds?.some((kind) => kind !== 'console')) {
    try {
      await removeDevices(toolstack, domid)
    } catch (error) {
      // Refused: the domain goes on as if nobody had asked.
      if (error instanceof Refused && !isPaused && !isDying) domains.unpause(domid)
      throw error
    }
  }
  await removeStoreTree(store, domid, vm === undefined || !isVmPath(vm) ? undefined : vm)
  await destroyInXen(toolstack, domid)
  await releaseDomain(toolstack, domid)
  toolstack.journal.remove(uuid)
  toolstack.names.drop(domid)
}

/** A path from the store is removed only when it is what it claims to be. */
function isVmPath(path: string): boolean {
  return /^\/vm\/[0-9a-f-]{36}$/.test(path)
}

/** What stock libxl keeps of a domain on disk. */
function removeLibxlFiles(domid: Domid, uuid: string): void {
  for (const name of ['libxl-json', 'xl', 'domain-userdata-lock']) {
    rmSync(`/var/lib/xen/userdata-d.${domid}.${uuid}.${name}`, { force: true })
  }
}
