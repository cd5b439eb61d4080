import { expect, test } from 'vitest'
import type { Domid } from '../../../native/hypervisor.ts'
import { aStore } from './a-store.ts'

test('a watch hears of its node and of all below, and of nothing beside', () => {
  const store = aStore()
  const dom0 = store.socket()
  dom0.watch('/a/b', 'ab')
  dom0.watch('/', 'root')
  dom0.write('/a/b', '1')
  dom0.write('/a/b/c/d', '2')
  dom0.write('/a/bc', '3')
  dom0.mkdir('/a/b/c')
  dom0.setPerms('/a', 'r0')
  expect(store.takeEvents()).toEqual([
    '0 /a/b ab',
    '0 /a/b root',
    '0 /a/b/c/d ab',
    '0 /a/b/c/d root',
    '0 /a/bc root',
    '0 /a root',
  ])
})

test('within a connection events come in the order of registration', () => {
  const store = aStore()
  const dom0 = store.socket()
  const expected: string[] = []
  for (let i = 0; i < 40; i++) {
    dom0.watch(['/a/b/c', '/', '/a', '/a/b'][i % 4] as string, `t${i}`)
    expected.push(`0 /a/b/c t${i}`)
  }
  dom0.write('/a/b/c', '')
  expect(store.takeEvents()).toEqual(expected)
})

test('a relative watch reports relative paths, whatever spelling the change had', () => {
  const store = aStore()
  const guest = store.guestAtHome(5)
  guest.watch('data', 'relative')
  guest.watch('/local/domain/5/data', 'absolute')
  store.socket().write('/local/domain/5/data/x', '')
  expect(store.takeEvents()).toEqual([
    `${guest.connection} data/x relative`,
    `${guest.connection} /local/domain/5/data/x absolute`,
  ])
})

test('the same path and token again is EEXIST, in any spelling; others are other watches', () => {
  const store = aStore()
  const guest = store.guest(5)
  expect(guest.watch('data', 't')).toBe('OK')
  expect(guest.watch('/local/domain/5/data', 't')).toBe('EEXIST')
  expect(guest.watch('data', 'u')).toBe('OK')
  expect(guest.watch('data', '')).toBe('OK')
  expect(store.socket().watch('/local/domain/5/data', 't')).toBe('OK')
  expect(guest.unwatch('/local/domain/5/data', 't')).toBe('OK')
  expect(guest.unwatch('data', 't')).toBe('ENOENT')
  expect(guest.unwatch('other', 't')).toBe('ENOENT')
  expect(store.store.accounts.usageOf(5 as Domid).watches).toBe(2)
})

test('a guest hears of the removal of what only its parent let it know of, but not of a commit of it', () => {
  const store = aStore()
  const dom0 = store.socket()
  const guest = store.guest(5)
  for (const path of ['/d', '/d/a', '/d/b', '/d/c']) dom0.mkdir(path)
  dom0.setPerms('/d', 'r0')
  dom0.setPerms('/d/c', 'n0 r5')
  guest.watch('/d', 't')
  store.takeEvents()
  dom0.rm('/d/a')
  const tx = dom0.start()
  dom0.rm('/d/b', tx)
  dom0.rm('/d/c', tx)
  expect(dom0.commit(tx)).toBe('OK')
  const { connection } = guest
  expect(store.takeEvents()).toEqual([`${connection} /d/a t`, `${connection} /d/c t`])
})

test('RM tells exact watches below, children first, then everyone of the root of it', () => {
  const store = aStore()
  const dom0 = store.socket()
  dom0.write('/top/p/x/y', '')
  dom0.write('/top/p/z', '')
  for (const path of ['/top', '/top/p', '/top/p/x', '/top/p/x/y', '/top/p/z', '/top/p/gone']) {
    dom0.watch(path, path.slice(5))
  }
  dom0.rm('/top/p')
  expect(store.takeEvents()).toEqual([
    '0 /top/p/x/y p/x/y',
    '0 /top/p/x p/x',
    '0 /top/p/z p/z',
    '0 /top/p ',
    '0 /top/p p',
  ])
})

