import { expect, onTestFinished, test } from 'vitest'
import type { Domid } from '../../../native/hypervisor.ts'
import { StateMemory } from '../../../native/os/state-memory.ts'
import { aStore } from './a-store.ts'

test('a fresh store has the root, /tool, /tool/xenstored and the special nodes', () => {
  const dom0 = aStore().socket()
  expect(dom0.directory('/')).toEqual(['tool'])
  expect(dom0.directory('/tool')).toEqual(['xenstored'])
  expect(dom0.read('/tool/xenstored')).toBe('')
  for (const path of ['/', '/tool', '/tool/xenstored', '@introduceDomain', '@releaseDomain']) {
    expect(dom0.getPerms(path)).toBe('n0')
  }
})

test('what was written is read, and missing parents are made empty', () => {
  const dom0 = aStore().socket()
  expect(dom0.write('/a/b/c', 'hello')).toBe('OK')
  expect(dom0.read('/a/b/c')).toBe('hello')
  expect(dom0.read('/a/b')).toBe('')
  expect(dom0.directory('/a')).toEqual(['b'])
  expect(dom0.read('/a/x')).toBe('ENOENT')
})

test('special paths answer EINVAL to all but WATCH, UNWATCH, GET_PERMS and SET_PERMS', () => {
  const dom0 = aStore().socket()
  const path = '@releaseDomain'
  expect(dom0.read(path)).toBe('EINVAL')
  expect(dom0.directory(path)).toBe('EINVAL')
  expect(dom0.directoryPart(path, 0)).toBe('EINVAL')
  expect(dom0.write(path, 'x')).toBe('EINVAL')
  expect(dom0.mkdir(path)).toBe('EINVAL')
  expect(dom0.rm(path)).toBe('EINVAL')
  expect(dom0.setPerms(path, 'n0 r5')).toBe('OK')
  expect(dom0.getPerms(path)).toBe('n0 r5')
  expect(dom0.watch(path, 't')).toBe('OK')
  expect(dom0.unwatch(path, 't')).toBe('OK')
})

test('a special path that is none of the two is not there', () => {
  const store = aStore()
  expect(store.socket().getPerms('@other')).toBe('ENOENT')
  expect(store.guest(5).getPerms('@other')).toBe('EACCES')
  expect(store.guest(6).setPerms('@releaseDomain', 'r6')).toBe('EACCES')
})

test('introducing fires @introduceDomain once, for those who may read it', () => {
  const store = aStore()
  const dom0 = store.socket()
  dom0.watch('@introduceDomain', 'in')
  const curious = store.guest(4)
  curious.watch('@introduceDomain', 'me too')
  store.takeEvents()
  const guest = store.guest(5)
  expect(store.takeEvents()).toEqual(['0 @introduceDomain in'])
  store.store.introduceDomain(5 as Domid, guest.connection)
  expect(store.takeEvents()).toEqual([])
  dom0.setPerms('@introduceDomain', 'n0 r4')
  store.takeEvents()
  store.guest(6)
  expect(store.takeEvents()).toEqual(['0 @introduceDomain in', '1 @introduceDomain me too'])
})

test('a released domain loses its nodes with all below, told before @releaseDomain', () => {
  const store = aStore()
  const dom0 = store.socket()
  const guest = store.guestAtHome(5)
  guest.write('data/x', '1')
  dom0.write('/local/domain/5/data/dom0s', '1')
  dom0.setPerms('/local/domain/5/data/dom0s', 'n0')
  dom0.watch('/local/domain/5', 'home')
  dom0.watch('/local/domain/5/data/x', 'x')
  dom0.watch('@releaseDomain', 'gone')
  guest.close()
  store.takeEvents()
  store.release(5)
  expect(store.takeEvents()).toEqual([
    '0 /local/domain/5/data/x x',
    '0 /local/domain/5 home',
    '0 @releaseDomain gone',
  ])
  expect(dom0.directory('/local/domain')).toEqual([])
  expect(store.store.isIntroduced(5 as Domid)).toBe(false)
  expect(store.store.accounts.usageOf(5 as Domid)).toEqual({
    nodes: 0,
    watches: 0,
    transactions: 0,
    memoryBytes: 0,
  })
})

test('orphans that are kept belong to dom0', () => {
  const store = aStore({ keepOrphans: true })
  const dom0 = store.socket()
  store.guestAtHome(5).write('data', '1')
  dom0.setPerms('@releaseDomain', 'n5')
  store.release(5)
  expect(dom0.read('/local/domain/5/data')).toBe('1')
  expect(dom0.getPerms('/local/domain/5/data')).toBe('n0')
  expect(dom0.getPerms('@releaseDomain')).toBe('n0')
})

test('the special nodes and the root outlive their owner', () => {
  const store = aStore()
  const dom0 = store.socket()
  store.guest(5)
  dom0.setPerms('/', 'r5')
  dom0.setPerms('@releaseDomain', 'r5')
  store.release(5)
  expect(dom0.getPerms('/')).toBe('r0')
  expect(dom0.getPerms('@releaseDomain')).toBe('r0')
  expect(dom0.directory('/')).toEqual(['tool'])
})

test('a domain that SET_PERMS has named is known, and its release is not announced', () => {
  const store = aStore()
  const dom0 = store.socket()
  dom0.watch('@releaseDomain', 'gone')
  dom0.write('/x', '1')
  dom0.setPerms('/x', 'n0 r9')
  store.guest(5)
  expect(store.store.knownDomains()).toEqual([5, 9])
  expect(store.store.isIntroduced(9 as Domid)).toBe(false)
  expect(store.store.markShutdown(9 as Domid)).toBe(false)
  store.release(9)
  expect(store.takeEvents()).toEqual([])
  expect(store.store.knownDomains()).toEqual([5])
})

test('a shutdown is news once, until RESUME', () => {
  const store = aStore()
  store.guest(5)
  expect(store.store.markShutdown(5 as Domid)).toBe(true)
  expect(store.store.markShutdown(5 as Domid)).toBe(false)
  store.store.clearShutdown(5 as Domid)
  expect(store.store.markShutdown(5 as Domid)).toBe(true)
})

test('a target must be introduced and connected', () => {
  const store = aStore()
  store.guest(5)
  expect(store.store.setTarget(5 as Domid, 6 as Domid)).toBe('ENOENT')
  store.guest(6).close()
  expect(store.store.setTarget(5 as Domid, 6 as Domid)).toBe('EINVAL')
  store.guest(7)
  expect(store.store.setTarget(5 as Domid, 7 as Domid)).toBe('OK')
})

test('a store takes up what it finds in its memory', () => {
  const memory = StateMemory.anonymous(2 ** 30)
  onTestFinished(() => memory.close())
  const before = aStore({ memory })
  const guest = before.guestAtHome(5)
  guest.write('data', 'kept')
  guest.watch('data', 'token')
  const tx = guest.start()
  guest.write('data', 'changed', tx)
  const successor = aStore({ memory })
  expect(successor.store.connectionOf(5 as Domid)).toBe(guest.connection)
  expect(successor.store.accounts.held()).toEqual(before.store.accounts.held())
  const slot = successor.store.findTransaction(guest.connection, tx)
  expect(successor.store.endTransaction(slot, true)).toBe('OK')
  expect(successor.takeEvents()).toEqual([`${guest.connection} data token`])
  expect(guest.read('data')).toBe('changed')
})
