import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { type Domid, VIRQ_DOM_EXC } from '../../../native/hypervisor.ts'
import { XenError } from '../../../native/xen-error.ts'
import { QUICK_DEATH_MS } from '../../../xcl/daemon/end-policy.ts'
import { LifeCycle } from '../../../xcl/daemon/life-cycle.ts'
import { createDomain } from '../../../xcl/domain/create.ts'
import { destroyDomain } from '../../../xcl/domain/destroy.ts'
import { requestShutdown } from '../../../xcl/domain/shutdown.ts'
import { TimedOut } from '../../../xcl/output/errors.ts'
import { aFolder } from '../../support/a-socket-peer.ts'
import { StoreProxy } from '../../support/store-proxy.ts'
import { storeText } from '../../support/store-text.ts'
import { TestHost, until } from '../a-host.ts'

let host: TestHost
let proxy: StoreProxy | undefined

/** Lets the events that are on their way arrive, and xcld act on them. */
async function settled(): Promise<void> {
  const store = await host.toolstack.store.client()
  await store.read('/')
  host.pass()
}

/** The domain ends by itself, and xcld has heard. */
async function ends(domid: Domid, reason: 'poweroff' | 'reboot' | 'crash'): Promise<void> {
  const done = host.toolstack.lifeCycle.ended(domid)
  host.shutDown(domid, reason)
  let isDone = false
  void done.then(() => {
    isDone = true
  })
  // Time stands still as soon as that is so: an end that failed is not tried again meanwhile.
  await until(() => {
    if (!isDone) host.pass()
    return isDone
  })
}

