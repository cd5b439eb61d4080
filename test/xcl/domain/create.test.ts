import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Domid } from '../../../native/hypervisor.ts'
import { diskIdentity } from '../../../xcl/device/disk-identity.ts'
import { CREATE_STEPS, createDomain } from '../../../xcl/domain/create.ts'
import { cancelCreation, destroyDomain } from '../../../xcl/domain/destroy.ts'
import { Interrupted, NameTaken } from '../../../xcl/output/errors.ts'
import { storeText } from '../../support/store-text.ts'
import { aDisk, aVif, TestHost, until } from '../a-host.ts'

let host: TestHost

beforeEach(() => {
  host = new TestHost()
})
afterEach(() => host.stop())

/** How each step of a creation is made to fail; a step that is not here fails the suite. */
const FAULTS: Readonly<Record<string, (host: TestHost) => Promise<void> | void>> = {
  name: async (host) => {
    const taken = { name: 'demo', uuid: 'x', cancel: () => undefined, ended: Promise.resolve() }
    host.toolstack.names.reserve(taken)
  },
  claim: (host) => {
    const others = { vifs: [], disks: [aDisk()] }
    host.toolstack.claims.adopt('other', others, [diskIdentity('/img/a')], [])
  },
  journal: (host) => rmSync(join(host.folder.path, 'kernel')),
  disks: (host) => void host.hypervisor.dom0.files.clear(),
  domain: (host) => void host.hypervisor.failing.set('create', 'ENOMEM'),
  prepare: (host) => void host.hypervisor.failing.set('prepare', 'ENOMEM'),
  image: (host) => void host.hypervisor.failing.set('build', 'EINVAL'),
  // The image is built; then the store refuses a request of the transaction: see `config` below.
  store: () => undefined,
  introduce: (host) => {
    host.hypervisor.givesRings = false
  },
  devices: (host) => void host.hypervisor.dom0.bridges.clear(),
  // Whoever wants to be attached is refused: see `beforeUnpause` below.
  attach: () => undefined,
  record: (host) => {
    vi.spyOn(host.toolstack.journal, 'complete').mockImplementationOnce(() => {
      throw new Error('told to fail')
    })
  },
  unpause: (host) => void host.hypervisor.failing.set('unpause', 'EPERM'),
}

describe('a creation that fails', () => {
  test('has a fault for every step', () => {
    expect(Object.keys(FAULTS)).toEqual(CREATE_STEPS.map(({ name }) => name))
  })

  test.each(
    CREATE_STEPS.map(({ name }) => name),
  )('at the step "%s" leaves nothing', async (step) => {
    const store = await host.daemon.connect()
    await host.toolstack.store.client()
    await host.hypervisor.dom0.run(store)
    const before = await storeText(store)
    const cmdline = step === 'store' ? 'x'.repeat(5000) : ''
    const config = host.config({ cmdline, vifs: [aVif()], disks: [aDisk()] })
    await FAULTS[step]?.(host)

    const beforeUnpause = (): Promise<void> =>
      step === 'attach' ? Promise.reject(new Error('told to fail')) : Promise.resolve()
    await expect(createDomain(host.toolstack, config, { beforeUnpause })).rejects.toThrow()

    expect(await storeText(store)).toEqual(before)
    expect([...host.daemon.domains.keys()]).toEqual([0])
    expect(host.records('halfMade')).toEqual([])
    expect(host.records('domains')).toEqual([])
    expect(host.daemon.loopback.leftovers().mappings).toBe(0)
    expect(host.hypervisor.dom0.leftovers()).toEqual([])
    if (step !== 'name') expect(host.toolstack.names.creationOf('demo')).toBeUndefined()
  })

  test('because the store is lost half-way destroys the domain and keeps the journal', async () => {
    host.hypervisor.before.set('build', () => host.daemon.stop())
    await expect(createDomain(host.toolstack, host.config())).rejects.toThrow(/XenStore/)
    expect(host.hypervisor.calls).toContain('destroy 1')
    expect(host.records('halfMade')).toHaveLength(1)
  })

  test('waits for the image to be finished before the domain is destroyed', async () => {
    const interrupt = new AbortController()
    host.hypervisor.before.set('build', async () => {
      interrupt.abort()
      await new Promise((resolve) => setImmediate(resolve))
      host.hypervisor.calls.push('built')
    })
    const creation = createDomain(host.toolstack, host.config(), { signal: interrupt.signal })
    await expect(creation).rejects.toBeInstanceOf(Interrupted)
    const { calls } = host.hypervisor
    expect(calls.indexOf('built')).toBeLessThan(calls.indexOf('destroy 1'))
  })
})

