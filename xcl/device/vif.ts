/** Network cards: their nodes, and what is done once netback has made the interface. */
import type { TransactionWrites } from '../../lixs/client/transaction-writes.ts'
import type { Domid } from '../../native/hypervisor.ts'
import type { VifSpec } from '../config/vif-spec.ts'
import { backendPath, writeDevice } from './device-nodes.ts'

/** A network card that has got its address. */
export interface Vif extends VifSpec {
  readonly mac: string
}

/** What stock tools run when they take the card away; it finds nothing left to do. */
const SCRIPT = '/etc/xen/scripts/vif-bridge'
/** What a guest is told when nobody says otherwise, as with libxl. */
const MTU = '1500'

/** Name that netback gives to its end of the card. */
export function interfaceName(domid: Domid, { devid }: VifSpec): string {
  return `vif${domid}.${devid}`
}

/** Netback waits for this node to say `connected`; it is there, and empty, from the beginning. */
export function hotplugStatusPath(domid: Domid, { devid }: VifSpec): string {
  return `${backendPath(domid, 'vif', devid)}/hotplug-status`
}

export function writeVif(tx: TransactionWrites, domid: Domid, vif: Vif): void {
  const { devid, mac, bridge, ip, rate, isTrusted } = vif
  const handle = String(devid)
  writeDevice(tx, {
    domid,
    kind: 'vif',
    devid,
    frontend: { handle, mac, trusted: isTrusted ? '1' : '0' },
    frontendReadOnly: { mtu: MTU },
    backend: {
      script: SCRIPT,
      mac,
      ...(ip !== undefined && { ip }),
      ...(rate !== undefined && { rate: `${rate.bytes},${rate.intervalUs}` }),
      bridge,
      handle,
      type: 'vif',
      'hotplug-status': '',
    },
    serving: {},
  })
}