test('a watch outlives its node and hears when it comes back', () => {
  const store = aStore()
  const dom0 = store.socket()
  dom0.write('/a/b/c', '')
  dom0.watch('/a/b/c', 't')
  dom0.rm('/a')
  store.takeEvents()
  expect(dom0.read('/a')).toBe('ENOENT')
  expect(dom0.directory('/')).toEqual(['tool'])
  dom0.write('/a/b/c', 'again')
  expect(store.takeEvents()).toEqual(['0 /a/b/c t'])
})

test('a guest hears of what it may read, or whose parent it may read', () => {
  const store = aStore()
  const dom0 = store.socket()
  const guest = store.guest(5)
  dom0.mkdir('/open')
  dom0.setPerms('/open', 'r0')
  guest.watch('/', 't')
  store.takeEvents()
  dom0.write('/secret', '')
  expect(store.takeEvents()).toEqual([])
  dom0.write('/open/x', '')
  dom0.setPerms('/open/x', 'n0')
  store.takeEvents()
  dom0.write('/open/x', 'unreadable, but its name is no secret')
  expect(store.takeEvents()).toEqual([`${guest.connection} /open/x t`])
  dom0.write('/open/x/y', '')
  expect(store.takeEvents()).toEqual([])
  dom0.setPerms('/open/x/y', 'n0 r5')
  expect(store.takeEvents()).toEqual([`${guest.connection} /open/x/y t`])
})

test('losing the right to read is told once', () => {
  const store = aStore()
  const dom0 = store.socket()
  const guest = store.guest(5)
  dom0.write('/x', '')
  dom0.setPerms('/x', 'n0 r5')
  guest.watch('/x', 't')
  dom0.setPerms('/x', 'n0')
  dom0.write('/x', 'no longer yours')
  expect(store.takeEvents()).toEqual([`${guest.connection} /x t`])
})

test('the removal of a readable node is told, of an unreadable one in a closed place is not', () => {
  const store = aStore()
  const dom0 = store.socket()
  const guest = store.guest(5)
  dom0.write('/closed/mine', '')
  dom0.write('/closed/secret', '')
  dom0.setPerms('/closed/mine', 'n0 r5')
  guest.watch('/closed', 'closed')
  guest.watch('/closed/mine', 'mine')
  guest.watch('/closed/secret', 'secret')
  dom0.rm('/closed')
  expect(store.takeEvents()).toEqual([`${guest.connection} /closed/mine mine`])
})

test('a guest has at most as many watches as its quota says', () => {
  const store = aStore({ quotas: { watches: 3 } })
  const guest = store.guest(5)
  for (const token of ['a', 'b', 'c']) expect(guest.watch('x', token)).toBe('OK')
  expect(guest.watch('x', 'd')).toBe('E2BIG')
  expect(guest.watch('x', 'a')).toBe('EEXIST')
  guest.unwatch('x', 'a')
  expect(guest.watch('x', 'd')).toBe('OK')
})

test('the ghosts of a watch are charged and go with it', () => {
  const store = aStore()
  const guest = store.guest(5)
  const before = store.store.accounts.held()
  guest.watch(`${'a/'.repeat(500)}a`, 't')
  expect(store.store.accounts.usageOf(5 as Domid).memoryBytes).toBeGreaterThan(500 * 128)
  expect(store.store.accounts.held().nodes).toBe(before.nodes + 504)
  guest.unwatch(`${'a/'.repeat(500)}a`, 't')
  expect(store.store.accounts.usageOf(5 as Domid).memoryBytes).toBe(0)
  expect(store.store.accounts.held()).toEqual(before)
})

test('a connection that ends takes its watches along', () => {
  const store = aStore()
  const dom0 = store.socket()
  const guest = store.guestAtHome(5)
  const before = store.store.accounts.held()
  for (let i = 0; i < 20; i++) guest.watch(`data/${i}`, `${i}`)
  guest.close()
  expect(store.store.accounts.held()).toEqual(before)
  dom0.write('/local/domain/5/data/3', '')
  expect(store.takeEvents()).toEqual([])
})
