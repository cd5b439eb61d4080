/** Devices of the dom0 whose kernel runs this process: bridges and loop devices, by ioctl. */
import { addon } from './addon.ts'
import type { Dom0Devices } from './hypervisor.ts'

export const dom0Devices: Dom0Devices = {
  joinBridge: (interfaceName, bridge) => addon.joinBridge(interfaceName, bridge),
  openDisk: (path, isReadOnly) => addon.openDisk(path, isReadOnly),
  closeDisk: ({ major, minor }, path) => addon.closeDisk(major, minor, path),
}
