import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Claim, ContractMachine } from './machine.ts'
import { refuses } from './machine.ts'

const DISK_BYTES = 64 * 1024
/** Of a device that no back end has made an interface for. */
const NO_INTERFACE = 'vif32000.0'

/** What dom0's kernel does for the toolstack. */
export function deviceClaims({ xen: { devices } }: ContractMachine): Claim[] {
  const inFolder = (body: (folder: string) => Promise<void>) => async () => {
    const folder = mkdtempSync(join(tmpdir(), 'xcl-contract-'))
    try {
      await body(folder)
    } finally {
      rmSync(folder, { recursive: true })
    }
  }
  const aDisk = (folder: string, name: string) => {
    const path = join(folder, name)
    writeFileSync(path, Buffer.alloc(DISK_BYTES))
    return path
  }

  return [
    {
      name: 'each opening of a file is a device of its own',
      body: inFolder(async (folder) => {
        const path = aDisk(folder, 'disk')
        const one = devices.openDisk(path, true)
        const other = devices.openDisk(path, true)
        assert.notDeepEqual(one, other)
        devices.closeDisk(one, path)
        devices.closeDisk(other, path)
      }),
    },
    {
      name: 'a disk that is closed twice, or was never opened, is closed',
      body: inFolder(async (folder) => {
        const path = aDisk(folder, 'disk')
        const device = devices.openDisk(path, false)
        devices.closeDisk(device, path)
        devices.closeDisk(device, path)
        devices.closeDisk({ major: 7, minor: 1_000_000 }, path)
        devices.closeDisk({ major: 254, minor: 0 }, '/dev/vg/lv')
      }),
    },
    {
      name: 'a device that serves another file by now is not closed for the first one',
      body: inFolder(async (folder) => {
        const [first, second] = [aDisk(folder, 'first'), aDisk(folder, 'second')]
        const device = devices.openDisk(first, true)
        devices.closeDisk(device, first)
        const again = devices.openDisk(second, true)
        assert.deepEqual(again, device)
        devices.closeDisk(device, first)
        // Were it free, it would be the next.
        const next = devices.openDisk(first, true)
        assert.notDeepEqual(next, again)
        devices.closeDisk(next, first)
        devices.closeDisk(again, second)
      }),
    },
    {
      name: 'what is no disk does not open',
      body: inFolder(async (folder) => {
        const missing = await refuses('ENOENT', () => devices.openDisk(join(folder, 'no'), true))
        assert.equal(missing.op, 'open_disk')
        await refuses('EISDIR', () => devices.openDisk(folder, true))
        await refuses('ENOTDIR', () => devices.openDisk(join(aDisk(folder, 'a'), 'b'), true))
        await refuses('ENOTBLK', () => devices.openDisk('/dev/null', true))
      }),
    },
    {
      name: 'an interface that is not there joins no bridge',
      async body() {
        const error = await refuses('ENODEV', () => devices.joinBridge(NO_INTERFACE, 'xenbr0'))
        assert.equal(error.op, 'join_bridge')
        await refuses('ENODEV', () => devices.joinBridge('', 'xenbr0'))
      },
    },
    {
      name: 'a text with a NUL character is refused',
      async body() {
        await refuses('EINVAL', () => devices.joinBridge(`${NO_INTERFACE}\0x`, 'xenbr0'))
        await refuses('EINVAL', () => devices.joinBridge(NO_INTERFACE, 'xenbr0\0x'))
        await refuses('EINVAL', () => devices.openDisk('/no/such\0disk', true))
        await refuses('EINVAL', () => devices.closeDisk({ major: 7, minor: 0 }, '/no/such\0disk'))
      },
    },
  ]
}
