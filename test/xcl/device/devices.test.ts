import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { XenstoreClient } from '../../../lixs/client/client.ts'
import type { Domid } from '../../../native/hypervisor.ts'
import type { DomainConfig } from '../../../xcl/config/domain-config.ts'
import { createDomain } from '../../../xcl/domain/create.ts'
import { destroyDomain } from '../../../xcl/domain/destroy.ts'
import { EXIT, explain } from '../../../xcl/output/errors.ts'
import { storeText } from '../../support/store-text.ts'
import { aDisk, aVif, TestHost, until } from '../a-host.ts'
import type { TestDom0 } from './a-dom0.ts'

let host: TestHost
let dom0: TestDom0
let store: XenstoreClient

beforeEach(async () => {
  host = new TestHost()
  dom0 = host.hypervisor.dom0
  store = await host.daemon.connect()
  await host.toolstack.store.client()
  await dom0.run(store)
})
afterEach(() => host.stop())

function withDevices(changes: Partial<DomainConfig> = {}): DomainConfig {
  return host.config({ vifs: [aVif()], disks: [aDisk()], ...changes })
}

function failureOf(creation: Promise<unknown>) {
  return creation.then(
    () => expect.fail('was created'),
    (error: unknown) => explain(error),
  )
}

describe('a guest with devices', () => {
  // As stock xl 4.17 writes them; what the kernel adds later, and what is added for ours, apart.
  test('has the nodes that libxl writes', async () => {
    const vifs = [
      aVif({ mac: '00:16:3e:00:00:0a', ip: '10.0.0.9', rate: { bytes: 62500, intervalUs: 50000 } }),
    ]
    const disks = [
      aDisk(),
      aDisk({
        vdev: 'xvdb',
        devid: 51728,
        target: '/dev/vg/lv',
        isReadOnly: true,
        isDiscardEnabled: false,
        isDirectIoSafe: true,
        isTrusted: false,
      }),
    ]
    await createDomain(host.toolstack, withDevices({ vifs, disks }))
    const text = await storeText(store)
    expect(text.filter((line) => /(vif|vbd)\//.test(line))).toEqual(
      [
        '/libxl/1/device/vbd/51712 = "" (n0)',
        ...trusted('/libxl/1/device/vbd/51712', 'vbd/1/51712', '/local/domain/1/device/vbd/51712'),
        ...[
          'bootable = "1"',
          'dev = "xvda"',
          'device-type = "disk"',
          'discard-enable = "1"',
          'mode = "w"',
          'params = "/img/a"',
          'removable = "0"',
          'script = "/etc/xen/scripts/block"',
          'specification = "xen"',
          'type = "phy"',
        ].flatMap((key) => [
          `/libxl/1/device/vbd/51712/${key} (n0)`,
          `/local/domain/0/backend/vbd/1/51712/${key} (n0,r1)`,
        ]),
        '/local/domain/0/backend/vbd/1 = "" (n0)',
        '/local/domain/0/backend/vbd/1/51712 = "" (n0,r1)',
        ...backend('vbd/1/51712', '/local/domain/1/device/vbd/51712'),
        '/local/domain/0/backend/vbd/1/51712/hotplug-status = "connected" (n0,r1)',
        '/local/domain/0/backend/vbd/1/51712/node = "/dev/loop1" (n0,r1)',
        '/local/domain/0/backend/vbd/1/51712/physical-device = "7:1" (n0,r1)',
        '/local/domain/0/backend/vbd/1/51712/physical-device-path = "/dev/loop1" (n0,r1)',
        '/local/domain/1/device/vbd/51712 = "" (n1,r0)',
        '/local/domain/1/device/vbd/51712/backend = "/local/domain/0/backend/vbd/1/51712" (n1,r0)',
        '/local/domain/1/device/vbd/51712/backend-id = "0" (n1,r0)',
        '/local/domain/1/device/vbd/51712/device-type = "disk" (n1,r0)',
        '/local/domain/1/device/vbd/51712/protocol = "x86_64-abi" (n1,r0)',
        '/local/domain/1/device/vbd/51712/state = "1" (n1,r0)',
        '/local/domain/1/device/vbd/51712/trusted = "1" (n1,r0)',
        '/local/domain/1/device/vbd/51712/virtual-device = "51712" (n1,r0)',

        '/libxl/1/device/vbd/51728 = "" (n0)',
        ...trusted('/libxl/1/device/vbd/51728', 'vbd/1/51728', '/local/domain/1/device/vbd/51728'),
        ...[
          'bootable = "1"',
          'dev = "xvdb"',
          'device-type = "disk"',
          'direct-io-safe = "1"',
          'discard-enable = "0"',
          'mode = "r"',
          'params = "/dev/vg/lv"',
          'removable = "0"',
          'script = "/etc/xen/scripts/block"',
          'specification = "xen"',
          'type = "phy"',
        ].flatMap((key) => [
          `/libxl/1/device/vbd/51728/${key} (n0)`,
          `/local/domain/0/backend/vbd/1/51728/${key} (n0,r1)`,
        ]),
        '/local/domain/0/backend/vbd/1/51728 = "" (n0,r1)',
        ...backend('vbd/1/51728', '/local/domain/1/device/vbd/51728'),
        '/local/domain/0/backend/vbd/1/51728/hotplug-status = "connected" (n0,r1)',
        '/local/domain/0/backend/vbd/1/51728/physical-device = "fe:136" (n0,r1)',
        '/local/domain/0/backend/vbd/1/51728/physical-device-path = "/dev/vg/lv" (n0,r1)',
        '/local/domain/1/device/vbd/51728 = "" (n1,r0)',
        '/local/domain/1/device/vbd/51728/backend = "/local/domain/0/backend/vbd/1/51728" (n1,r0)',
        '/local/domain/1/device/vbd/51728/backend-id = "0" (n1,r0)',
        '/local/domain/1/device/vbd/51728/device-type = "disk" (n1,r0)',
        '/local/domain/1/device/vbd/51728/protocol = "x86_64-abi" (n1,r0)',
        '/local/domain/1/device/vbd/51728/state = "1" (n1,r0)',
        '/local/domain/1/device/vbd/51728/trusted = "0" (n1,r0)',
        '/local/domain/1/device/vbd/51728/virtual-device = "51728" (n1,r0)',

        '/libxl/1/device/vif/0 = "" (n0)',
        ...trusted('/libxl/1/device/vif/0', 'vif/1/0', '/local/domain/1/device/vif/0'),
        ...[
          'bridge = "xenbr0"',
          'handle = "0"',
          'ip = "10.0.0.9"',
          'mac = "00:16:3e:00:00:0a"',
          'rate = "62500,50000"',
          'script = "/etc/xen/scripts/vif-bridge"',
          'type = "vif"',
        ].flatMap((key) => [
          `/libxl/1/device/vif/0/${key} (n0)`,
          `/local/domain/0/backend/vif/1/0/${key} (n0,r1)`,
        ]),
        '/libxl/1/device/vif/0/hotplug-status = "" (n0)',
        '/local/domain/0/backend/vif/1 = "" (n0)',
        '/local/domain/0/backend/vif/1/0 = "" (n0,r1)',
        ...backend('vif/1/0', '/local/domain/1/device/vif/0'),
        '/local/domain/0/backend/vif/1/0/hotplug-status = "connected" (n0,r1)',
        '/local/domain/1/device/vif/0 = "" (n1,r0)',
        '/local/domain/1/device/vif/0/backend = "/local/domain/0/backend/vif/1/0" (n1,r0)',
        '/local/domain/1/device/vif/0/backend-id = "0" (n1,r0)',
        '/local/domain/1/device/vif/0/handle = "0" (n1,r0)',
        '/local/domain/1/device/vif/0/mac = "00:16:3e:00:00:0a" (n1,r0)',
        '/local/domain/1/device/vif/0/mtu = "1500" (n0,r1)',
        '/local/domain/1/device/vif/0/state = "1" (n1,r0)',
        '/local/domain/1/device/vif/0/trusted = "1" (n1,r0)',
      ].sort(),
    )
  })

  test('runs once its back ends wait and its interfaces are on their bridges', async () => {
    dom0.bridges.set('br1', new Set())
    const vifs = [aVif(), aVif({ devid: 4, bridge: 'br1' })]
    const seen: string[] = []
    const beforeUnpause = async (): Promise<void> => {
      seen.push(...dom0.leftovers())
    }
    await createDomain(host.toolstack, withDevices({ vifs }), { beforeUnpause })
    expect(seen.toSorted()).toEqual(
      [
        'vif/1/0',
        'vif/1/4',
        'vbd/1/51712',
        'vif1.0',
        'vif1.4',
        'vif1.0',
        'vif1.4',
        '/img/a',
      ].sort(),
    )
    expect([...(dom0.bridges.get('br1') ?? [])]).toEqual(['vif1.4'])
    expect(host.toolstack.backends.waiting).toBe(0)
  })

  test('is created after stock tools have removed the last one', async () => {
    await store.rm('/local/domain/0/backend/vif')
    await store.rm('/local/domain/0/backend/vbd')
    const { domid } = await createDomain(host.toolstack, withDevices())
    await destroyDomain(host.toolstack, domid)
    await until(() => dom0.leftovers().length === 0)
  })

  test('of type pvh says nothing of the layout of its rings', async () => {
    await createDomain(host.toolstack, withDevices({ type: 'pvh' }))
    expect(await store.read('/local/domain/1/device/vbd/51712/protocol')).toBeUndefined()
  })

  test('that is destroyed leaves nothing, connected or not', async () => {
    for (const isConnected of [false, true]) {
      const before = await storeText(store)
      const { domid } = await createDomain(host.toolstack, withDevices())
      if (isConnected) await dom0.connect()
      await destroyDomain(host.toolstack, domid)
      await until(() => dom0.leftovers().length === 0)
      expect(await storeText(store)).toEqual(before)
    }
  })

  test('that reboots keeps its address, and has its disk again', async () => {
    const { domid } = await createDomain(host.toolstack, withDevices())
    const mac = await store.read(`/local/domain/${domid}/device/vif/0/mac`)
    expect(mac).toMatch(/^00:16:3e:[0-7][0-9a-f]:[0-9a-f]{2}:[0-9a-f]{2}$/)
    host.shutDown(domid, 'reboot')
    host.pass()
    await until(() => {
      host.pass(50)
      return host.toolstack.names.domidOf('demo') === 2
    })
    expect(await store.read('/local/domain/2/device/vif/0/mac')).toBe(mac)
    expect(dom0.leftovers().toSorted()).toEqual(
      ['vif/2/0', 'vbd/2/51712', 'vif2.0', 'vif2.0', '/img/a'].sort(),
    )
  })

  test('that vanishes without a word leaves nothing', async () => {
    const { domid } = await createDomain(host.toolstack, withDevices())
    host.daemon.die(domid)
    await until(() => {
      host.pass(50)
      return host.records('domains').length === 0
    })
    await until(() => dom0.leftovers().length === 0)
    expect(await store.directory('/local/domain/0/backend/vbd')).toEqual([])
    expect(await store.directory('/local/domain/0/backend/vif')).toEqual([])
  })

  test('is destroyed by the xcld after the one that created it', async () => {
    const { domid } = await createDomain(host.toolstack, withDevices())
    await host.killXcld()
    await destroyDomain(host.toolstack, domid)
    await until(() => dom0.leftovers().length === 0)
  })

  test('whose creation was cut off by a kill leaves nothing', async () => {
    dom0.faults.set('vif', 'silent')
    void createDomain(host.toolstack, withDevices()).catch(() => undefined)
    await until(() => host.toolstack.backends.waiting > 0)
    expect(host.toolstack.journal.halfMade().records).toMatchObject([
      { openDisks: [{ path: '/img/a', major: 7, minor: 1 }] },
    ])

    await host.killXcld()
    await until(() => host.records('halfMade').length === 0)
    await until(() => dom0.leftovers().length === 0)
    expect(await store.directory('/local/domain/0/backend/vif')).toEqual([])
    expect([...host.daemon.domains.keys()]).toEqual([0])
  })

  test('that stock tools destroyed leaves no disk open', async () => {
    const { domid } = await createDomain(host.toolstack, withDevices())
    for (const path of [
      `/local/domain/${domid}`,
      `/libxl/${domid}`,
      `/local/domain/0/backend/vif/${domid}`,
      `/local/domain/0/backend/vbd/${domid}`,
    ]) {
      await store.rm(path)
    }
    host.daemon.die(domid)
    await until(() => {
      host.pass(50)
      return host.records('domains').length === 0
    })
    expect(dom0.leftovers()).toEqual([])
  })
})

describe('a guest whose devices fail is not created', () => {
  test.each([
    [
      'vif',
      'vif 0 of demo: its back end was not ready after 10 s; it is still Initialising',
      'netback',
    ],
    [
      'vbd',
      'disk xvda of demo: its back end was not ready after 10 s; it is still Initialising',
      'blkback',
    ],
  ])('when a %s never answers', async (kind, sentence, module) => {
    const before = await storeText(store)
    dom0.faults.set(kind, 'silent')
    const failure = failureOf(createDomain(host.toolstack, withDevices()))
    await until(() => host.toolstack.backends.waiting === 2)
    await until(() => host.toolstack.backends.waiting === 1)
    host.pass()
    expect(await failure).toMatchObject({ exitCode: EXIT.timeout, code: 'timeout', sentence })
    expect((await failure).hint).toContain(module)
    expect(await storeText(store)).toEqual(before)
    expect([...host.daemon.domains.keys()]).toEqual([0])
  })

  test('when a back end gives up, with its reason', async () => {
    dom0.faults.set('vbd', 'closes')
    expect(await failureOf(createDomain(host.toolstack, withDevices()))).toMatchObject({
      exitCode: EXIT.failed,
      code: 'device',
      sentence: 'disk xvda of demo: its back end has given up: 2 told to fail',
    })
    await until(() => dom0.leftovers().length === 0)
  })

  test('when there is no such bridge', async () => {
    const vifs = [aVif({ bridge: 'br9' })]
    const failure = await failureOf(createDomain(host.toolstack, withDevices({ vifs })))
    expect(failure).toMatchObject({ exitCode: EXIT.config })
    expect(failure.sentence).toContain('demo: join_bridge: ENODEV')
  })

  test('when a bridge is full', async () => {
    dom0.failing.set('joinBridge', 'EXFULL')
    const failure = await failureOf(createDomain(host.toolstack, withDevices()))
    expect(failure).toMatchObject({ exitCode: EXIT.noRoom })
    expect(failure.hint).toContain('spread the guests')
  })

  test('when a disk is missing; those before it are closed', async () => {
    const disks = [aDisk(), aDisk({ vdev: 'xvdb', devid: 51728, target: '/img/none' })]
    const failure = await failureOf(createDomain(host.toolstack, withDevices({ disks })))
    expect(failure).toMatchObject({ exitCode: EXIT.config })
    expect(dom0.calls).toEqual([
      'openDisk /img/a w',
      'openDisk /img/none w',
      'closeDisk 7:1 /img/a',
    ])
    expect(host.hypervisor.calls).toEqual(['list'])
  })

  test('when it is destroyed while it waits', async () => {
    dom0.faults.set('vif', 'silent')
    const failure = failureOf(createDomain(host.toolstack, withDevices()))
    await until(() => host.toolstack.backends.waiting > 0)
    const destroyed = destroyDomain(host.toolstack, 1 as Domid)
    await until(() => host.toolstack.backends.waiting > 0)
    expect(await failureAfterPassing(failure)).toMatchObject({ code: 'interrupted' })
    await destroyed
    expect([...host.daemon.domains.keys()]).toEqual([0])
  })

  test('when the store is lost while it waits', async () => {
    dom0.faults.set('vif', 'silent')
    const failure = failureOf(createDomain(host.toolstack, withDevices()))
    await until(() => host.toolstack.backends.waiting > 0)
    host.daemon.stop()
    expect(await failure).toMatchObject({ code: 'store-lost' })
    expect(host.toolstack.backends.waiting).toBe(0)
  })
})

test('a back end that does not close has its time, and goes all the same', async () => {
  const before = await storeText(store)
  const { domid } = await createDomain(host.toolstack, withDevices())
  dom0.faults.set('vif', 'never-closes')
  const destroyed = destroyDomain(host.toolstack, domid)
  await until(() => host.toolstack.backends.waiting === 1)
  await until(() => {
    host.pass()
    return host.toolstack.backends.waiting === 0
  })
  await destroyed
  await until(() => dom0.leftovers().length === 0)
  expect(await storeText(store)).toEqual(before)
})

test('what happens to other guests is not looked at', async () => {
  dom0.faults.set('vif', 'silent')
  const failure = failureOf(createDomain(host.toolstack, withDevices()))
  // The disk is ready; the network card never is.
  await until(() => host.toolstack.backends.waiting === 2)
  await until(() => host.toolstack.backends.waiting === 1)
  let reads = 0
  const client = await host.toolstack.store.client()
  const { read } = client
  client.read = (path) => {
    reads++
    return read.call(client, path)
  }
  for (let domid = 100; domid < 110; domid++) {
    await store.write(`/local/domain/0/backend/vif/${domid}/0/state`, '2')
  }
  await client.directory('/')
  expect(reads).toBe(0)
  client.read = read
  expect(await failureAfterPassing(failure)).toMatchObject({ code: 'timeout' })
})

async function failureAfterPassing<T>(failure: Promise<T>): Promise<T> {
  let isOver = false
  void failure.then(() => {
    isOver = true
  })
  await until(() => {
    host.pass()
    return isOver
  })
  return await failure
}

function trusted(path: string, served: string, frontend: string): string[] {
  return [
    `${path}/backend = "/local/domain/0/backend/${served}" (n0)`,
    `${path}/frontend = "${frontend}" (n0)`,
    `${path}/frontend-id = "1" (n0)`,
    `${path}/online = "1" (n0)`,
    `${path}/set-up-by = "xcl" (n0)`,
    `${path}/state = "1" (n0)`,
  ]
}

function backend(served: string, frontend: string): string[] {
  const path = `/local/domain/0/backend/${served}`
  return [
    `${path}/frontend = "${frontend}" (n0,r1)`,
    `${path}/frontend-id = "1" (n0,r1)`,
    `${path}/online = "1" (n0,r1)`,
    `${path}/state = "2" (n0,r1)`,
  ]
}
