import { rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Domid } from '../../../native/hypervisor.ts'
import { type DomainRecord, Journal } from '../../../xcl/daemon/journal.ts'
import { type Place, RecordFile } from '../../../xcl/daemon/record-file.ts'
import { createDomain } from '../../../xcl/domain/create.ts'
import { destroyDomain } from '../../../xcl/domain/destroy.ts'
import { aDomain } from '../../support/a-conversation.ts'
import { aDaemon } from '../../support/a-daemon.ts'
import { storeText } from '../../support/store-text.ts'
import { TestHost, until } from '../a-host.ts'

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
  const config = host.config({ uuid })
  const nothingOpen = { diskIdentities: [], openDisks: [] }
  return { uuid, domid, config, ...nothingOpen, isLeftPaused: false, quickDeaths: 0 }
}

function uuidOf(letter: string): string {
  return `${letter.repeat(8)}-0000-0000-0000-000000000000`
}

/** As an xcld of an earlier boot left it; for the next one to find. */
function writeRecord(uuid: string, domid: number): void {
  const journal = new Journal(join(host.folder.path, 'state'))
  const config = host.config({ name: uuid, uuid })
  journal.begin({ ...aRecord(uuid, domid as Domid), config })
  journal.complete(uuid)
  journal.close()
}

/** A record of which nobody can make sense; for the next xcld to find. */
function writeBrokenRecord(state: 'b' | 'd', uuid: string): void {
  const before: Place[] = []
  const file = new RecordFile(join(host.folder.path, 'state', 'domains.journal'), (found) => {
    if (found.uuid === uuid) before.push(found.place)
  })
  for (const place of before) file.remove(place)
  file.add(state, uuid, '{')
  file.close()
}

