import { expect, test } from 'vitest'
import type { Domid } from '../../../native/hypervisor.ts'
import { aStore } from './a-store.ts'

/** What guest 4 may do to a node with this list: `-`, `r`, `w` or `rw`. */
function rightsOf4(list: string, target?: number): string {
  const store = aStore()
  const dom0 = store.socket()
  const guest = store.guest(4)
  if (target !== undefined) {
    store.guest(target)
    store.store.setTarget(4 as Domid, target as Domid)
  }
  dom0.write('/x', 'v')
  expect(dom0.setPerms('/x', list)).toBe('OK')
  const rights =
    (guest.read('/x') === 'v' ? 'r' : '') + (guest.write('/x', 'v') === 'OK' ? 'w' : '')
  return rights || '-'
}

test.each([
  ['n4', 'rw'],
  ['n3', '-'],
  ['r3', 'r'],
  ['w3', 'w'],
  ['b3', 'rw'],
  ['n3 r4', 'r'],
  ['n3 n4 r4', '-'],
  ['b3 n4', '-'],
  ['n3 b8 r9', '-'],
  ['n3 r4 b4', 'r'],
  ['n3 w0x4', 'w'],
  ['n3 b04', 'rw'],
])('%s gives domain 4: %s', (list, rights) => {
  expect(rightsOf4(list)).toBe(rights)
})

test('a domain has the rights of its target too', () => {
  expect(rightsOf4('n7', 7)).toBe('rw')
  expect(rightsOf4('n3 r7', 7)).toBe('r')
  expect(rightsOf4('n3 r7 b4', 7)).toBe('r')
  expect(rightsOf4('n3', 7)).toBe('-')
})

test('a target that has died gives nothing, nor does its successor', () => {
  const store = aStore()
  const dom0 = store.socket()
  const guest = store.guest(4)
  store.guest(7)
  store.store.setTarget(4 as Domid, 7 as Domid)
  store.release(7)
  store.guest(7)
  dom0.write('/x', 'v')
  dom0.setPerms('/x', 'n7')
  expect(guest.read('/x')).toBe('EACCES')
})

test('a list is given back as it was set, numbers in decimal', () => {
  const store = aStore()
  const dom0 = store.socket()
  dom0.write('/x', '')
  expect(dom0.setPerms('/x', 'n0x10 r5 w5 b007 r5')).toBe('OK')
  expect(dom0.getPerms('/x')).toBe('n16 r5 w5 b7 r5')
})

test.each([
  '',
  'x5',
  'r',
  'n5 q6',
  'n5x',
  'n 5',
  'n-1',
  'n99999',
  'n09',
  'n0xg',
  'n65536',
])('not a list: %j', (list) => {
  const dom0 = aStore().socket()
  dom0.write('/x', '')
  expect(dom0.setPerms('/x', list)).toBe('EINVAL')
})

test('the owner must exist; others that do not are kept but count for nobody', () => {
  const living = new Set([4])
  const store = aStore({ existing: (domid) => living.has(domid) })
  const dom0 = store.socket()
  dom0.write('/x', 'v')
  expect(dom0.setPerms('/x', 'n9')).toBe('ENOENT')
  expect(dom0.setPerms('/x', 'n0 r9')).toBe('OK')
  expect(dom0.getPerms('/x')).toBe('n0 r9')
  living.add(9)
  const guest = store.guest(9)
  expect(guest.read('/x')).toBe('EACCES')
  dom0.setPerms('/x', 'n0 r9')
  expect(guest.read('/x')).toBe('v')
})

test("Xen's reserved domids own nothing, and are given nothing", () => {
  const dom0 = aStore().socket()
  dom0.write('/x', '')
  expect(dom0.setPerms('/x', 'n32752')).toBe('ENOENT')
  expect(dom0.setPerms('/x', 'n65535')).toBe('ENOENT')
  expect(dom0.setPerms('/x', 'n0 r32752')).toBe('OK')
  expect(dom0.getPerms('/x')).toBe('n0 r32752')
})

test.each([
  ['n3 r32757', 'r'],
  ['n3 n4 b32757', '-'],
  ['n3 w32757 b4', 'w'],
  ['b3 n32757', '-'],
  ['n32757', 'rw'],
])('DOMID_ANY names every domain: %s gives domain 4: %s', (list, rights) => {
  expect(rightsOf4(list)).toBe(rights)
})

