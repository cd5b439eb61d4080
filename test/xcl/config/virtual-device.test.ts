import { expect, test } from 'vitest'
import { virtualDevice } from '../../../xcl/config/virtual-device.ts'

// Those of stock xl 4.17, read from what it wrote to XenStore.
test.each([
  ['xvda', 51712],
  ['xvdb', 51728],
  ['xvdb1', 51729],
  ['d3p4', 51764],
  ['xvdaa', 268442112],
  ['xvdzz', 268614912],
  ['hda', 768],
  ['sdb2', 2066],
  ['0x1234', 4660],
])('%s is %i', (vdev, number) => {
  expect(virtualDevice(vdev)).toBe(number)
})

test.each([
  ['hdc', (22 << 8) | 0],
  ['hdd1', (22 << 8) | 64 | 1],
  ['xvda16', 2 ** 28 + 16],
  ['d16', 2 ** 28 + 16 * 256],
  ['51712', 51712],
])('%s is %i, too', (vdev, number) => {
  expect(virtualDevice(vdev)).toBe(number)
})

test.each([
  '',
  'xvd',
  'xvda256',
  'hde',
  'hda64',
  'sdq',
  'sda16',
  'xvdaaaaaa',
  'd',
  'dp1',
  '-1',
  '4294967296',
  '0x',
  'xvdA',
])('%j is none', (vdev) => {
  expect(virtualDevice(vdev)).toBeUndefined()
})