describe('an xcld that follows one that was killed', () => {
  test('undoes a creation that was cut off', async () => {
    const store = await host.daemon.connect()
    await host.toolstack.store.client()
    const before = await storeText(store)
    await stuckAt('build')
    expect(host.records('halfMade')).toHaveLength(1)

    await host.killXcld()
    await until(() => host.records('halfMade').length === 0)

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
    await until(() => host.records('halfMade').length === 0)

    expect([...host.daemon.domains.keys()]).toEqual([0])
    expect(await store.directory('/libxl')).toEqual([])
    expect(await store.directory('/vm')).toEqual([])
    expect(host.records('domains')).toEqual([])
  })

  test('undoes one whose record it cannot read, by its uuid', async () => {
    const uuid = 'bbbbbbbb-0000-0000-0000-000000000000'
    writeBrokenRecord('b', uuid)
    host.daemon.domains.set(7, { ...aDomain(7), uuid, isPaused: true })
    await host.killXcld()
    await until(() => host.records('halfMade').length === 0)
    expect([...host.daemon.domains.keys()]).toEqual([0])
  })

  test('leaves a guest alone whose record it cannot read', async () => {
    const { domid, uuid } = await createDomain(host.toolstack, host.config())
    writeBrokenRecord('d', uuid)
    await host.killXcld()
    expect(host.daemon.domains.has(domid)).toBe(true)
    await destroyDomain(host.toolstack, domid)
    expect(host.records('domains')).toEqual([])
  })

  test('undoes one that was cut off between its record and its start', async () => {
    const { domid, uuid } = await createDomain(host.toolstack, host.config())
    host.hypervisor.change(domid, { isPaused: true })
    expect(host.records('domains')).toEqual([uuid])
    await host.killXcld()
    await until(() => host.records('domains').length === 0)
    expect([...host.daemon.domains.keys()]).toEqual([0])
  })

  test('keeps one that was to be left paused', async () => {
    const { domid } = await createDomain(host.toolstack, host.config(), { isLeftPaused: true })
    await host.killXcld()
    expect(host.daemon.domains.get(domid)?.isPaused).toBe(true)
    expect(host.toolstack.lifeCycle.managed(domid)).toBeDefined()
  })

  test('copes with a half-made domain that Xen frees meanwhile', async () => {
    await stuckAt('build')
    host.hypervisor.before.set('destroy', () => void host.daemon.domains.delete(1))
    await host.killXcld()
    await until(() => host.records('halfMade').length === 0)
  })

  test('tries again what Xen does not let it undo', async () => {
    await stuckAt('build')
    host.hypervisor.failing.set('destroy', 'EBUSY')
    await host.killXcld()
    expect(host.daemon.domains.has(1)).toBe(true)
    host.hypervisor.failing.clear()
    await until(() => {
      host.pass()
      return host.records('halfMade').length === 0
    })
    expect([...host.daemon.domains.keys()]).toEqual([0])
  })

  test.each([
    ['a', 'b'],
    ['b', 'a'],
  ])('follows the domain that Xen has, not one of an earlier boot (%s)', async (stale, live) => {
    const [old, now] = [uuidOf(stale), uuidOf(live)]
    for (const uuid of [old, now]) writeRecord(uuid, 1)
    host.daemon.domains.set(1, aDomain(1, { uuid: now }))
    await host.killXcld()
    await until(() => host.records('domains').length === 1)
    expect(host.toolstack.lifeCycle.managed(1 as Domid)?.uuid).toBe(now)
    expect(host.records('domains')).toEqual([now])
    expect(host.daemon.domains.has(1)).toBe(true)
  })

  test('leaves a new guest alone that has the number of one of an earlier boot', async () => {
    writeRecord(uuidOf('a'), 1)
    await host.killXcld()
    const { domid, uuid } = await createDomain(host.toolstack, host.config())
    expect(domid).toBe(1)
    await until(() => {
      host.pass()
      return !host.records('domains').includes(uuidOf('a'))
    })
    expect(host.records('domains')).toEqual([uuid])
    expect(host.toolstack.names.domidOf('demo')).toBe(1)
    const store = await host.daemon.connect()
    expect(await store.read('/local/domain/1/vm')).toBe(`/vm/${uuid}`)
  })

  test('creates what was to be created again', async () => {
    const uuid = uuidOf('a')
    host.toolstack.journal.beginRestart({ ...aRecord(uuid, 1 as Domid), domid: undefined })
    await host.xcld.start()
    await until(() => host.records('restarts').length === 0)
    expect(host.toolstack.names.domidOfUuid(uuid)).toBe(1)
    expect(host.records('domains')).toEqual([uuid])
  })

  test('creates nothing again that is there', async () => {
    const { domid, uuid } = await createDomain(host.toolstack, host.config())
    host.toolstack.journal.beginRestart({ ...aRecord(uuid, domid), domid: undefined })
    await host.killXcld()
    await until(() => host.records('restarts').length === 0)
    expect([...host.daemon.domains.keys()]).toEqual([0, domid])
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

describe('an xcld whose store', () => {
  test('comes later finds it without being asked', async () => {
    const later = aDaemon()
    const path = join(host.folder.path, 'later.sock')
    const lonely = new TestHost({ storeSocket: path })
    await lonely.xcld.start()
    for (let i = 0; i < 3; i++) {
      await expect(lonely.toolstack.store.client()).rejects.toThrow(/does not answer/)
      lonely.pass()
    }
    symlinkSync(later.socketPath, path)
    const store = await later.connect()
    let isConnected = false
    // xcld makes the parents of all domains' nodes when it connects; nobody has asked it anything.
    await store.watch('/libxl', () => {
      isConnected = true
    })
    isConnected = false
    await until(() => {
      lonely.pass()
      return isConnected
    })
    await lonely.stop()
    later.stop()
  })

  test('begins anew still knows its domains, and destroys them', async () => {
    const path = join(host.folder.path, 'store.sock')
    const first = aDaemon()
    symlinkSync(first.socketPath, path)
    const own = new TestHost({ storeSocket: path })
    own.hypervisor.givesRings = false
    await own.xcld.start()
    own.daemon.domains.set(3, aDomain(3, { uuid: uuidOf('c') }))
    const config = own.config({ uuid: uuidOf('c') })
    const managed = { domid: 3 as Domid, uuid: uuidOf('c'), startedAtMs: 0, quickDeaths: 0, config }
    own.toolstack.lifeCycle.track(managed)

    const second = aDaemon()
    rmSync(path)
    symlinkSync(second.socketPath, path)
    first.stop()
    await until(() => {
      own.pass()
      return own.toolstack.names.domidOf('demo') !== undefined
    })
    await expect(createDomain(own.toolstack, own.config())).rejects.toThrow(/demo is taken/)
    await destroyDomain(own.toolstack, 3 as Domid)
    expect(own.daemon.domains.has(3)).toBe(false)
    expect(own.toolstack.names.domidOf('demo')).toBeUndefined()
    await own.stop()
    second.stop()
  })
})

describe('an xcld that is told to end', () => {
  test('waits until what it was creating is undone', async () => {
    let build: () => void = () => undefined
    host.hypervisor.before.set('build', () => new Promise<void>((resolve) => (build = resolve)))
    const creation = expect(createDomain(host.toolstack, host.config())).rejects.toThrow()
    await until(() => host.hypervisor.calls.includes('build 1'))
    const stopped = host.xcld.stop()
    build()
    await stopped
    expect([...host.daemon.domains.keys()]).toEqual([0])
    expect(host.records('halfMade')).toEqual([])
    await creation
  })

  test('does not wait longer than ten seconds', async () => {
    await stuckAt('build')
    const stopped = host.xcld.stop()
    host.pass()
    await stopped
    expect(host.records('halfMade')).toHaveLength(1)
  })
})

describe('an undo that failed', () => {
  test('is tried again as long as xcld lives', async () => {
    const store = await host.daemon.connect()
    await host.toolstack.store.client()
    const before = await storeText(store)
    host.hypervisor.failing.set('unpause', 'EPERM')
    host.hypervisor.failing.set('destroy', 'EBUSY')
    await expect(createDomain(host.toolstack, host.config())).rejects.toThrow(/EPERM/)
    expect(host.daemon.domains.has(1)).toBe(true)
    host.hypervisor.failing.clear()
    // Meanwhile the name is free, and its next bearer is not touched.
    const { uuid } = await createDomain(host.toolstack, host.config())
    await until(() => {
      host.pass()
      return !host.daemon.domains.has(1)
    })
    await until(() => host.records('domains').length === 1)
    expect(host.records('domains')).toEqual([uuid])
    await destroyDomain(host.toolstack, 2 as Domid)
    expect(await storeText(store)).toEqual(before)
  })
})
