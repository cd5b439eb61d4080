import { expect, test } from 'vitest'
import type { Domid } from '../../../native/hypervisor.ts'
import { Chance } from '../connection/isolation.ts'
import { aStore } from './a-store.ts'

test('what is missing is ENOENT only for who may look there', () => {
  const store = aStore()
  const dom0 = store.socket()
  const guest = store.guest(5)
  dom0.mkdir('/open')
  dom0.setPerms('/open', 'r0')
  dom0.mkdir('/closed')
  expect(guest.read('/open/x/y')).toBe('ENOENT')
  expect(guest.directory('/open/x')).toBe('ENOENT')
  expect(guest.getPerms('/open/x')).toBe('ENOENT')
  expect(guest.read('/closed/x')).toBe('EACCES')
  expect(guest.read('/nowhere')).toBe('EACCES')
  expect(guest.rm('/open/x')).toBe('EACCES')
  expect(guest.setPerms('/open/x', 'n5')).toBe('EACCES')
  expect(dom0.read('/closed/x')).toBe('ENOENT')
})

test('reading needs nothing of the ancestors', () => {
  const store = aStore()
  const dom0 = store.socket()
  dom0.write('/a/b/c', 'v')
  dom0.setPerms('/a/b/c', 'n0 r5')
  expect(store.guest(5).read('/a/b/c')).toBe('v')
})

test('MKDIR of what is there changes nothing but needs the right to', () => {
  const store = aStore()
  const dom0 = store.socket()
  dom0.write('/a', 'v')
  dom0.setPerms('/a', 'r0')
  dom0.watch('/a', 't')
  store.takeEvents()
  expect(dom0.mkdir('/a')).toBe('OK')
  expect(store.guest(5).mkdir('/a')).toBe('EACCES')
  expect(dom0.read('/a')).toBe('v')
  expect(store.takeEvents()).toEqual([])
})

test('RM: the missing child of a parent that is there is removed already', () => {
  const store = aStore()
  const dom0 = store.socket()
  dom0.mkdir('/a')
  dom0.watch('/', 't')
  expect(dom0.rm('/a/x')).toBe('OK')
  expect(dom0.rm('/a/x/y')).toBe('ENOENT')
  expect(store.takeEvents()).toEqual([])
  expect(dom0.rm('/a')).toBe('OK')
  expect(dom0.read('/a')).toBe('ENOENT')
})

test('RM of the root is refused, first for want of permission', () => {
  const store = aStore()
  expect(store.socket().rm('/')).toBe('EINVAL')
  expect(store.guest(5).rm('/')).toBe('EACCES')
})

test('RM asks for the right on the node, not on what is below', () => {
  const store = aStore()
  const dom0 = store.socket()
  const guest = store.guestAtHome(5)
  guest.mkdir('dir')
  dom0.write('/local/domain/5/dir/x', '')
  dom0.setPerms('/local/domain/5/dir/x', 'n0')
  expect(guest.rm('dir/x')).toBe('EACCES')
  expect(guest.rm('dir')).toBe('OK')
})

test('children are listed in the order in which they were made', () => {
  const dom0 = aStore().socket()
  for (const name of ['c', 'a', 'b']) dom0.mkdir(`/d/${name}`)
  expect(dom0.directory('/d')).toEqual(['c', 'a', 'b'])
  dom0.rm('/d/a')
  dom0.write('/d/a', '')
  expect(dom0.directory('/d')).toEqual(['c', 'b', 'a'])
})

test('a list that does not fit is E2BIG, and comes in parts', () => {
  const dom0 = aStore().socket()
  const names = Array.from({ length: 1200 }, (_, i) => `child${i}`)
  for (const name of names) dom0.mkdir(`/d/${name}`)
  expect(dom0.directory('/d')).toBe('E2BIG')
  const got: string[] = []
  let generation = ''
  for (let offset = 0; got.at(-1) !== ''; ) {
    const part = dom0.directoryPart('/d', offset)
    if (typeof part === 'string') throw new Error(part)
    const [head, ...rest] = part
    if (offset > 0) expect(head).toBe(generation)
    generation = head ?? ''
    got.push(...rest)
    offset = got.join('\0').length + 1
  }
  expect(got).toEqual([...names, ''])
  expect(dom0.directoryPart('/d', 1e6)).toEqual([generation, ''])
  dom0.write('/d/child0', 'changed')
  expect(dom0.directoryPart('/d', 1e6)).toEqual([generation, ''])
  dom0.rm('/d/child0')
  expect(dom0.directoryPart('/d', 1e6)).not.toEqual([generation, ''])
})