describe('a creation', () => {
  test('is known by name, number and uuid, and runs', async () => {
    const { domid, uuid } = await createDomain(host.toolstack, host.config())
    const { names } = host.toolstack
    expect([names.domidOf('demo'), names.domidOfUuid(uuid)]).toEqual([domid, domid])
    expect(host.daemon.domains.get(domid)?.isPaused).toBe(false)
    expect(host.records('halfMade')).toEqual([])
    expect(host.records('domains')).toEqual([uuid])
  })

  test('writes what libxl writes', async () => {
    const uuid = '6a1ec31f-2ad1-4d23-9f9b-3a2f6d1f9c01'
    await createDomain(host.toolstack, host.config({ uuid, maxVcpus: 2, cmdline: 'a b' }))
    const text = await storeText(await host.daemon.connect())
    const kernel = join(host.folder.path, 'kernel')
    expect(text.filter((line) => /^.(local.domain.(1|0.backend)|vm|libxl)/.test(line))).toEqual([
      ...[
        '/libxl = "" (n0)',
        '/libxl/1 = "" (n0)',
        '/libxl/1/device = "" (n0)',
        '/libxl/1/device/console = "" (n0)',
        '/libxl/1/device/console/0 = "" (n0)',
        '/libxl/1/device/console/0/backend = "/local/domain/0/backend/console/1/0" (n0)',
        '/libxl/1/device/console/0/frontend = "/local/domain/1/console" (n0)',
        '/libxl/1/device/console/0/frontend-id = "1" (n0)',
        '/libxl/1/device/console/0/online = "1" (n0)',
        '/libxl/1/device/console/0/protocol = "vt100" (n0)',
        '/libxl/1/device/console/0/state = "1" (n0)',
        '/libxl/1/type = "pv" (n0)',
        '/local/domain/0/backend = "" (n0)',
        '/local/domain/0/backend/console = "" (n0)',
        '/local/domain/0/backend/console/1 = "" (n0)',
        '/local/domain/0/backend/console/1/0 = "" (n0,r1)',
        '/local/domain/0/backend/console/1/0/frontend = "/local/domain/1/console" (n0,r1)',
        '/local/domain/0/backend/console/1/0/frontend-id = "1" (n0,r1)',
        '/local/domain/0/backend/console/1/0/online = "1" (n0,r1)',
        '/local/domain/0/backend/console/1/0/protocol = "vt100" (n0,r1)',
        '/local/domain/0/backend/console/1/0/state = "1" (n0,r1)',
        '/local/domain/0/backend/vbd = "" (n0)',
        '/local/domain/0/backend/vif = "" (n0)',
        '/local/domain/1 = "" (n0,r1)',
        '/local/domain/1/attr = "" (n1)',
        '/local/domain/1/console = "" (n0,r1)',
        '/local/domain/1/console/backend = "/local/domain/0/backend/console/1/0" (n1,r0)',
        '/local/domain/1/console/backend-id = "0" (n1,r0)',
        '/local/domain/1/console/limit = "1048576" (n0,r1)',
        '/local/domain/1/console/output = "pty" (n0,r1)',
        '/local/domain/1/console/port = "2" (n0,r1)',
        '/local/domain/1/console/ring-ref = "8765" (n0,r1)',
        '/local/domain/1/console/type = "xenconsoled" (n0,r1)',
        '/local/domain/1/control = "" (n0,r1)',
        '/local/domain/1/control/feature-poweroff = "" (n1)',
        '/local/domain/1/control/feature-reboot = "" (n1)',
        '/local/domain/1/control/feature-suspend = "" (n1)',
        '/local/domain/1/control/platform-feature-multiprocessor-suspend = "1" (n0,r1)',
        '/local/domain/1/control/platform-feature-xs_reset_watches = "1" (n0,r1)',
        '/local/domain/1/control/shutdown = "" (n1)',
        '/local/domain/1/control/sysrq = "" (n1)',
        '/local/domain/1/cpu = "" (n0,r1)',
        '/local/domain/1/cpu/0 = "" (n0,r1)',
        '/local/domain/1/cpu/0/availability = "online" (n0,r1)',
        '/local/domain/1/cpu/1 = "" (n0,r1)',
        '/local/domain/1/cpu/1/availability = "offline" (n0,r1)',
        '/local/domain/1/data = "" (n1)',
        '/local/domain/1/device = "" (n0,r1)',
        '/local/domain/1/device/suspend = "" (n0,r1)',
        '/local/domain/1/device/suspend/event-channel = "" (n1)',
        '/local/domain/1/domid = "1" (n0,r1)',
        '/local/domain/1/drivers = "" (n1)',
        '/local/domain/1/error = "" (n1)',
        '/local/domain/1/feature = "" (n1)',
        '/local/domain/1/memory = "" (n0,r1)',
        '/local/domain/1/memory/static-max = "1024" (n0,r1)',
        '/local/domain/1/memory/target = "1024" (n0,r1)',
        '/local/domain/1/memory/videoram = "0" (n0,r1)',
        '/local/domain/1/name = "demo" (n0,r1)',
        '/local/domain/1/store = "" (n0,r1)',
        `/local/domain/1/store/port = "${host.hypervisor.storePort}" (n0,r1)`,
        '/local/domain/1/store/ring-ref = "4321" (n0,r1)',
        `/local/domain/1/vm = "/vm/${uuid}" (n0,r1)`,
        '/vm = "" (n0)',
        `/vm/${uuid} = "" (n0,r1)`,
        `/vm/${uuid}/image = "" (n0,r1)`,
        `/vm/${uuid}/image/cmdline = "a b" (n0,r1)`,
        `/vm/${uuid}/image/kernel = "${kernel}" (n0,r1)`,
        `/vm/${uuid}/image/ostype = "linux" (n0,r1)`,
        `/vm/${uuid}/name = "demo" (n0,r1)`,
        `/vm/${uuid}/start_time = "1769861100.00" (n0,r1)`,
        `/vm/${uuid}/uuid = "${uuid}" (n0,r1)`,
      ].sort(),
    ])
  })

  test('of a name that another one is taking fails, and the other goes on', async () => {
    const both = await Promise.allSettled([
      createDomain(host.toolstack, host.config()),
      createDomain(host.toolstack, host.config()),
    ])
    const failed = both.filter(({ status }) => status === 'rejected')
    expect(failed).toMatchObject([{ reason: expect.any(NameTaken) }])
    expect(host.toolstack.names.domidOf('demo')).toBe(1)
    expect([...host.daemon.domains.keys()]).toEqual([0, 1])
  })

  test('of a name that exists fails', async () => {
    await createDomain(host.toolstack, host.config())
    await expect(createDomain(host.toolstack, host.config())).rejects.toThrow(/demo is taken/)
  })

  test('tells the time of each part, of the image by its own end', async () => {
    const begin = host.nowMs - 5
    host.hypervisor.before.set('build', async () => {
      // Well after the store has answered.
      await (await host.daemon.connect()).read('/')
      host.nowMs += 100
    })
    host.hypervisor.before.set('prepare', () => {
      host.nowMs += 7
    })
    const created = await createDomain(host.toolstack, host.config(), { requestedAtMs: begin })
    expect(created.stepMs).toEqual({
      request: 5,
      name: 0,
      claim: 0,
      journal: 0,
      disks: 0,
      domain: 0,
      prepare: 7,
      build: 100,
      'store-start': expect.any(Number),
      'store-commit': 0,
      introduce: 0,
      devices: 0,
      attach: 0,
      record: 0,
      unpause: 0,
    })
    expect(created.totalMs).toBe(112)
  })

  test('attaches before anything says that the domain is complete', async () => {
    const seen: string[][] = []
    const beforeUnpause = async (): Promise<void> => {
      seen.push(host.records('halfMade'), host.records('domains'))
    }
    const { uuid } = await createDomain(host.toolstack, host.config(), { beforeUnpause })
    expect(seen).toEqual([[uuid], []])
  })

  test('can be left paused', async () => {
    const { domid } = await createDomain(host.toolstack, host.config(), { isLeftPaused: true })
    expect(host.daemon.domains.get(domid)?.isPaused).toBe(true)
  })
})

