/**
 * What a domain has in XenStore, as libxl writes it.
 *
 * Privileged creators hand a node's permissions down to its children, so only nodes that differ
 * from their parent get permissions of their own; the outcome is libxl's.
 *
 * @see docs/misc/xenstore-paths.pandoc
 */
import type { XenstoreClient } from '../../lixs/client/client.ts'
import type { TransactionWrites } from '../../lixs/client/transaction-writes.ts'
import type { BuiltImage, DomainPorts, Domid } from '../../native/hypervisor.ts'
import type { DomainConfig } from '../config/domain-config.ts'
import { KERNEL_KINDS, kindPath } from '../device/backends.ts'
import { backendPath, writeConsole } from '../device/console.ts'
import { removeNode } from '../device/remove-node.ts'
import { type OpenDisk, writeVbd } from '../device/vbd.ts'
import { type Vif, writeVif } from '../device/vif.ts'

/** Parents of all domains' nodes; they have to be there before stale children can be removed. */
const STORE_ROOTS = [
  kindPath('console'),
  ...KERNEL_KINDS.map((kind) => kindPath(kind)),
  '/vm',
  '/libxl',
] as const

export interface StoreTree {
  readonly domid: Domid
  readonly uuid: string
  readonly config: DomainConfig
  readonly vifs: readonly Vif[]
  /** In the order of the configuration's. */
  readonly openDisks: readonly OpenDisk[]
  readonly ports: DomainPorts
  readonly image: BuiltImage
  /** Wall clock, ms since 1970. */
  readonly startTimeMs: number
}

export function domainPath(domid: Domid): string {
  return `/local/domain/${domid}`
}

export function vmPath(uuid: string): string {
  return `/vm/${uuid}`
}

export function libxlPath(domid: Domid): string {
  return `/libxl/${domid}`
}

/** Nodes of the home that belong to the guest. */
const GUEST_NODES = [
  'data',
  'drivers',
  'feature',
  'attr',
  'error',
  'control/shutdown',
  'control/feature-poweroff',
  'control/feature-reboot',
  'control/feature-suspend',
  'control/sysrq',
] as const

/** Writes everything; awaits nothing, so that it leaves in one write together with END. */
export function writeStoreTree(tx: TransactionWrites, tree: StoreTree): void {
  const { domid, uuid, config, vifs, openDisks } = tree
  const home = domainPath(domid)
  const vm = vmPath(uuid)
  const libxl = libxlPath(domid)
  const readOnly = ['n0', `r${domid}`]
  const guests = [`n${domid}`]

  // What a dead domain of the same number may have left.
  for (const path of [home, vm, libxl]) tx.rm(path)
  if (vifs.length > 0) removeStale(tx, kindPath('vif'), domid)
  if (openDisks.length > 0) removeStale(tx, kindPath('vbd'), domid)

  // As long as the home is the guest's, what is made in it is the guest's, too.
  tx.mkdir(home)
  tx.setPerms(home, guests)
  for (const name of GUEST_NODES) tx.write(`${home}/${name}`, '')
  tx.setPerms(`${home}/control`, readOnly)
  tx.setPerms(home, readOnly)

  tx.write(`${home}/vm`, vm)
  tx.write(`${home}/name`, config.name)
  tx.write(`${home}/domid`, String(domid))
  tx.write(`${home}/device/suspend/event-channel`, '')
  tx.setPerms(`${home}/device/suspend/event-channel`, guests)
  tx.write(`${home}/control/platform-feature-multiprocessor-suspend`, '1')
  tx.write(`${home}/control/platform-feature-xs_reset_watches`, '1')
  tx.write(`${home}/memory/static-max`, String(config.maxMemoryKiB))
  tx.write(`${home}/memory/target`, String(config.memoryKiB))
  tx.write(`${home}/memory/videoram`, '0')
  for (let vcpu = 0; vcpu < config.maxVcpus; vcpu++) {
    tx.write(`${home}/cpu/${vcpu}/availability`, vcpu < config.vcpus ? 'online' : 'offline')
  }
  tx.write(`${home}/store/port`, String(tree.ports.storePort))
  tx.write(`${home}/store/ring-ref`, String(tree.image.storeGfn))

  tx.mkdir(vm)
  tx.setPerms(vm, readOnly)
  tx.write(`${vm}/name`, config.name)
  tx.write(`${vm}/uuid`, uuid)
  tx.write(`${vm}/start_time`, (tree.startTimeMs / 1000).toFixed(2))
  tx.write(`${vm}/image/ostype`, 'linux')
  tx.write(`${vm}/image/kernel`, config.kernel)
  if (config.ramdisk !== undefined) tx.write(`${vm}/image/ramdisk`, config.ramdisk)
  tx.write(`${vm}/image/cmdline`, config.cmdline)

  // Its permissions are those of /libxl: nobody but dom0.
  tx.write(`${libxl}/type`, config.type)

  writeConsole(tx, domid, tree.ports.consolePort, tree.image.consoleGfn)
  for (const vif of vifs) writeVif(tx, domid, vif)
  for (const [i, disk] of openDisks.entries()) {
    const spec = config.disks[i]
    if (spec !== undefined) writeVbd(tx, domid, config.type, spec, disk)
  }
}

/** Stock tools take a folder away with the last device that was in it. */
function removeStale(tx: TransactionWrites, folder: string, domid: Domid): void {
  tx.mkdir(folder)
  tx.rm(`${folder}/${domid}`)
}

/** The parents that `writeStoreTree` counts on; on a fresh store they are missing. */
export async function ensureStoreRoots(store: XenstoreClient): Promise<void> {
  await Promise.all(STORE_ROOTS.map((path) => store.mkdir(path)))
}

/** Removes all that a domain has besides its devices' back ends; what is missing is no error. */
export async function removeStoreTree(
  store: XenstoreClient,
  domid: Domid,
  vm: string | undefined,
): Promise<void> {
  const paths = [domainPath(domid), libxlPath(domid), backendPath(domid)]
  if (vm !== undefined) paths.push(vm)
  await Promise.all(paths.map((path) => removeNode(store, path)))
}
