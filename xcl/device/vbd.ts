/** Disks: their nodes. Blkback finds the block device in them and needs nothing done afterwards. */
import type { TransactionWrites } from '../../lixs/client/transaction-writes.ts'
import type { BlockDevice, Domid } from '../../native/hypervisor.ts'
import type { DiskSpec } from '../config/disk-spec.ts'
import type { DomainConfig } from '../config/domain-config.ts'
import { writeDevice } from './device-nodes.ts'

/** A disk's block device, and the path that it was opened for. */
export interface OpenDisk extends BlockDevice {
  readonly path: string
}

/** What stock tools run when they take the disk away: it frees the loop device named in `node`. */
const SCRIPT = '/etc/xen/scripts/block'
const LOOP_MAJOR = 7

export function writeVbd(
  tx: TransactionWrites,
  domid: Domid,
  type: DomainConfig['type'],
  spec: DiskSpec,
  { major, minor, path }: OpenDisk,
): void {
  const { vdev, devid, isReadOnly, isDiscardEnabled, isDirectIoSafe, isTrusted } = spec
  const isLoop = major === LOOP_MAJOR && path !== `/dev/loop${minor}`
  const node = isLoop ? `/dev/loop${minor}` : path
  writeDevice(tx, {
    domid,
    kind: 'vbd',
    devid,
    frontend: {
      'virtual-device': String(devid),
      'device-type': 'disk',
      trusted: isTrusted ? '1' : '0',
      // Of a PV guest's rings; a guest with another one says so itself.
      ...(type === 'pv' && { protocol: 'x86_64-abi' }),
    },
    frontendReadOnly: {},
    backend: {
      params: path,
      script: SCRIPT,
      removable: '0',
      bootable: '1',
      dev: vdev,
      type: 'phy',
      mode: isReadOnly ? 'r' : 'w',
      'device-type': 'disk',
      ...(isDirectIoSafe && { 'direct-io-safe': '1' }),
      'discard-enable': isDiscardEnabled ? '1' : '0',
      specification: 'xen',
    },
    serving: {
      ...(isLoop && { node }),
      'physical-device': `${major.toString(16)}:${minor.toString(16)}`,
      'physical-device-path': node,
      'hotplug-status': 'connected',
    },
  })
}
