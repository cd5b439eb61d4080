/** Ends a domain at once and removes everything that was made for it, whoever made it. */
import { rmSync } from 'node:fs'
import type { XenstoreClient } from '../../lixs/client/client.ts'
import { DOM0, type DomainInfo, type Domid } from '../../native/hypervisor.ts'
import type { Reservation } from '../daemon/names.ts'
import { frontendPath } from '../device/console.ts'
import { removeDevices } from '../device/removal.ts'
import { NoSuchDomain, Refused } from '../output/errors.ts'
import type { Toolstack } from '../toolstack.ts'
import { destroyInXen, releaseDomain } from './create.ts'
import { domainPath, libxlPath, removeStoreTree, vmPath } from './store-tree.ts'

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

/** Destroys that are on their way. */
export function destructionsOf(toolstack: Toolstack): Promise<void>[] {
  return [...(underWay.get(toolstack)?.values() ?? [])]
}

/**
 * Removes what is left of a domain that was cut off or is gone: in the store, in Xen, on disk.
 * @param domid the number it had, which may be another domain's by now; undefined when not known
 */
export async function removeRemains(
  toolstack: Toolstack,
  domid: Domid | undefined,
  uuid: string,
): Promise<void> {
  const { names } = toolstack
  const store = await toolstack.store.client()
  const name = domid === undefined ? undefined : names.nameOf(domid)
  const isNamed = domid !== undefined && name !== undefined && names.uuidOf(domid) === uuid
  // Nobody else gets its name or uuid before all of it is gone.
  if (isNamed) names.leave(domid)
  try {
    if (domid !== undefined) await removeNumbered(toolstack, store, domid, uuid)
    await removeVm(toolstack, store, domid, uuid)
    if (!hasSuccessor(toolstack, domid, uuid)) {
      toolstack.claims.release(uuid)
      toolstack.journal.remove(uuid)
    }
  } catch (error) {
    if (isNamed && names.uuidOf(domid) === uuid) names.set(domid, name, uuid)
    throw error
  }
  if (isNamed && names.uuidOf(domid) === uuid) names.drop(domid)
}

/**
 * Is, or becomes, another domain of the uuid what there is by now? To be asked again after each wait:
 * what has the uuid is then that domain's.
 */
function hasSuccessor({ names }: Toolstack, domid: Domid | undefined, uuid: string): boolean {
  const successor = names.domidOfUuid(uuid)
  return names.creationOf(uuid) !== undefined || (successor !== undefined && successor !== domid)
}

/** What is found by the number of a domain, if that is still the domain's. */
async function removeNumbered(
  toolstack: Toolstack,
  store: XenstoreClient,
  domid: Domid,
  uuid: string,
): Promise<void> {
  const { hypervisor, names } = toolstack
  // A domain that is being created with the number removes what it finds itself.
  if (names.creationOf(domid) !== undefined) return
  const isInXen = hypervisor.domains.info(domid)?.uuid === uuid
  if (!isInXen && (await store.read(`${domainPath(domid)}/vm`)) !== vmPath(uuid)) return
  await removeDevices(toolstack, domid)
  const vm = hasSuccessor(toolstack, domid, uuid) ? undefined : vmPath(uuid)
  await removeStoreTree(store, domid, vm)
  // Released last, for any console daemon may have taken it up: see `removeAll`.
  if (isInXen) await destroyInXen(toolstack, domid)
  await releaseDomain(toolstack, domid)
}

async function removeVm(
  toolstack: Toolstack,
  store: XenstoreClient,
  domid: Domid | undefined,
  uuid: string,
): Promise<void> {
  const vm = vmPath(uuid)
  if (hasSuccessor(toolstack, domid, uuid) || (await store.directory(vm)) === undefined) return
  if (!hasSuccessor(toolstack, domid, uuid)) await store.rm(vm)
}

async function destroy(toolstack: Toolstack, domid: Domid): Promise<void> {
  const store = await toolstack.store.client()
  const info = toolstack.hypervisor.domains.info(domid)
  if (info === undefined) throw new NoSuchDomain(String(domid))
  const { uuid } = info
  const begin = toolstack.clock()
  const name = toolstack.names.nameOf(domid)
  const managed = toolstack.lifeCycle.begin(domid, uuid)
  toolstack.names.leave(domid)
  try {
    await removeAll(toolstack, store, info)
  } catch (error) {
    if (name === undefined) toolstack.names.drop(domid)
    else toolstack.names.set(domid, name, uuid)
    toolstack.lifeCycle.finish(domid, uuid, managed)
    throw error
  }
  if (managed === undefined) removeLibxlFiles(domid, uuid)
  toolstack.lifeCycle.finish(domid, uuid)
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
  const [kinds, vm, tty] = await Promise.all([
    store.directory(`${libxlPath(domid)}/device`),
    store.read(`${domainPath(domid)}/vm`),
    store.read(`${frontendPath(domid)}/tty`),
  ])
  if (kinds?.some((kind) => kind !== 'console')) {
    try {
      await removeDevices(toolstack, domid, kinds)
    } catch (error) {
      // Refused: the domain goes on as if nobody had asked.
      if (error instanceof Refused && !isPaused && !isDying) domains.unpause(domid)
      throw error
    }
  }
  // An earlier try may have removed the home, and with it where the rest is.
  const rest = vm === undefined ? vmPath(uuid) : isVmPath(vm) ? vm : undefined
  await removeStoreTree(store, domid, rest)
  if (tty) {
    // xenconsoled, which makes terminals, looks at a domain only when the store says that one has
    // gone, and lets go of its pages only if it is dying then.
    await destroyInXen(toolstack, domid)
    await releaseDomain(toolstack, domid)
  } else {
    // First the store daemon lets go of the domain's pages, so that Xen can free them at once; and
    // of the domain that Xen then ends it knows nothing any more, so that nobody is told twice.
    await releaseDomain(toolstack, domid)
    await destroyInXen(toolstack, domid)
  }
  toolstack.claims.release(uuid)
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
