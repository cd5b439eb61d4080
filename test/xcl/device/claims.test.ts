import { pino } from 'pino'
import { beforeEach, describe, expect, test } from 'vitest'
import { DeviceClaims } from '../../../xcl/device/claims.ts'
import { Refused } from '../../../xcl/output/errors.ts'
import { aDisk, aVif } from '../a-host.ts'
import { TestDom0 } from './a-dom0.ts'

let dom0: TestDom0
let claims: DeviceClaims
/** What chance gives, three bytes at a time. */
let chance: number[][]

beforeEach(() => {
  dom0 = new TestDom0()
  chance = []
  claims = new DeviceClaims({
    devices: dom0.devices,
    log: pino({ level: 'silent' }),
    random: () => Uint8Array.from(chance.shift() ?? expect.fail('no more chance')),
  })
})

describe('a random address', () => {
  test('is in the half of the prefix that is for such', () => {
    chance = [[0xff, 0x01, 0xa0]]
    expect(claims.claim('a', { vifs: [aVif()], disks: [] }).vifs).toMatchObject([
      { mac: '00:16:3e:7f:01:a0' },
    ])
  })

  test('is of nobody else, and can be had again when its guest has gone', () => {
    chance = [
      [1, 2, 3],
      [1, 2, 3],
      [1, 2, 3],
      [4, 5, 6],
      [1, 2, 3],
    ]
    const specs = { vifs: [aVif(), aVif({ devid: 1 })], disks: [] }
    expect(claims.claim('a', specs).vifs.map(({ mac }) => mac)).toEqual([
      '00:16:3e:01:02:03',
      '00:16:3e:04:05:06',
    ])
    claims.release('a')
    expect(claims.claim('b', { vifs: [aVif()], disks: [] }).vifs[0]?.mac).toBe('00:16:3e:01:02:03')
  })

  test('is none that somebody wrote down, as long as one of those is there', () => {
    const vifs = [aVif({ mac: '00:16:3e:01:02:03' })]
    claims.claim('a', { vifs, disks: [] })
    claims.claim('b', { vifs, disks: [] })
    claims.release('a')
    chance = [
      [1, 2, 3],
      [1, 2, 4],
    ]
    expect(claims.claim('c', { vifs: [aVif()], disks: [] }).vifs[0]?.mac).toBe('00:16:3e:01:02:04')
  })
})

describe('a disk', () => {
  const written = { vifs: [], disks: [aDisk()] }
  const read = { vifs: [], disks: [aDisk({ isReadOnly: true })] }

  test('is for one guest that writes, or for many that read', () => {
    claims.claim('a', read)
    claims.claim('b', read)
    expect(() => claims.claim('c', written)).toThrow(Refused)
    claims.release('a')
    expect(() => claims.claim('c', written)).toThrow(/cannot be written to/)
    claims.release('b')
    claims.claim('c', written)
    expect(() => claims.claim('d', read)).toThrow(/guest c writes to it/)
    expect(dom0.leftovers()).toEqual(['/img/a'])
    claims.release('c')
    expect(dom0.leftovers()).toEqual([])
  })

  test('is the same by another name', () => {
    claims.claim('a', { vifs: [], disks: [aDisk({ target: '/dev/vg/one' })] })
    expect(() =>
      claims.claim('b', { vifs: [], disks: [aDisk({ target: '/dev/vg/two' })] }),
    ).toThrow(/two cannot be written to/)
    expect(dom0.calls).toEqual([
      'openDisk /dev/vg/one w',
      'openDisk /dev/vg/two w',
      'closeDisk 254:311 /dev/vg/two',
    ])
  })

  test('that is not closed well is not held any more', () => {
    claims.claim('a', written)
    dom0.failing.set('closeDisk', 'EIO')
    claims.release('a')
    claims.claim('b', written)
  })

  test('of a guest that comes again under its uuid is closed first', () => {
    claims.claim('a', written)
    claims.claim('a', written)
    expect([...dom0.loops]).toEqual([[2, '/img/a']])
  })

  test('that an earlier xcld opened is known', () => {
    claims.adopt('a', written, [{ path: '/img/a', major: 7, minor: 9 }])
    expect(() => claims.claim('b', read)).toThrow(Refused)
    dom0.loops.set(9, '/img/a')
    claims.release('a')
    expect(dom0.leftovers()).toEqual([])
  })
})
