import { linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type DiskSpec, readDisks } from '../../../xcl/config/disk-spec.ts'
import { parseXlCfg } from '../../../xcl/config/xl-cfg.ts'
import { ConfigError } from '../../../xcl/output/errors.ts'
import { aFolder } from '../../support/a-socket-peer.ts'

function read(...elements: string[]): DiskSpec[] {
  const text = `disk = [\n${elements.map((element) => `  '${element}'`).join(',\n')}\n]`
  return readDisks(parseXlCfg([{ file: 'demo.cfg', text }]).get('disk'))
}

function failure(...elements: string[]): ConfigError {
  try {
    read(...elements)
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new Error(`was read: ${elements}`)
}

const PLAIN: DiskSpec = {
  vdev: 'xvda',
  devid: 51712,
  target: '/img',
  isReadOnly: false,
  isDiscardEnabled: true,
  isDirectIoSafe: false,
  isTrusted: true,
}

describe('a disk', () => {
  test.each([
    '/img,raw,xvda,rw',
    '/img,raw,xvda',
    '/img,,xvda,w',
    ' /img, raw, xvda',
    'phy:/img,xvda,w',
    'file:/img,xvda,w',
    'tap:aio:/img,xvda,w',
    'raw:/img,xvda',
    'format=raw,vdev=xvda,access=rw,target=/img',
    'vdev=xvda,/img',
    '/img,raw,xvda:disk,rw',
    '/img,raw,xvda,rw,backendtype=phy,backend=0,script=block,specification=xen,devtype=disk',
  ])('%j is a plain one', (element) => {
    expect(read(element)).toEqual([PLAIN])
  })

  test('has a target with commas when that stands last', () => {
    expect(read('format=raw, vdev=xvda, access=ro, target=/img/a,b.img')).toEqual([
      { ...PLAIN, target: '/img/a,b.img', isReadOnly: true, isDiscardEnabled: false },
    ])
  })

  test('is below /dev unless its path is absolute', () => {
    expect(read('phy:vg/lv,xvda,r')).toMatchObject([{ target: '/dev/vg/lv' }])
  })

  test('is what its flags say', () => {
    expect(read('/img,raw,xvda,direct-io-safe,no-discard,untrusted')).toEqual([
      { ...PLAIN, isDirectIoSafe: true, isDiscardEnabled: false, isTrusted: false },
    ])
    expect(read('/img,raw,xvda,r,discard')).toMatchObject([{ isDiscardEnabled: true }])
  })

  test('may be shared as long as nobody writes to it', () => {
    expect(read('/img,raw,xvda,r', '/img,raw,xvdb,r')).toHaveLength(2)
    expect(failure('/img,raw,xvda,r', '/img,raw,xvdb,w').message).toContain('is xvda already')
  })

  test('is the same by a link, and by a way around', () => {
    const folder = aFolder()
    onTestFinished(() => folder.remove())
    const file = `${folder.path}/a.img`
    writeFileSync(file, '')
    symlinkSync(file, `${folder.path}/b.img`)
    linkSync(file, `${folder.path}/c.img`)
    mkdirSync(`${folder.path}/sub`)
    for (const other of ['b.img', 'c.img', 'sub/../a.img']) {
      const elements = [`${file},raw,xvda,r`, `${folder.path}/${other},raw,xvdb,w`]
      expect(failure(...elements).message).toContain(`${other} is xvda already`)
    }
  })

  test('with the number of another one is refused', () => {
    expect(failure('/a,raw,xvda', '/b,raw,0xca00').message).toContain('is taken by /a')
  })

  test.each([
    ['', 'no target is given'],
    ['/img', 'no vdev is given'],
    ['vdev=xvda,format=raw', 'no target is given'],
    ['/img,raw,disk1', 'is no virtual device'],
    ['/img,raw,hde', 'is no virtual device'],
    ['raw,xvda,w', 'there is no format "xvda"'],
    ['/img,qcow2,xvda', 'format=qcow2'],
    ['qcow2:/img,xvda,w', 'format=qcow2'],
    ['/img,raw,xvda,x', 'access=x'],
    ['/img,raw,xvda,r,more', '"more" is one item too many'],
    ['/img,raw,xvda,target=/b', 'target is given twice'],
    ['vdev=xvda,vdev=xvdb,target=/img', 'vdev is given twice'],
    ['/img,raw,xvda,discard,discard', 'discard is given twice'],
    ['/img,raw,xvda,size=9', 'there is no "size"'],
    ['/img,raw,xvda,constructor=9', 'there is no "constructor"'],
    ['/img,raw,xvda,backendtype=qdisk', 'and by nobody else'],
    ['/img,raw,xvda,backendtype=tap', 'and by nobody else'],
    ['/img,raw,xvda,backend=storage', 'in other domains than dom0'],
    ['/img,raw,xvda,script=block-drbd', 'runs no hotplug scripts'],
    ['drbd:res0,xvda,w', 'runs no hotplug scripts'],
    ['/img,raw,xvda,specification=virtio', 'only specification=xen'],
    ['/img,raw,xvda,cdrom', 'need a device model'],
    ['/img,raw,xvda,devtype=cdrom', 'need a device model'],
    ['/img,raw,hdc:cdrom,r', 'need a device model'],
    [',empty,hdc', 'need a device model'],
    [`/${'x'.repeat(3840)},raw,xvda`, 'target: must be at most 3840 bytes long, not 3841'],
    [`/img,raw,0x${'0'.repeat(4000)}ca00`, 'vdev: must be at most 3840 bytes long'],
  ])('%j is refused', (element, message) => {
    expect(failure(element).message).toContain(message)
  })

  test('that is wrong is pointed at, item and all', () => {
    expect(failure('/a,raw,xvda', '/b,raw, hde').place).toMatchObject({ line: 3, column: 12 })
  })
})