describe('a domain that is destroyed', () => {
  test('leaves nothing', async () => {
    const store = await host.daemon.connect()
    await createAndDestroy()
    const before = await storeText(store)

    await createAndDestroy()

    expect(await storeText(store)).toEqual(before)
    expect([...host.daemon.domains.keys()]).toEqual([0])
    expect(host.records('domains')).toEqual([])
    expect(host.daemon.loopback.leftovers()).toMatchObject({ mappings: 0 })
  })

  test('while it is being created was never there', async () => {
    let destruction: Promise<void> | undefined
    host.hypervisor.before.set('build', () => {
      destruction = destroyDomain(host.toolstack, 1 as Domid)
    })
    await expect(createDomain(host.toolstack, host.config())).rejects.toBeInstanceOf(Interrupted)
    await destruction
    expect([...host.daemon.domains.keys()]).toEqual([0])
    expect(host.records('halfMade')).toEqual([])
  })

  test('by the uuid of its creation is given up, too', async () => {
    const uuid = '6a1ec31f-2ad1-4d23-9f9b-3a2f6d1f9c01'
    let destruction: Promise<void> | undefined
    host.hypervisor.before.set('build', () => {
      const creation = host.toolstack.names.creationOf(uuid)
      if (creation !== undefined) destruction = cancelCreation(host.toolstack, creation)
    })
    const creation = createDomain(host.toolstack, host.config({ uuid }))
    await expect(creation).rejects.toBeInstanceOf(Interrupted)
    await destruction
    expect([...host.daemon.domains.keys()]).toEqual([0])
  })

  test('by two at once is destroyed once', async () => {
    const { domid } = await createDomain(host.toolstack, host.config())
    await Promise.all([destroyDomain(host.toolstack, domid), destroyDomain(host.toolstack, domid)])
    expect(host.hypervisor.calls.filter((call) => call === `destroy ${domid}`)).toHaveLength(1)
  })

  test('with a device that a script has set up is refused, and runs on', async () => {
    const { domid } = await createDomain(host.toolstack, host.config())
    const store = await host.daemon.connect()
    await store.write(`/libxl/${domid}/device/vif/0/script`, '/etc/xen/scripts/vif-bridge')
    await expect(destroyDomain(host.toolstack, domid)).rejects.toThrow(/vif-bridge/)
    expect(host.daemon.domains.get(domid)).toMatchObject({ isPaused: false })
    expect(host.toolstack.lifeCycle.managed(domid)).toBeDefined()
  })

  test('with another device waits for its backend to close', async () => {
    const { domid } = await createDomain(host.toolstack, host.config())
    const store = await host.daemon.connect()
    const backend = `/local/domain/0/backend/9pfs/${domid}/0`
    await store.write(`/libxl/${domid}/device/9pfs/0/backend`, backend)
    await store.write(`${backend}/state`, '4')
    const seen: (string | undefined)[] = []
    await store.watch(`${backend}/state`, () => {
      void store.read(`${backend}/state`).then((state) => {
        seen.push(state)
        if (state === '5') void store.write(`${backend}/state`, '6')
      })
    })
    await destroyDomain(host.toolstack, domid)
    await until(() => seen.length > 2)
    expect(seen.slice(0, 3)).toEqual(['4', '5', '6'])
    expect(await store.read(`${backend}/state`)).toBeUndefined()
  })
})

async function createAndDestroy(): Promise<void> {
  const { domid } = await createDomain(host.toolstack, host.config())
  await destroyDomain(host.toolstack, domid)
}
