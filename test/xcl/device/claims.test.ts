import { linkSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { DeviceClaims } from '../../../xcl/device/claims.ts'
import { Refused } from '../../../xcl/output/errors.ts'
import { aFolder } from '../../support/a-socket-peer.ts'
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

  /** As a creation does it, which then has the journal written in between. */
  function claimAndOpen(uuid: string, specs: typeof written): void {
    claims.claim(uuid, specs)
    try {
      claims.open(uuid, () => undefined)
    } catch (error) {
      claims.release(uuid)
      throw error
    }
  }

  test('is for one guest that writes, or for many that read', () => {
    claimAndOpen('a', read)
    claimAndOpen('b', read)
    expect(() => claims.claim('c', written)).toThrow(Refused)
    claims.release('a')
    expect(() => claims.claim('c', written)).toThrow(/cannot be written to/)
    claims.release('b')
    claimAndOpen('c', written)
    expect(() => claims.claim('d', read)).toThrow(/guest c writes to it/)
    expect(dom0.leftovers()).toEqual(['/img/a'])
    claims.release('c')
    expect(dom0.leftovers()).toEqual([])
  })

  test('is the same by another name', () => {
    claimAndOpen('a', { vifs: [], disks: [aDisk({ target: '/dev/vg/one' })] })
    expect(() =>
      claimAndOpen('b', { vifs: [], disks: [aDisk({ target: '/dev/vg/two' })] }),
    ).toThrow(/two cannot be written to/)
    expect(dom0.calls).toEqual([
      'openDisk /dev/vg/one w',
      'openDisk /dev/vg/two w',
      'closeDisk 254:311 /dev/vg/two',
    ])
  })

  test('that is not closed well is not held any more', () => {
    claimAndOpen('a', written)
    dom0.failing.set('closeDisk', 'EIO')
    claims.release('a')
    claimAndOpen('b', written)
  })

  test('of a guest that comes again under its uuid is closed first', () => {
    claimAndOpen('a', written)
    claimAndOpen('a', written)
    expect([...dom0.loops]).toEqual([[2, '/img/a']])
  })

  test('that an earlier xcld opened is known', () => {
    claims.adopt('a', written, ['path /img/a'], [{ path: '/img/a', major: 7, minor: 9 }])
    expect(() => claims.claim('b', read)).toThrow(Refused)
    dom0.loops.set(9, '/img/a')
    claims.release('a')
    expect(dom0.leftovers()).toEqual([])
  })

  test('is told as soon as it is open; what comes after one that cannot be is not', () => {
    const opened: unknown[] = []
    const disks = [aDisk(), aDisk({ vdev: 'xvdb', devid: 51_728, target: '/img/none' })]
    claims.claim('a', { vifs: [], disks })
    expect(() => claims.open('a', (...which) => opened.push(which))).toThrow(/ENOENT/)
    expect(opened).toEqual([[0, { major: 7, minor: 1 }]])
    claims.release('a')
    expect(dom0.leftovers()).toEqual([])
    claims.claim('b', written)
  })

  test('that cannot be noted is closed', () => {
    claims.claim('a', written)
    const full = (): void => {
      throw new Error('no room')
    }
    expect(() => claims.open('a', full)).toThrow('no room')
    expect(dom0.leftovers()).toEqual([])
  })

  describe('of a file', () => {
    let folder: ReturnType<typeof aFolder>
    let file: string
    beforeEach(() => {
      folder = aFolder()
      mkdirSync(join(folder.path, 'sub'), { recursive: true })
      file = join(folder.path, 'a.img')
      writeFileSync(file, '')
      symlinkSync(file, join(folder.path, 'symbolic.img'))
      linkSync(file, join(folder.path, 'hard.img'))
      for (const path of [file, ...OTHER_NAMES.map((name) => `${folder.path}/${name}`)]) {
        dom0.files.add(path)
      }
    })
    afterEach(() => folder.remove())

    const OTHER_NAMES = ['symbolic.img', 'hard.img', 'sub/../a.img'] as const

    test.each(OTHER_NAMES)('is the same as %s', (name) => {
      const other = { vifs: [], disks: [aDisk({ target: `${folder.path}/${name}` })] }
      claimAndOpen('a', { vifs: [], disks: [aDisk({ target: file })] })
      expect(() => claims.claim('b', other)).toThrow(/guest a writes to it/)
      claims.release('a')
      claimAndOpen('b', other)
    })

    test('is the same for the xcld after the one that opened it', () => {
      const specs = { vifs: [], disks: [aDisk({ target: file })] }
      const { identities } = claims.claim('a', specs)
      claims.forget('a')
      // What is at the path by now is none of the guest's.
      renameSync(file, join(folder.path, 'moved.img'))
      writeFileSync(file, '')
      claims.adopt('a', specs, identities, [{ path: file, major: 7, minor: 9 }])
      const moved = { vifs: [], disks: [aDisk({ target: join(folder.path, 'moved.img') })] }
      expect(() => claims.claim('b', moved)).toThrow(/guest a writes to it/)
      claimAndOpen('b', specs)
    })

    test('is not that of a file beside it', () => {
      const beside = join(folder.path, 'b.img')
      writeFileSync(beside, '')
      claims.claim('a', { vifs: [], disks: [aDisk({ target: file })] })
      claims.claim('b', { vifs: [], disks: [aDisk({ target: beside })] })
    })
  })
})
