import { describe, expect, test } from 'vitest'
import { readVifs, type VifSpec } from '../../../xcl/config/vif-spec.ts'
import { parseXlCfg } from '../../../xcl/config/xl-cfg.ts'
import { ConfigError } from '../../../xcl/output/errors.ts'

function read(...elements: string[]): VifSpec[] {
  const list = elements.map((element) => `  "${element}"`).join(',\n')
  const text = `vif = [\n${list}\n]`
  return readVifs(parseXlCfg([{ file: 'demo.cfg', text }]).get('vif'))
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

const PLAIN: VifSpec = {
  devid: 0,
  mac: undefined,
  bridge: 'xenbr0',
  ip: undefined,
  rate: undefined,
  isTrusted: true,
}

describe('a network card', () => {
  test('has the defaults of xl', () => {
    expect(read('')).toEqual([PLAIN])
    expect(readVifs(undefined)).toEqual([])
  })

  test('is what its items say, in any order and with blanks between them', () => {
    expect(read('bridge=br1, mac=00:16:3E:0:0:a ,ip=10.0.0.9 10.0.0.10,untrusted,')).toEqual([
      {
        ...PLAIN,
        bridge: 'br1',
        mac: '00:16:3e:00:00:0a',
        ip: '10.0.0.9 10.0.0.10',
        isTrusted: false,
      },
    ])
  })

  test('has the number of its position unless it says another', () => {
    expect(read('', 'devid=7', '').map(({ devid }) => devid)).toEqual([0, 7, 2])
  })

  test('may name what is done anyway', () => {
    const same = 'type=vif,script=vif-bridge,backend=Domain-0,model=e1000,accel=x'
    expect(read(same, 'script=/etc/xen/scripts/vif-bridge,backend=0')).toEqual([
      PLAIN,
      { ...PLAIN, devid: 1 },
    ])
  })

  // The first two are what stock xl 4.17 writes for them.
  test.each([
    ['10Mb/s', 62_500, 50_000],
    ['1MB/s@20ms', 20_000, 20_000],
    ['8000b/s@1s', 1000, 1_000_000],
    ['1GB/s@100us', 100_000, 100],
    ['64KB/s', 3200, 50_000],
  ])('with rate=%s may send %i bytes in %i µs', (rate, bytes, intervalUs) => {
    expect(read(`rate=${rate}`)).toEqual([{ ...PLAIN, rate: { bytes, intervalUs } }])
  })

  test.each([
    ['mac=00:16:3e:00:00', 'is no mac address'],
    ['mac=00:16:3e:00:00:zz', 'is no mac address'],
    ['mac=ff:ff:ff:ff:ff:ff', 'no address of a single card'],
    ['mac=00:00:00:00:00:00', 'no address of a single card'],
    ['bridge=', 'no name of an interface'],
    ['bridge=a/b', 'no name of an interface'],
    ['bridge=sixteen-letters-', 'no name of an interface'],
    ['rate=fast', 'is no rate'],
    ['rate=1b/s', 'cannot be kept'],
    ['rate=9999999999GB/s', 'cannot be kept'],
    ['devid=-1', 'expected a number'],
    ['devid=70000', 'expected a number'],
    ['type=ioemu', 'only type=vif fits'],
    ['script=vif-route', 'runs no hotplug scripts'],
    ['script=/opt/vif-bridge', 'runs no hotplug scripts'],
    ['backend=net1', 'in other domains than dom0'],
    ['vifname=wan0', 'does not rename interfaces'],
    ['mtu=9000', 'the mtu of its bridge'],
    ['vlan=7', 'VLANs are not supported'],
    ['gatewaydev=eth0', 'does not route'],
    ['netdev=eth0', 'does not route'],
    ['speed=9', 'there is no "speed"'],
    ['fast', 'there is no "fast"'],
    ['toString=1', 'there is no "toString"'],
    ['bridge=a,bridge=b', 'bridge is given twice'],
    ['trusted,trusted', 'trusted is given twice'],
    [`ip=${'1'.repeat(3841)}`, 'vif: ip: must be at most 3840 bytes long'],
  ])('%j is refused', (element, message) => {
    expect(failure(element).message).toContain(message)
  })

  test('with the mac or the number of another one is refused', () => {
    const mac = 'mac=00:16:3e:00:00:01'
    expect(failure(mac, 'bridge=b', mac).message).toContain('another one has the mac')
    expect(failure('devid=1', '').message).toContain('another one has the devid 1')
  })

  test('that is wrong is pointed at, item and all', () => {
    expect(failure('', 'bridge=br0, vlan=7').place).toMatchObject({
      file: 'demo.cfg',
      line: 3,
      column: 16,
    })
    // Escapes: the texts differ, and the element is all that can be pointed at.
    expect(failure('', 'bridge=\\x62r0, vlan=7').place).toMatchObject({ line: 3, column: 3 })
  })
})