test('a part of a list is the same, whatever part of it was asked for before', () => {
  const dom0 = aStore().socket()
  const chance = new Chance(1)
  const child = () => `/d/${'name'.repeat(1 + chance.below(8))}${chance.below(400)}`
  for (let i = 0; i < 400; i++) dom0.mkdir(child())
  dom0.mkdir('/other/child')
  let offset = 0
  for (let i = 0; i < 2000; i++) {
    if (chance.below(10) === 0) dom0.rm(child())
    if (chance.below(10) === 0) dom0.mkdir(child())
    if (chance.below(4) === 0) offset = chance.below(9000)
    const part = dom0.directoryPart('/d', offset)
    // Where a list of another node has ended is no place in this one.
    dom0.directoryPart('/other', 0)
    expect(part).toEqual(dom0.directoryPart('/d', offset))
    if (chance.below(4) === 0) dom0.directoryPart('/d', chance.below(9000))
    const length = typeof part === 'string' ? 0 : part.slice(1).join('|').length + 1
    offset = length < 3000 ? 0 : offset + length
  }
})

test('a guest owns at most as many nodes as its quota says; dom0 may give it more', () => {
  const store = aStore({ quotas: { nodes: 5 } })
  const dom0 = store.socket()
  const guest = store.guestAtHome(5)
  expect(guest.write('a/b/c', '')).toBe('OK')
  expect(guest.write('d/e', '')).toBe('ENOSPC')
  expect(guest.mkdir('d')).toBe('OK')
  expect(guest.mkdir('e')).toBe('ENOSPC')
  expect(dom0.mkdir('/local/domain/5/e')).toBe('OK')
  expect(store.store.accounts.usageOf(5 as Domid).nodes).toBe(6)
  expect(guest.rm('a')).toBe('OK')
  expect(guest.mkdir('f')).toBe('OK')
})

test('a guest makes no node bigger than its quota says, but may always make it smaller', () => {
  const store = aStore()
  const guest = store.guestAtHome(5)
  expect(guest.write('x', 'v'.repeat(2010))).toBe('OK')
  expect(guest.write('x', 'v'.repeat(2020))).toBe('ENOSPC')
  expect(guest.write('y', 'v'.repeat(2020))).toBe('ENOSPC')
  expect(guest.read('y')).toBe('ENOENT')
  store.socket().write('/local/domain/5/x', 'v'.repeat(4000))
  expect(guest.write('x', 'v'.repeat(3999))).toBe('OK')
  let made = 0
  while (guest.mkdir(`dir/name${1000 + made}`) === 'OK') made++
  expect(made).toBe(Math.floor((2047 - 32) / 'name1000 '.length))
  expect(guest.rm('dir/name1000')).toBe('OK')
})

test('memory is charged to the owner and limits a guest', () => {
  const store = aStore({ quotas: { memoryHard: 3900 } })
  const guest = store.guestAtHome(5)
  expect(guest.write('a', 'v'.repeat(1800))).toBe('OK')
  expect(guest.write('b', 'v'.repeat(1800))).toBe('ENOMEM')
  expect(guest.write('a', '')).toBe('OK')
  expect(guest.write('b', 'v'.repeat(1800))).toBe('OK')
  expect(guest.watch('b', 't'.repeat(2000))).toBe('ENOMEM')
})

test('two thousand levels are made, read and removed', () => {
  const store = aStore()
  const dom0 = store.socket()
  const before = store.store.accounts.held()
  const path = '/a'.repeat(2040)
  expect(dom0.write(path, 'deep')).toBe('OK')
  expect(dom0.read(path)).toBe('deep')
  expect(dom0.rm('/a')).toBe('OK')
  expect(store.store.accounts.held()).toEqual(before)
})

test('a full table refuses and leaves nothing half-made', () => {
  const store = aStore()
  const dom0 = store.socket()
  const before = store.store.accounts.held()
  let made = 0
  while (dom0.mkdir(`/full/${made}/${'x/'.repeat(1000)}x`) === 'OK') made++
  expect(dom0.directory(`/full`)).toHaveLength(made)
  expect(dom0.rm('/full')).toBe('OK')
  expect(store.store.accounts.held()).toEqual(before)
})