test('what everybody owns is charged to nobody, and anybody may set its permissions', () => {
  const store = aStore()
  const dom0 = store.socket()
  const guest = store.guest(4)
  dom0.write('/x', 'v')
  dom0.setPerms('/x', 'n32757')
  expect(guest.setPerms('/x', 'r32757 n4')).toBe('OK')
  expect(guest.setPerms('/x', 'n4')).toBe('EPERM')
  expect(store.store.accounts.usageOf(4 as Domid)).toMatchObject({ nodes: 0, memoryBytes: 0 })
  store.release(4)
  expect(dom0.getPerms('/x')).toBe('r32757 n4')
})

test('DOMID_ANY from a domain that is not offered it is kept but counts for nobody, for ever', () => {
  const store = aStore()
  const other = store.guest(5)
  const guest = store.guestAtHome(4)
  guest.write('x', 'v')
  store.store.settings.setFeatures(4 as Domid, 7)
  expect(guest.setPerms('x', 'n4 r32757')).toBe('OK')
  expect(guest.getPerms('x')).toBe('n4 r32757')
  expect(other.read('/local/domain/4/x')).toBe('EACCES')
  store.store.settings.setFeatures(4 as Domid, 15)
  expect(other.read('/local/domain/4/x')).toBe('EACCES')
  expect(guest.setPerms('x', 'n4 r32757')).toBe('OK')
  expect(other.read('/local/domain/4/x')).toBe('v')
})

test('permissions set before INTRODUCE count after it', () => {
  const store = aStore()
  const dom0 = store.socket()
  dom0.write('/x', 'v')
  dom0.setPerms('/x', 'n0 r5')
  expect(store.guest(5).read('/x')).toBe('v')
})

test('a domid that is used again gets nothing of what its predecessor was allowed', () => {
  const store = aStore()
  const dom0 = store.socket()
  store.guest(5)
  dom0.write('/x', 'v')
  dom0.setPerms('/x', 'n0 r5')
  store.release(5)
  const successor = store.guest(5)
  expect(successor.read('/x')).toBe('EACCES')
  expect(dom0.getPerms('/x')).toBe('n0 r5')
  dom0.setPerms('/x', 'n0 r5')
  expect(successor.read('/x')).toBe('v')
})

test('only the owner sets permissions, and only the privileged give a node away', () => {
  const store = aStore()
  const dom0 = store.socket()
  const owner = store.guestAtHome(5)
  const writer = store.guest(6)
  owner.write('x', '1')
  expect(owner.setPerms('x', 'n5 b6')).toBe('OK')
  expect(writer.setPerms('/local/domain/5/x', 'b6')).toBe('EACCES')
  expect(writer.write('/local/domain/5/x', '2')).toBe('OK')
  expect(owner.setPerms('x', 'n6')).toBe('EPERM')
  expect(dom0.setPerms('/local/domain/5/x', 'n6')).toBe('OK')
  expect(owner.read('x')).toBe('EACCES')
  expect(store.store.accounts.usageOf(5 as Domid).nodes).toBe(1)
  expect(store.store.accounts.usageOf(6 as Domid).nodes).toBe(1)
})

test('a guest sets at most as many permissions as its quota says', () => {
  const store = aStore()
  const guest = store.guestAtHome(5)
  guest.write('x', '')
  expect(guest.setPerms('x', 'n5 r1 r2 r3 r4')).toBe('OK')
  expect(guest.setPerms('x', 'n5 r1 r2 r3 r4 r6')).toBe('ENOSPC')
  expect(store.socket().setPerms('/local/domain/5/x', 'n5 r1 r2 r3 r4 r6 r7')).toBe('OK')
})

test('a node takes all permissions of its parent, and its maker as owner if that is a guest', () => {
  const store = aStore()
  const dom0 = store.socket()
  const guest = store.guest(8)
  dom0.mkdir('/sh')
  dom0.setPerms('/sh', 'n3 b8 r9')
  expect(guest.write('/sh/a/b', '')).toBe('OK')
  expect(guest.getPerms('/sh/a')).toBe('n8 b8 r9')
  expect(guest.getPerms('/sh/a/b')).toBe('n8 b8 r9')
  dom0.write('/sh/c', '')
  expect(dom0.getPerms('/sh/c')).toBe('n3 b8 r9')
  expect(store.store.accounts.usageOf(3 as Domid).nodes).toBe(2)
  expect(store.store.accounts.usageOf(8 as Domid).nodes).toBe(2)
})
