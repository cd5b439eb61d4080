import { describe, expect, test } from 'vitest'
import { readDomainConfig } from '../../../xcl/config/domain-config.ts'
import { ConfigError, EXIT, errorText, explain } from '../../../xcl/output/errors.ts'

const MINIMAL = 'name = "demo"\nkernel = "/boot/guest"\n'

function read(text: string, ...typed: string[]) {
  const texts = [
    { file: 'demo.cfg', text: MINIMAL + text },
    { file: 'command line', text: typed.join('\n') },
  ]
  return readDomainConfig(texts, '/home/op')
}

function failure(text: string): ConfigError {
  try {
    read(text)
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new Error(`was read: ${text}`)
}

describe('a domain configuration', () => {
  test('has the defaults of xl', () => {
    expect(read('').config).toEqual({
      name: 'demo',
      uuid: undefined,
      type: 'pv',
      kernel: '/boot/guest',
      ramdisk: undefined,
      cmdline: '',
      memoryKiB: 32 * 1024,
      maxMemoryKiB: 32 * 1024,
      vcpus: 1,
      maxVcpus: 1,
      maxGrantFrames: -1,
      maxMaptrackFrames: -1,
      maxEvtchnPort: 1023,
      vifs: [],
      disks: [],
      onPoweroff: 'destroy',
      onReboot: 'restart',
      onCrash: 'destroy',
      onWatchdog: 'destroy',
      onSoftReset: 'destroy',
    })
  })

  test('takes numbers in quotes, hexadecimal and octal', () => {
    const { config } = read('memory = "64"\nmaxmem = 0x80\nvcpus = 010')
    expect([config.memoryKiB, config.maxMemoryKiB, config.vcpus]).toEqual([65536, 131072, 8])
  })

  test('is completed by what was typed', () => {
    expect(read('memory = 64', 'memory=128', 'on_crash="preserve"').config).toMatchObject({
      memoryKiB: 131072,
      onCrash: 'preserve',
    })
  })

  test.each([
    ['cmdline = "a b"', 'a b'],
    ['root = "/dev/xvda1"\nextra = "ro quiet"', 'root=/dev/xvda1 ro quiet'],
    ['extra = "quiet"', 'quiet'],
    ['cmdline = "x"\nextra = "y"', 'x'],
  ])('%j gives a command line', (text, cmdline) => {
    expect(read(text).config.cmdline).toBe(cmdline)
  })

  test('has paths from the working directory of the caller', () => {
    expect(read('kernel = "k"\nramdisk = "../r"').config).toMatchObject({
      kernel: '/home/op/k',
      ramdisk: '/home/r',
    })
  })

  test('names what has no effect', () => {
    expect(read('localtime = 1\nvif = [ ]').ignored).toEqual(['localtime'])
  })

  test.each([
    ['memory = 0', 3, 'memory: must be at least 1'],
    ['memory = "lots"', 3, 'memory: expected a whole number'],
    ['memory = [ 1 ]', 3, 'memory: expected a number'],
    ['memory = 64\nmaxmem = 32', 4, 'maxmem: must be at least memory (64)'],
    ['vcpus = 4\nmaxvcpus = 2', 4, 'maxvcpus: must be at least vcpus (4)'],
    ['type = "hvm"', 3, 'type: hvm guests'],
    ['builder = "hvm"', 3, 'type: hvm guests'],
    ['type = "xyz"', 3, 'type: expected "pv" or "pvh"'],
    ['uuid = "1234"', 3, 'uuid: expected a uuid'],
    ['on_crash = "explode"', 3, 'on_crash: expected one of destroy'],
    ['name = "a/b"', 3, 'name: must not contain'],
    // What does not fit into a node of the store.
    [`cmdline = "${'ä'.repeat(1921)}"`, 3, 'cmdline: must be at most 3840 bytes long, not 3842'],
    [`root = "r"\nextra = "${'x'.repeat(3840)}"`, 4, 'extra: must be at most 3840 bytes long'],
    [`ramdisk = "${'x'.repeat(3840)}"`, 3, 'ramdisk: must be at most 3840 bytes long'],
    ['name = "17"', 3, 'name: must not be a number'],
    ['vif = 1', 3, 'vif: expected a list'],
    ['vif = [ "",\n 1 ]', 4, 'vif: expected a string in quotes'],
    ['vif = [ "",\n "bridge=xenbr0,speed=9" ]', 4, 'vif: there is no "speed"'],
    ['disk = [ "/dev/vg/lv,raw,xvda,rw" ]\ndisk += [ "/b,raw,xvdb,x" ]', 4, 'disk: access=x'],
    ['pci = [ "01:00.0" ]', 3, 'pci: PCI passthrough are not supported'],
    ['bootloader = "pygrub"', 3, 'bootloader: boot loaders'],
  ])('%j is refused at line %i', (text, line, message) => {
    const error = failure(text)
    expect(error.message).toContain(message)
    expect(error.place?.line).toBe(line)
  })

  test.each(['name', 'kernel'])('without %s is refused', (name) => {
    const text = MINIMAL.split('\n')
      .filter((line) => !line.startsWith(name))
      .join('\n')
    expect(() => readDomainConfig([{ file: 'demo.cfg', text }], '/')).toThrow(
      `demo.cfg: no ${name} is given`,
    )
  })

  test('that is wrong is shown with its line and a caret', () => {
    const explained = explain(failure('\tmemory = 0'))
    expect(explained.exitCode).toBe(EXIT.config)
    expect(errorText(explained)).toBe(
      'xcl: demo.cfg:3:11: memory: must be at least 1\n  \tmemory = 0\n  \t         ^\n',
    )
  })
})
