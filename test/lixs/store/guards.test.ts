/** What would spoil a guarded transaction, and what would not. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { Change } from '../../../lixs/store/guards.ts'
import { ParsedPath, parsePath } from '../../../lixs/store/path.ts'
import type { Domid } from '../../../native/hypervisor.ts'
import { aStore, type Client, type TestStore } from './a-store.ts'

let store: TestStore
let dom0: Client
let guest: Client

beforeEach(() => {
  store = aStore()
  dom0 = store.socket()
  guest = store.guest(5)
  for (const path of ['/a', '/a/b', '/a/b/c', '/other']) dom0.write(path, '0')
  for (const path of ['/', '/a', '/a/b', '/a/b/c', '/other']) dom0.setPerms(path, 'b5')
})

function pathOf(text: string): ParsedPath {
  const path = new ParsedPath()
  const bytes = Buffer.from(text)
  if (!parsePath(bytes, 0, bytes.length, 0 as Domid, path, 0)) throw new Error(text)
  return path
}

/** Two transactions fail about a node. */
function afflict(client: Client, path = '/other'): void {
  for (let i = 0; i < 2; i++) {
    const tx = client.start()
    client.read(path, tx)
    dom0.write(path, `again ${i}`)
    expect(client.commit(tx)).toBe('EAGAIN')
  }
}

const isSpoilt = (path: string, change: Change, by = guest) =>
  store.store.guards.against(by.connection, false, pathOf(path), change) !== 0

describe('a guarded transaction is spoilt', () => {
  type Row = readonly [
    name: string,
    touch: (tx: number) => void,
    path: string,
    change: Change,
    is: boolean,
  ]
  const rows: readonly Row[] = [
    ['by a write of what it has read', (tx) => dom0.read('/a/b', tx), '/a/b', 'write', true],
    [
      'not by a write of what is beside it',
      (tx) => dom0.read('/a/b', tx),
      '/a/b/c',
      'write',
      false,
    ],
    [
      'not by a write of what it only writes',
      (tx) => dom0.write('/a/b', '1', tx),
      '/a/b',
      'write',
      false,
    ],
    ['not by MKDIR of what is there', (tx) => dom0.read('/a/b', tx), '/a/b', 'mkdir', false],
    [
      'by MKDIR below what it has listed',
      (tx) => dom0.directory('/a', tx),
      '/a/new',
      'mkdir',
      true,
    ],
    [
      'by a write that makes a node below what it has listed',
      (tx) => dom0.directory('/a', tx),
      '/a/x/y',
      'write',
      true,
    ],
    ['not by MKDIR below what it has read', (tx) => dom0.read('/a', tx), '/a/new', 'mkdir', false],
    ['by MKDIR of what it has missed', (tx) => dom0.read('/a/new', tx), '/a/new', 'mkdir', true],
    [
      'by MKDIR below what it has missed',
      (tx) => dom0.read('/a/new', tx),
      '/a/new/x',
      'mkdir',
      true,
    ],
    [
      'not by MKDIR beside what it has missed',
      (tx) => dom0.read('/a/new', tx),
      '/a/else',
      'mkdir',
      false,
    ],
    ['by RM of what it has read', (tx) => dom0.read('/a/b', tx), '/a/b', 'rm', true],
    ['by RM of what is above', (tx) => dom0.read('/a/b/c', tx), '/a', 'rm', true],
    ['by RM below what it has listed', (tx) => dom0.directory('/a', tx), '/a/b', 'rm', true],
    ['not by RM elsewhere', (tx) => dom0.read('/a/b', tx), '/other', 'rm', false],
    ['not by RM of what is not there', (tx) => dom0.read('/a/new', tx), '/a/new', 'rm', false],
    [
      'by SET_PERMS of what it has asked the permissions of',
      (tx) => dom0.getPerms('/a', tx),
      '/a',
      'setPerms',
      true,
    ],
    [
      'by SET_PERMS of what it makes nodes below',
      (tx) => dom0.mkdir('/a/new', tx),
      '/a',
      'setPerms',
      true,
    ],
    ['not by SET_PERMS of what it has read', (tx) => dom0.read('/a', tx), '/a', 'setPerms', false],
  ]

  test.for(rows)('%s', ([, touch, path, change, is]) => {
    afflict(dom0)
    const tx = dom0.start()
    expect(isSpoilt(path, change)).toBe(false)
    touch(tx)
    expect(isSpoilt(path, change)).toBe(is)
    dom0.abort(tx)
    expect(isSpoilt(path, change)).toBe(false)
    expect(store.store.guards.isEmpty).toBe(true)
  })

  test.for([
    [
      'by a commit that writes what it has read',
      (tx: number) => guest.write('/a/b', '1', tx),
      true,
    ],
    ['by a commit that makes what it has missed', (tx: number) => guest.mkdir('/a/new', tx), true],
    [
      'by a commit that makes a node below what it has listed',
      (tx: number) => guest.mkdir('/a/b/x', tx),
      true,
    ],
    ['by a commit that removes what it has read', (tx: number) => guest.rm('/a/b', tx), true],
    ['not by a commit that has read the same', (tx: number) => guest.read('/a/b', tx), false],
    [
      'not by a commit that writes something else',
      (tx: number) => guest.write('/other', '1', tx),
      false,
    ],
  ] as const)('%s', ([, change, is]) => {
    afflict(dom0)
    const tx = dom0.start()
    dom0.read('/a/b', tx)
    dom0.read('/a/new', tx)
    dom0.directory('/a/b', tx)
    const own = guest.start()
    change(own)
    const slot = store.store.findTransaction(guest.connection, own)
    expect(store.store.guards.againstCommit(guest.connection, false, slot) !== 0).toBe(is)
  })
})

describe('the transactions of a connection are guarded', () => {
  const isGuarded = () => {
    const tx = dom0.start()
    dom0.read('/a', tx)
    const is = isSpoilt('/a', 'write')
    dom0.abort(tx)
    return is
  }

  test('after two that failed, not after one', () => {
    const tx = dom0.start()
    dom0.read('/other', tx)
    store.socket().write('/other', '1')
    expect(dom0.commit(tx)).toBe('EAGAIN')
    expect(isGuarded()).toBe(false)
    afflict(dom0)
    expect(isGuarded()).toBe(true)
  })

  test('until one commits that has accessed the contested node', () => {
    afflict(dom0)
    const elsewhere = dom0.start()
    dom0.read('/a', elsewhere)
    expect(dom0.commit(elsewhere)).toBe('OK')
    expect(isGuarded()).toBe(true)
    const there = dom0.start()
    dom0.read('/other', there)
    expect(dom0.commit(there)).toBe('OK')
    expect(isGuarded()).toBe(false)
  })

  test('and not those of the next connection with its number', () => {
    afflict(dom0)
    const who = { domid: 0 as Domid, isPrivileged: true }
    store.store.closeConnection(dom0.connection)
    store.store.openConnection(dom0.connection, who)
    expect(isGuarded()).toBe(false)
  })
})

test('the transaction that was tried most often stands before others', () => {
  const other = store.guest(6)
  afflict(guest)
  afflict(other)
  afflict(other)
  const first = guest.start()
  guest.read('/a', first)
  const second = other.start()
  other.read('/a', second)
  expect(isSpoilt('/a', 'write', other)).toBe(false)
  expect(isSpoilt('/a', 'write', guest)).toBe(true)
})
