import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Domid } from '../../../native/hypervisor.ts'
import type { DomainRecord } from '../../../xcl/daemon/journal.ts'
import { createDomain } from '../../../xcl/domain/create.ts'
import { storeText, TestHost, until } from '../a-host.ts'

let host: TestHost

beforeEach(() => {
  host = new TestHost()
})
afterEach(() => host.stop())

/** A creation that has come as far as `call` and will never go on. */
function stuckAt(call: 'build' | 'prepare'): Promise<void> {
  return new Promise((resolve) => {
    host.hypervisor.before.set(call, () => {
      resolve()
      return new Promise(() => undefined)
    })
    void createDomain(host.toolstack, host.config())
  })
}

function aRecord(uuid: string, domid: Domid): DomainRecord {
  return { uuid, domid, config: host.config({ uuid }), isLeftPaused: false, quickDeaths: 0 }
}

describe('an xcld that follows one that was killed', () => {
  test('undoes a creation that was cut off', async () => {
    const store = await host.daemon.connect()
    await host.toolstack.store.client()
    const before = await storeText(store)
    await stuckAt('build')
    expect(host.records('journal')).toHaveLength(1)

    await host.killXcld()
    await until(() => host.records('journal').length === 0)

    expect([...host.daemon.domains.keys()]).toEqual([0])
    expect(await storeText(store)).toEqual(before)
    host.hypervisor.before.clear()
    await createDomain(host.toolstack, host.config())
  })

  test('removes what such a creation had written to the store', async () => {
    const { domid, uuid } = await createDomain(host.toolstack, host.config())
    const store = await host.daemon.connect()
    // As if it had been killed before the last steps: the record still says "begun".
    host.toolstack.journal.begin(aRecord(uuid, domid))

    await host.killXcld()
    await until(() => host.records('journal').length === 0)

    expect([...host.daemon.domains.keys()]).toEqual([0])
    expect(await store.directory('/libxl')).toEqual([])
    expect(await store.directory('/vm')).toEqual([])
    expect(host.records('domains')).toEqual([])
  })

  test('goes on following complete domains', async () => {
    const { domid } = await createDomain(host.toolstack, host.config())
    await host.killXcld()
    expect(host.toolstack.names.domidOf('demo')).toBe(domid)
    host.shutDown(domid, 'poweroff')
    await until(() => {
      host.pass()
      return !host.daemon.domains.has(domid)
    })
  })

  test('acts on what ended in between', async () => {
    const { domid } = await createDomain(host.toolstack, host.config())
    await host.stopXcld()
    host.hypervisor.change(domid, { isShutdown: true, shutdownReason: 'crash' })
    await host.killXcld()
    await until(() => {
      host.pass()
      return !host.daemon.domains.has(domid)
    })
  })
})
