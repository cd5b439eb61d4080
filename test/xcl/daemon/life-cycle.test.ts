import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Domid } from '../../../native/hypervisor.ts'
import { QUICK_DEATH_MS } from '../../../xcl/daemon/end-policy.ts'
import { createDomain } from '../../../xcl/domain/create.ts'
import { destroyDomain } from '../../../xcl/domain/destroy.ts'
import { requestShutdown } from '../../../xcl/domain/shutdown.ts'
import { TimedOut } from '../../../xcl/output/errors.ts'
import { storeText, TestHost, until } from '../a-host.ts'

let host: TestHost

beforeEach(async () => {
  host = new TestHost()
  await host.toolstack.store.client()
  // The listing with which following begins is not of interest here.
  host.pass()
})
afterEach(() => host.stop())

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
  await until(() => {
    host.pass()
    return isDone
  })
}

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
    host.toolstack.lifeCycle.scanSoon()
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

describe('a destroy of our own', () => {
  test('costs no listing of all domains', async () => {
    await createDomain(host.toolstack, host.config({ name: 'other' }))
    const { domid } = await createDomain(host.toolstack, host.config())
    await settled()
    const listings = (): number => host.hypervisor.calls.filter((call) => call === 'list').length
    const before = listings()
    host.hypervisor.before.set('destroy', () => host.daemon.loopback.removeDomain(domid))
    await host.toolstack.lifeCycle.ownRelease(async () => {
      const store = await host.toolstack.store.client()
      await store.release(domid)
    })
    await settled()
    expect(listings()).toBe(before)
    await destroyDomain(host.toolstack, domid)
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

  test('is told when the guest does not answer', async () => {
    const { domid } = await createDomain(host.toolstack, host.config())
    await settled()
    const request = requestShutdown(host.toolstack, domid, 'reboot')
    const failure = expect(request).rejects.toBeInstanceOf(TimedOut)
    await settled()
    await failure
  })
})
