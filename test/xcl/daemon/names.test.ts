import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { XenstoreClient } from '../../../lixs/client/client.ts'
import type { Domid } from '../../../native/hypervisor.ts'
import { XenError } from '../../../native/xen-error.ts'
import { DomainNames } from '../../../xcl/daemon/names.ts'
import { NameTaken } from '../../../xcl/output/errors.ts'
import { aDomain } from '../../support/a-conversation.ts'
import { TestHost } from '../a-host.ts'

const UUID = '6a1ec31f-2ad1-4d23-9f9b-3a2f6d1f9c01'

let host: TestHost
let store: XenstoreClient
let names: DomainNames
const later: (() => void)[] = []
const recorded = new Map<Domid, string>()

beforeEach(async () => {
  host = new TestHost()
  store = await host.daemon.connect()
  later.length = 0
  recorded.clear()
  names = new DomainNames({
    domains: host.hypervisor.domains,
    log: pino({ level: 'silent' }),
    after: (_, call) => void later.push(call),
    recorded: (domid) => recorded.get(domid),
  })
})
afterEach(() => host.stop())

/** As another toolstack does it. */
async function made(domid: number, name: string): Promise<void> {
  host.daemon.domains.set(domid, aDomain(domid, { uuid: UUID }))
  await store.write(`/local/domain/${domid}/name`, name)
  await store.write(`/vm/${UUID}/name`, name)
  await store.write(`/libxl/${domid}/type`, 'pv')
}

/** All events that the daemon has sent so far are dealt with. */
async function refreshed(): Promise<void> {
  await store.read('/')
  await names.refreshed()
}

describe('the index of names', () => {
  test('begins with the domains there are', async () => {
    await store.write('/local/domain/0/name', 'Domain-0')
    await made(5, 'demo')
    await names.follow(store)
    expect([names.nameOf(0 as Domid), names.domidOf('demo')]).toEqual(['Domain-0', 5])
    expect(names.domidOfUuid(UUID)).toBe(5)
  })

  test('learns of domains that other toolstacks make, rename and destroy', async () => {
    await names.follow(store)
    await made(5, 'demo')
    await refreshed()
    expect(names.domidOf('demo')).toBe(5)

    await store.write('/local/domain/5/name', 'other')
    await store.write(`/vm/${UUID}/name`, 'other')
    await refreshed()
    expect([names.domidOf('demo'), names.domidOf('other')]).toEqual([undefined, 5])

    await store.rm('/local/domain/5')
    await store.rm('/libxl/5')
    await refreshed()
    expect(names.domidOf('other')).toBeUndefined()
    expect(names.domidOfUuid(UUID)).toBeUndefined()
  })

  test('is not woken by what guests write', async () => {
    await made(5, 'demo')
    await names.follow(store)
    await refreshed()
    await store.write('/local/domain/5/name', 'nobody announced this')
    await refreshed()
    expect(names.nameOf(5 as Domid)).toBe('demo')
  })

  test('keeps a name for who reserved it', () => {
    const reservation = {
      name: 'demo',
      uuid: UUID,
      cancel: () => undefined,
      ended: Promise.resolve(),
    }
    names.reserve(reservation)
    expect(() => names.reserve({ ...reservation, uuid: 'other' })).toThrow(NameTaken)
    expect(() => names.reserve({ ...reservation, name: 'other' })).toThrow(NameTaken)
    expect(names.creationOf('demo')).toBe(reservation)
    names.settle(reservation, undefined)
    names.reserve({ ...reservation })
  })

  test('gives a name to another domain only when the first one lost it', () => {
    names.set(5 as Domid, 'demo', UUID)
    names.set(6 as Domid, 'demo', 'other')
    expect(names.domidOf('demo')).toBe(5)
    names.drop(5 as Domid)
    expect(names.domidOf('demo')).toBe(6)
  })

  test('finds the first of two with one name again when the second one goes', () => {
    names.set(5 as Domid, 'demo', UUID)
    names.set(6 as Domid, 'demo', 'other')
    names.drop(6 as Domid)
    expect(names.domidOf('demo')).toBe(5)
  })

  test('finds a creation by its uuid', () => {
    const reservation = {
      name: 'demo',
      uuid: UUID,
      cancel: () => undefined,
      ended: Promise.resolve(),
    }
    names.reserve(reservation)
    expect(names.creationOf(UUID.toUpperCase())).toBe(reservation)
  })

  test('does not make anybody wait for changes that come later', async () => {
    await made(5, 'demo')
    let changed: (path: string) => void = () => undefined
    // Whatever is read, something has changed before the answer is there.
    await names.follow({
      read: async (path) => {
        changed('/libxl/900/x')
        return await store.read(path)
      },
      watch: async (path, handler) => {
        if (path === '/libxl' && handler !== undefined) changed = handler
        return await store.watch(`/nothing${path}`)
      },
    })
    await store.write('/local/domain/5/name', 'renamed')
    changed('/libxl/5/x')
    await names.refreshed()
    expect(names.domidOf('renamed')).toBe(5)
    changed = () => undefined
  })

  test('asks again when Xen refuses to say what a domain is', async () => {
    await names.follow(store)
    const { info } = host.hypervisor.domains
    host.hypervisor.domains.info = () => {
      throw new XenError('xc_domain_getinfo', 'EAGAIN', 11, 'EAGAIN')
    }
    await made(5, 'demo')
    await refreshed()
    expect(names.domidOf('demo')).toBeUndefined()
    host.hypervisor.domains.info = info
    for (const call of later.splice(0)) call()
    await refreshed()
    expect(names.domidOf('demo')).toBe(5)
  })

  test('keeps what it knows when a store begins anew, and asks the records for the rest', async () => {
    await made(5, 'demo')
    await names.follow(store)
    const fresh = new TestHost()
    const freshStore = await fresh.daemon.connect()
    host.daemon.domains.set(6, aDomain(6, { uuid: 'other' }))
    recorded.set(6 as Domid, 'second')
    await names.follow(freshStore)
    expect([names.domidOf('demo'), names.domidOf('second')]).toEqual([5, 6])
    expect(names.domidOfUuid(UUID)).toBe(5)
    await fresh.stop()
  })

  test('forgets, when a store begins anew, what Xen does not have any more', async () => {
    await made(5, 'demo')
    await names.follow(store)
    host.daemon.domains.set(5, aDomain(5, { uuid: 'another' }))
    await store.rm('/local/domain/5')
    await names.follow(store)
    expect(names.domidOf('demo')).toBeUndefined()
  })
})
