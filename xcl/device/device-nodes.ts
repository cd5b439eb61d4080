/**
 * The three places in XenStore where a device stands: the guest's half, dom0's half, and the copy
 * that the toolstack trusts when it takes the device away.
 */
import type { TransactionWrites } from '../../lixs/client/transaction-writes.ts'
import type { Domid } from '../../native/hypervisor.ts'
import { type KernelKind, kindPath } from './backends.ts'
import { stateValue } from './xenbus.ts'

/** Key of the trusted copy: no script has to run when the device is taken away. */
export const SET_UP_BY = 'set-up-by'
/** Its value. */
export const XCL = 'xcl'

export interface DeviceNodes {
  readonly domid: Domid
  readonly kind: KernelKind
  readonly devid: number
  readonly frontend: Readonly<Record<string, string>>
  /** Of the frontend, too, but the guest can only read them. */
  readonly frontendReadOnly: Readonly<Record<string, string>>
  readonly backend: Readonly<Record<string, string>>
  /** Of the backend, too; they say how it is served, and are not in the copy. */
  readonly serving: Readonly<Record<string, string>>
}

function frontendPath(domid: Domid, kind: KernelKind, devid: number): string {
  return `/local/domain/${domid}/device/${kind}/${devid}`
}

export function backendPath(domid: Domid, kind: KernelKind, devid: number): string {
  return `${kindPath(kind)}/${domid}/${devid}`
}

/** Privileged creators hand a node's permissions down to its children: each half needs them once. */
export function writeDevice(tx: TransactionWrites, device: DeviceNodes): void {
  const { domid, kind, devid } = device
  const frontend = frontendPath(domid, kind, devid)
  const backend = backendPath(domid, kind, devid)
  const trusted = `/libxl/${domid}/device/${kind}/${devid}`

  tx.mkdir(frontend)
  tx.setPerms(frontend, [`n${domid}`, 'r0'])
  tx.write(`${frontend}/backend`, backend)
  tx.write(`${frontend}/backend-id`, '0')
  tx.write(`${frontend}/state`, stateValue('Initialising'))
  writeAll(tx, frontend, device.frontend)
  for (const [name, value] of Object.entries(device.frontendReadOnly)) {
    tx.write(`${frontend}/${name}`, value)
    tx.setPerms(`${frontend}/${name}`, ['n0', `r${domid}`])
  }

  const common = {
    frontend,
    'frontend-id': String(domid),
    online: '1',
    state: stateValue('Initialising'),
    ...device.backend,
  }
  tx.mkdir(backend)
  tx.setPerms(backend, ['n0', `r${domid}`])
  writeAll(tx, backend, common)
  writeAll(tx, backend, device.serving)

  writeAll(tx, trusted, { ...common, backend, [SET_UP_BY]: XCL })
}

function writeAll(
  tx: TransactionWrites,
  path: string,
  values: Readonly<Record<string, string>>,
): void {
  for (const [name, value] of Object.entries(values)) tx.write(`${path}/${name}`, value)
}
