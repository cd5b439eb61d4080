import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { dom0Devices } from '../../native/dom0-devices.ts'
import { XenError } from '../../native/xen-error.ts'

// What needs privileges, bridges and loop devices is seen in the rig (test/xen/scenarios/ours-devices.sh).

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'xcl-disks-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function failure(call: () => unknown): Pick<XenError, 'op' | 'code' | 'message'> {
  try {
    call()
  } catch (error) {
    if (error instanceof XenError) return error
    throw error
  }
  throw new Error('it went well')
}

describe('a disk that is opened', () => {
  test.each([
    ['nothing', 'ENOENT'],
    ['', 'EISDIR'],
    ['file/below', 'ENOTDIR'],
  ])('must not be %j: %s', (name, code) => {
    writeFileSync(join(folder, 'file'), '')
    const path = join(folder, name)
    expect(failure(() => dom0Devices.openDisk(path, true))).toMatchObject({
      op: 'open_disk',
      code,
      message: `cannot open ${path} as a disk: ${code}`,
    })
  })

  test('must not be a device of another kind', () => {
    expect(failure(() => dom0Devices.openDisk('/dev/null', false))).toMatchObject({
      op: 'open_disk',
      code: 'ENOTBLK',
    })
  })
})

describe('a disk that is closed', () => {
  test('and is no loop device is left alone', () => {
    expect(() => dom0Devices.closeDisk({ major: 254, minor: 0 }, '/dev/vg/lv')).not.toThrow()
  })

  test('and was never there is closed', () => {
    // Loop devices that nobody has made have no node.
    expect(() => dom0Devices.closeDisk({ major: 7, minor: 1_000_000 }, '/img')).not.toThrow()
  })
})

describe('an interface', () => {
  test.each([
    ['vif99999.0', 'xenbr0'],
    ['lo', 'no-such-bridge'],
    ['', 'xenbr0'],
    ['lo', 'a-name-that-is-too-long'],
  ])('%j cannot join %j: one of them is missing', (name, bridge) => {
    expect(failure(() => dom0Devices.joinBridge(name, bridge))).toMatchObject({
      op: 'join_bridge',
      code: 'ENODEV',
      message: `cannot make ${name} a port of ${bridge}: ENODEV`,
    })
  })
})