describe.each([
  ['says which domain ended', true],
  ['does not say which domain ended, as before Xen 4.22', false],
] as const)('a store that %s', (_, saysWhich) => {
  beforeEach(async () => {
    if (saysWhich) {
      host = new TestHost()
    } else {
      const folder = aFolder()
      onTestFinished(() => folder.remove())
      const storeSocket = join(folder.path, 'old-store.sock')
      host = new TestHost({ storeSocket })
      proxy = await StoreProxy.listen(storeSocket, host.daemon.socketPath)
      proxy.refuseAll('GET_FEATURE', 'ENOSYS')
    }
    await host.toolstack.store.client()
    // The listing with which following begins is not of interest here.
    host.pass()
  })
  afterEach(async () => {
    await host.stop()
    proxy?.close()
    proxy = undefined
  })

  describe('a domain that ends by itself', () => {
    test('is destroyed, and leaves nothing', async () => {
      const store = await host.daemon.connect()
      const before = await storeText(store)
      const { domid } = await createDomain(host.toolstack, host.config())
      await ends(domid, 'poweroff')
      expect([...host.daemon.domains.keys()]).toEqual([0])
      expect(await storeText(store)).toEqual(before)
      expect(host.toolstack.names.domidOf('demo')).toBeUndefined()
    })

    test('by a reboot is created again, with its uuid', async () => {
      const { domid, uuid } = await createDomain(host.toolstack, host.config())
      host.nowMs += QUICK_DEATH_MS
      await ends(domid, 'reboot')
      expect(host.toolstack.names.domidOf('demo')).toBe(domid + 1)
      expect(host.toolstack.names.domidOfUuid(uuid)).toBe(domid + 1)
      expect([...host.daemon.domains.keys()]).toEqual([0, domid + 1])
    })

    test('within seconds, again and again, is destroyed in the end', async () => {
      await createDomain(host.toolstack, host.config())
      for (let restarts = 0; restarts < 5; restarts++) {
        const domid = host.toolstack.names.domidOf('demo')
        if (domid === undefined) throw new Error(`not restarted after ${restarts}`)
        await ends(domid, 'reboot')
      }
      expect(host.toolstack.names.domidOf('demo')).toBeUndefined()
      expect([...host.daemon.domains.keys()]).toEqual([0])
    })

    test('and is to be preserved stays', async () => {
      const { domid } = await createDomain(host.toolstack, host.config({ onCrash: 'preserve' }))
      await ends(domid, 'crash')
      expect(host.toolstack.names.domidOf('demo')).toBe(domid)
      expect(host.daemon.domains.get(domid)?.isShutdown).toBe(true)
    })

    test('and is to be kept aside gets another name, and a successor', async () => {
      const config = host.config({ onCrash: 'rename-restart' })
      const { domid } = await createDomain(host.toolstack, config)
      host.nowMs += QUICK_DEATH_MS
      await ends(domid, 'crash')
      const { names } = host.toolstack
      expect(names.domidOf('demo-20260131T1205Z')).toBe(domid)
      expect(names.domidOf('demo')).toBe(domid + 1)
    })

    test('and was made by somebody else is left alone', async () => {
      host.daemon.guest(40)
      const done = host.toolstack.lifeCycle.ended(40 as Domid)
      host.shutDown(40 as Domid, 'poweroff')
      const store = await host.daemon.connect()
      await store.introduce(40, 1, 1).catch(() => undefined)
      host.toolstack.lifeCycle.released()
      await settled()
      await done
      expect(host.daemon.domains.has(40)).toBe(true)
    })

    test('because somebody destroyed it leaves no record', async () => {
      const { domid } = await createDomain(host.toolstack, host.config())
      host.daemon.die(domid)
      await until(() => {
        host.pass()
        return host.records('domains').length === 0
      })
      expect(host.toolstack.names.domidOf('demo')).toBeUndefined()
    })
  })

  describe('many ends at once', () => {
    const GUESTS = 40
    const AT_ONCE = 16

    test.each(['crash', 'vanish'] as const)('by a %s leave nothing', async (how) => {
      const store = await host.daemon.connect()
      const before = await storeText(store)
      for (let i = 0; i < GUESTS; i++) {
        await createDomain(host.toolstack, host.config({ name: `demo${i}` }))
      }
      let [destroying, most] = [0, 0]
      let goOn = (): void => undefined
      const areMany = new Promise<void>((resolve) => {
        goOn = resolve
      })
      host.hypervisor.before.set('destroy', async () => {
        destroying++
        most = Math.max(most, destroying)
        // As many as there may be wait for each other; one more would show.
        if (destroying === AT_ONCE) void settled().then(goOn)
        await areMany
        destroying--
      })
      const looks = (): number => host.hypervisor.calls.filter((call) => call === 'states').length
      await settled()
      const looksBefore = looks()
      for (const domid of [...host.daemon.domains.keys()].filter((domid) => domid !== 0)) {
        if (how === 'vanish') host.daemon.domains.delete(domid)
        else {
          const end = { isShutdown: true, shutdownReason: 'crash' } as const
          host.hypervisor.change(domid as Domid, end)
        }
      }
      host.daemon.loopback.fireVirq(VIRQ_DOM_EXC)
      await until(() => {
        host.pass()
        return host.records('domains').length === 0
      })
      await settled()
      expect(await storeText(store)).toEqual(before)
      expect([...host.daemon.domains.keys()]).toEqual([0])
      expect(host.toolstack.names.domidOf('demo7')).toBeUndefined()
      expect(most).toBe(how === 'crash' ? AT_ONCE : 0)
      // However many there were: one look for the news, and no more than one for what it brought; or none.
      expect(looks() - looksBefore).toBeLessThanOrEqual(saysWhich ? 0 : 2)
    })

    test('are dealt with once, though somebody else is faster', async () => {
      for (let i = 0; i < GUESTS; i++) {
        const onCrash = 'restart'
        await createDomain(host.toolstack, host.config({ name: `demo${i}`, onCrash }))
      }
      const last = host.toolstack.names.domidOf(`demo${GUESTS - 1}`)
      if (last === undefined) throw new Error('no such guest')
      let release: () => void = () => undefined
      const held = new Promise<void>((resolve) => {
        release = resolve
      })
      host.hypervisor.before.set('destroy', (domid) => (domid === last ? undefined : held))
      host.nowMs += QUICK_DEATH_MS
      for (let domid = 1 as Domid; domid <= last; domid++) {
        host.hypervisor.change(domid, { isShutdown: true, shutdownReason: 'crash' })
      }
      host.shutDown(last, 'crash')
      await until(() => {
        host.pass()
        return host.toolstack.lifeCycle.managed(last) === undefined
      })
      // It waits for its turn to be restarted; a person wants it gone.
      await destroyDomain(host.toolstack, last)
      release()
      await until(() => {
        host.pass()
        return (
          host.records('restarts').length === 0 && host.records('domains').length === GUESTS - 1
        )
      })
      expect(host.toolstack.names.domidOf(`demo${GUESTS - 1}`)).toBeUndefined()
    })
  })

  describe('an end that cannot be dealt with', () => {
    const tries = (): number =>
      host.hypervisor.calls.filter((call) => call.startsWith('destroy')).length

    test('is tried again until it can', async () => {
      const { domid } = await createDomain(host.toolstack, host.config())
      host.hypervisor.failing.set('destroy', 'EBUSY')
      await ends(domid, 'poweroff')
      expect(tries()).toBe(1)
      expect(host.toolstack.lifeCycle.managed(domid)).toBeDefined()
      host.hypervisor.failing.clear()
      await until(() => {
        host.pass()
        return !host.daemon.domains.has(domid)
      })
      expect(host.records('domains')).toEqual([])
    })

    test('is not tried again before its time', async () => {
      const { domid } = await createDomain(host.toolstack, host.config())
      const { lifeCycle } = host.toolstack
      host.hypervisor.failing.set('destroy', 'EBUSY')
      await ends(domid, 'poweroff')
      const { clock, log } = host.toolstack
      expect(lifeCycle.managed(domid)).toBeDefined()
      // The same with time that only moves as far as the next listing.
      const pauses: { ms: number; call: () => void }[] = []
      const acts: string[] = []
      const own = new LifeCycle({
        domains: host.hypervisor.domains,
        log,
        clock,
        after: (ms, call) => void pauses.push({ ms, call }),
        actions: {
          destroy: async () => {
            acts.push('destroy')
            throw new Error('told to fail')
          },
          restart: async () => undefined,
          vanished: async () => undefined,
        },
      })
      const managed = lifeCycle.managed(domid)
      if (managed === undefined) throw new Error('not managed')
      own.track(managed)
      const scan = (): void => {
        own.released()
        for (const { call } of pauses.splice(0, pauses.length).filter(({ ms }) => ms <= 50)) call()
      }
      scan()
      await until(() => own.managed(domid) !== undefined)
      expect(pauses.map(({ ms }) => ms > 50)).toEqual([true])
      scan()
      expect(acts).toEqual(['destroy'])
    })

    test('by a restart keeps its record until the successor is there', async () => {
      const { domid, uuid } = await createDomain(host.toolstack, host.config())
      host.nowMs += QUICK_DEATH_MS
      host.hypervisor.failing.set('create', 'ENOMEM')
      await ends(domid, 'reboot')
      expect(host.toolstack.names.domidOf('demo')).toBeUndefined()
      expect(host.records('restarts')).toEqual([uuid])
      host.hypervisor.failing.clear()
      await until(() => {
        host.pass()
        return host.records('restarts').length === 0
      })
      expect(host.toolstack.names.domidOfUuid(uuid)).toBe(domid + 1)
    })

    test('by a restart is given up when the domain is destroyed', async () => {
      const { domid, uuid } = await createDomain(host.toolstack, host.config())
      host.nowMs += QUICK_DEATH_MS
      host.hypervisor.failing.set('create', 'ENOMEM')
      await ends(domid, 'reboot')
      // Time passed while it ended: the next try may be on its way.
      await until(() => host.toolstack.restarts.cancel('demo'))
      expect(host.toolstack.restarts.cancel(uuid)).toBe(false)
      expect(host.records('restarts')).toEqual([])
    })
  })

  describe('Xen that does not answer', () => {
    test('about one domain is asked again', async () => {
      const { domid } = await createDomain(host.toolstack, host.config())
      await settled()
      const { info } = host.hypervisor.domains
      let refusals = 0
      host.hypervisor.domains.info = () => {
        refusals++
        throw new XenError('xc_domain_getinfo', 'EAGAIN', 11, 'EAGAIN')
      }
      host.daemon.domains.delete(domid)
      host.toolstack.lifeCycle.releasedOne(domid)
      await until(() => {
        host.pass()
        return refusals > 1
      })
      host.hypervisor.domains.info = info
      await until(() => {
        host.pass()
        return host.records('domains').length === 0
      })
    })

    test('with a list is asked again', async () => {
      const { domid } = await createDomain(host.toolstack, host.config())
      await settled()
      const { states } = host.hypervisor.domains
      let refusals = 0
      host.hypervisor.domains.states = () => {
        refusals++
        throw new XenError('xc_domain_getinfolist', 'EAGAIN', 11, 'EAGAIN')
      }
      host.shutDown(domid, 'poweroff')
      // Somebody wants to know of all, whatever the store says.
      host.toolstack.lifeCycle.released()
      await until(() => {
        host.pass()
        return refusals > 1
      })
      host.hypervisor.domains.states = states
      await until(() => {
        host.pass()
        return !host.daemon.domains.has(domid)
      })
    })
  })

  describe('a domain that was told of', () => {
    test('before it was followed is looked at when it is', async () => {
      const { lifeCycle } = host.toolstack
      const { domid, uuid } = await createDomain(host.toolstack, host.config())
      const managed = lifeCycle.begin(domid, uuid)
      if (managed === undefined) throw new Error('not managed')
      host.hypervisor.change(domid, { isShutdown: true, shutdownReason: 'poweroff' })
      lifeCycle.releasedOne(domid)
      lifeCycle.finish(domid, uuid, managed)
      await until(() => !host.daemon.domains.has(domid))
    })

    test('and lives on is looked at again, for a while', async () => {
      const { lifeCycle } = host.toolstack
      const { domid } = await createDomain(host.toolstack, host.config())
      await settled()
      const { info } = host.hypervisor.domains
      let questions = 0
      host.hypervisor.domains.info = (about) => {
        questions++
        return info(about)
      }
      lifeCycle.releasedOne(domid)
      lifeCycle.releasedOne(domid)
      for (let i = 0; i < 20; i++) host.pass()
      // At once for each event, and then in one row for both.
      expect(questions).toBe(2 + 8)
      host.daemon.domains.delete(domid)
      lifeCycle.releasedOne(domid)
      await until(() => host.records('domains').length === 0)
    })

    test('and is nobody’s business is not looked at', async () => {
      host.daemon.guest(40)
      const before = host.hypervisor.calls.length
      host.toolstack.lifeCycle.releasedOne(40 as Domid)
      host.pass()
      expect(host.hypervisor.calls.length).toBe(before)
    })
  })

  describe('a number that two domains have had', () => {
    test('is followed as the one that Xen has', async () => {
      const { lifeCycle } = host.toolstack
      const { domid } = await createDomain(host.toolstack, host.config())
      const managed = lifeCycle.managed(domid)
      if (managed === undefined) throw new Error('not managed')
      const stale = { ...managed, uuid: 'aaaaaaaa-0000-0000-0000-000000000000' }
      lifeCycle.track(stale)
      lifeCycle.track(managed)
      lifeCycle.released()
      await settled()
      expect(lifeCycle.managed(domid)).toBe(managed)
      expect(host.daemon.domains.has(domid)).toBe(true)
      expect(host.records('domains')).toEqual([managed.uuid])
    })
  })

  describe('a destroy of our own', () => {
    test('costs no listing of all domains', async () => {
      await createDomain(host.toolstack, host.config({ name: 'other' }))
      const { domid } = await createDomain(host.toolstack, host.config())
      await settled()
      const listings = (): number =>
        host.hypervisor.calls.filter((call) => call === 'list' || call === 'states').length
      const before = listings()
      // Xen says that something happened before it has freed everything: time for a store daemon.
      host.hypervisor.before.set('destroy', async () => {
        host.daemon.loopback.removeDomain(domid)
        host.daemon.loopback.fireVirq(VIRQ_DOM_EXC)
        const store = await host.daemon.connect()
        await store.read('/')
      })
      await destroyDomain(host.toolstack, domid)
      await settled()
      await settled()
      expect(listings()).toBe(before)
    })

    test('lets the store daemon go before Xen frees the domain', async () => {
      const { domid } = await createDomain(host.toolstack, host.config())
      const mappings: number[] = []
      host.hypervisor.before.set('destroy', () => {
        mappings.push(host.daemon.loopback.leftovers().mappings)
      })
      await destroyDomain(host.toolstack, domid)
      expect(mappings).toEqual([0])
    })

    test('begins in Xen when a stock console daemon has made a terminal', async () => {
      const { domid } = await createDomain(host.toolstack, host.config())
      const store = await host.daemon.connect()
      await store.write(`/local/domain/${domid}/console/tty`, '/dev/pts/7')
      const mappings: number[] = []
      host.hypervisor.before.set('destroy', () => {
        mappings.push(host.daemon.loopback.leftovers().mappings)
      })
      await destroyDomain(host.toolstack, domid)
      expect(mappings).toEqual([1])
      expect(host.daemon.loopback.leftovers().mappings).toBe(0)
    })

    test('that fails leaves the domain its name, and followed', async () => {
      const { domid } = await createDomain(host.toolstack, host.config())
      host.hypervisor.failing.set('destroy', 'EBUSY')
      await expect(destroyDomain(host.toolstack, domid)).rejects.toThrow(/EBUSY/)
      expect(host.toolstack.names.domidOf('demo')).toBe(domid)
      host.hypervisor.failing.clear()
      await destroyDomain(host.toolstack, domid)
      expect([...host.daemon.domains.keys()]).toEqual([0])
    })
  })

  describe('a request to shut down', () => {
    test('waits for the guest to acknowledge it', async () => {
      const { domid } = await createDomain(host.toolstack, host.config())
      const node = `/local/domain/${domid}/control/shutdown`
      const store = await host.daemon.connect()
      const request = requestShutdown(host.toolstack, domid, 'poweroff')
      await store.watch(node, () => {
        void store.read(node).then((value) => {
          if (value === 'poweroff') void store.write(node, '')
        })
      })
      await request
      expect(await store.read(node)).toBe('')
    })

    test('leaves nobody waiting, however often it is made', async () => {
      const { domid } = await createDomain(host.toolstack, host.config())
      const node = `/local/domain/${domid}/control/shutdown`
      const store = await host.daemon.connect()
      await store.watch(node, () => {
        void store.read(node).then((value) => {
          if (value === 'reboot') void store.write(node, '')
        })
      })
      for (let i = 0; i < 3; i++) await requestShutdown(host.toolstack, domid, 'reboot')
      expect(host.toolstack.lifeCycle.waiting).toBe(0)
    })

    test('is told when the guest does not answer', async () => {
      const { domid } = await createDomain(host.toolstack, host.config())
      await settled()
      const request = requestShutdown(host.toolstack, domid, 'reboot')
      const failure = expect(request).rejects.toBeInstanceOf(TimedOut)
      await settled()
      await failure
    })
  })
})
