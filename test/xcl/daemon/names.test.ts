import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { XenstoreClient } from '../../../lixs/client/client.ts'
import type { Domid } from '../../../native/hypervisor.ts'
import { DomainNames } from '../../../xcl/daemon/names.ts'
import { NameTaken } from '../../../xcl/output/errors.ts'
import { aDomain } from '../../support/a-conversation.ts'
import { TestHost } from '../a-host.ts'

const UUID = '6a1ec31f-2ad1-4d23-9f9b-3a2f6d1f9c01'

let host: TestHost
let store: XenstoreClient
let names: DomainNames

beforeEach(async () => {
  host = new TestHost()
  store = await host.daemon.connect()
  names = new DomainNames(host.hypervisor.domains)
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
    names.drop(5 as Domid)
    expect(names.domidOf('demo')).toBe(6)
  })
})
