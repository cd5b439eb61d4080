import { describe, expect, test } from 'vitest'
import type { Domid } from '../../../native/hypervisor.ts'
import { aStore, type Client } from './a-store.ts'

/** What happens inside, then outside; and what the commit of a privileged client must answer. */
const MATRIX: [string, (c: Client, tx: number) => void, (c: Client) => void, string][] = [
  [
    'READ / WRITE of the same',
    (c, tx) => c.read('/a/x', tx),
    (c) => c.write('/a/x', 'new'),
    'EAGAIN',
  ],
  [
    'READ / WRITE of the same value',
    (c, tx) => c.read('/a/x', tx),
    (c) => c.write('/a/x', 'x'),
    'OK',
  ],
  ['READ / RM', (c, tx) => c.read('/a/x', tx), (c) => c.rm('/a/x'), 'EAGAIN'],
  ['READ / RM above', (c, tx) => c.read('/a/x', tx), (c) => c.rm('/a'), 'EAGAIN'],
  ['READ / SET_PERMS', (c, tx) => c.read('/a/x', tx), (c) => c.setPerms('/a/x', 'r0'), 'OK'],
  ['READ / sibling made', (c, tx) => c.read('/a/x', tx), (c) => c.write('/a/z', ''), 'OK'],
  ['READ / child made', (c, tx) => c.read('/a/x', tx), (c) => c.write('/a/x/z', ''), 'OK'],
  ['READ of missing / made', (c, tx) => c.read('/n', tx), (c) => c.write('/n', ''), 'EAGAIN'],
  [
    'READ of missing / parent made',
    (c, tx) => c.read('/n/m', tx),
    (c) => c.write('/n', ''),
    'EAGAIN',
  ],
  ['READ of missing / sibling made', (c, tx) => c.read('/n', tx), (c) => c.write('/o', ''), 'OK'],
  [
    'DIRECTORY / child made',
    (c, tx) => c.directory('/a', tx),
    (c) => c.write('/a/z', ''),
    'EAGAIN',
  ],
  ['DIRECTORY / child removed', (c, tx) => c.directory('/a', tx), (c) => c.rm('/a/x'), 'EAGAIN'],
  [
    'DIRECTORY / child written',
    (c, tx) => c.directory('/a', tx),
    (c) => c.write('/a/x', 'n'),
    'OK',
  ],
  [
    'DIRECTORY / grandchild made',
    (c, tx) => c.directory('/a', tx),
    (c) => c.write('/a/x/z', ''),
    'OK',
  ],
  [
    'DIRECTORY_PART / child made',
    (c, tx) => c.directoryPart('/a', 0, tx),
    (c) => c.write('/a/z', ''),
    'EAGAIN',
  ],
  [
    'GET_PERMS / SET_PERMS',
    (c, tx) => c.getPerms('/a/x', tx),
    (c) => c.setPerms('/a/x', 'r0'),
    'EAGAIN',
  ],
  [
    'GET_PERMS / SET_PERMS to the same',
    (c, tx) => c.getPerms('/a/x', tx),
    (c) => c.setPerms('/a/x', 'n0'),
    'OK',
  ],
  ['WRITE / WRITE', (c, tx) => c.write('/a/x', 'in', tx), (c) => c.write('/a/x', 'out'), 'OK'],
  ['WRITE / RM', (c, tx) => c.write('/a/x', 'in', tx), (c) => c.rm('/a/x'), 'EAGAIN'],
  [
    'READ, WRITE / WRITE',
    (c, tx) => [c.read('/a/x', tx), c.write('/a/x', 'in', tx)],
    (c) => c.write('/a/x', 'out'),
    'EAGAIN',
  ],
  [
    'WRITE, READ / WRITE',
    (c, tx) => [c.write('/a/x', 'in', tx), c.read('/a/x', tx)],
    (c) => c.write('/a/x', 'out'),
    'OK',
  ],
  [
    'new child / other new child',
    (c, tx) => c.write('/a/n', '', tx),
    (c) => c.write('/a/o', ''),
    'OK',
  ],
  ['new child / child removed', (c, tx) => c.write('/a/n', '', tx), (c) => c.rm('/a/x'), 'OK'],
  [
    'new child / parent written',
    (c, tx) => c.write('/a/n', '', tx),
    (c) => c.write('/a', 'n'),
    'OK',
  ],
  ['new child / parent removed', (c, tx) => c.write('/a/n', '', tx), (c) => c.rm('/a'), 'EAGAIN'],
  [
    'new child / SET_PERMS of the parent',
    (c, tx) => c.write('/a/n', '', tx),
    (c) => c.setPerms('/a', 'r0'),
    'EAGAIN',
  ],
  [
    'new below new / the same new parent',
    (c, tx) => c.write('/n/m', '', tx),
    (c) => c.write('/n/o', ''),
    'OK',
  ],
  [
    'new below new / that parent with others permissions',
    (c, tx) => c.write('/n/m', '', tx),
    (c) => [c.mkdir('/n'), c.setPerms('/n', 'r0')],
    'EAGAIN',
  ],
  ['RM / child made below', (c, tx) => c.rm('/a', tx), (c) => c.write('/a/z', ''), 'OK'],
  ['RM / RM', (c, tx) => c.rm('/a', tx), (c) => c.rm('/a'), 'EAGAIN'],
  ['RM of missing / parent removed', (c, tx) => c.rm('/a/n', tx), (c) => c.rm('/a'), 'EAGAIN'],
  ['RM of missing / sibling removed', (c, tx) => c.rm('/a/n', tx), (c) => c.rm('/a/x'), 'OK'],
  [
    'DIRECTORY / child made and removed',
    (c, tx) => c.directory('/a', tx),
    (c) => [c.mkdir('/a/z'), c.rm('/a/z')],
    'OK',
  ],
  [
    'DIRECTORY / last child made anew',
    (c, tx) => c.directory('/a', tx),
    (c) => [c.rm('/a/y'), c.mkdir('/a/y')],
    'OK',
  ],
  [
    'DIRECTORY / order changed',
    (c, tx) => c.directory('/a', tx),
    (c) => [c.rm('/a/x'), c.mkdir('/a/x')],
    'EAGAIN',
  ],
  [
    'DIRECTORY / other names of the same bytes',
    (c, tx) => [
      c.rm('/a/x'),
      c.rm('/a/y'),
      c.mkdir('/a/ab'),
      c.mkdir('/a/c'),
      c.directory('/a', tx),
    ],
    (c) => [c.rm('/a/ab'), c.rm('/a/c'), c.mkdir('/a/a'), c.mkdir('/a/bc')],
    'EAGAIN',
  ],
  ['RM of missing / made', (c, tx) => c.rm('/n', tx), (c) => c.mkdir('/n'), 'EAGAIN'],
  [
    'GET_PERMS of a new node that is removed again / made with other permissions',
    (c, tx) => [c.mkdir('/n', tx), c.getPerms('/n', tx), c.rm('/n', tx)],
    (c) => [c.mkdir('/n'), c.setPerms('/n', 'r0')],
    'EAGAIN',
  ],
  [
    'a child made anew in a new place and removed again / anything',
    (c, tx) => [c.rm('/a', tx), c.mkdir('/a/x', tx), c.rm('/a/x', tx)],
    () => undefined,
    'OK',
  ],
  ['SET_PERMS / WRITE', (c, tx) => c.setPerms('/a/x', 'r0', tx), (c) => c.write('/a/x', 'n'), 'OK'],
  ['SET_PERMS / RM', (c, tx) => c.setPerms('/a/x', 'r0', tx), (c) => c.rm('/a/x'), 'EAGAIN'],
  ['nothing / anything', () => undefined, (c) => c.rm('/a'), 'OK'],
]

describe('inside / outside:', () => {
  test.each(MATRIX)('%s', (_, inside, outside, expected) => {
    const store = aStore()
    const dom0 = store.socket()
    dom0.write('/a/x', 'x')
    dom0.write('/a/y', 'y')
    const tx = dom0.start()
    inside(dom0, tx)
    outside(dom0)
    expect(dom0.commit(tx)).toBe(expected)
    expect(store.store.accounts.held()).toMatchObject({ transactions: 0, accessRecords: 0 })
  })
})

test("Xen's self test: a read value that changed outside fails the commit and stays", () => {
  const dom0 = aStore().socket()
  dom0.write('/x', 'old')
  const tx = dom0.start()
  expect(dom0.read('/x', tx)).toBe('old')
  dom0.write('/x', 'outside')
  expect(dom0.read('/x', tx)).toBe('old')
  expect(dom0.write('/x', 'inside', tx)).toBe('OK')
  expect(dom0.commit(tx)).toBe('EAGAIN')
  expect(dom0.read('/x')).toBe('outside')
})

test('sixty-four clients that make guests at once never have to try again', () => {
  const store = aStore()
  const dom0 = store.socket()
  const clients = Array.from({ length: 64 }, () => store.socket())
  const open = clients.map((client) => client.start())
  const keys = ['', '/name', '/device/vif/0/state', '/console/ring-ref', '/control/shutdown']
  for (const key of keys) {
    for (const [i, client] of clients.entries()) {
      const tx = open[i] as number
      expect(client.write(`/local/domain/${i + 1}${key}`, 'v', tx)).toBe('OK')
      expect(client.write(`/vm/${i}${key}`, 'v', tx)).toBe('OK')
    }
  }
  for (const [i, client] of clients.entries()) expect(client.commit(open[i] as number)).toBe('OK')
  expect(dom0.directory('/local/domain')).toHaveLength(64)
  expect(dom0.directory('/vm')).toHaveLength(64)
})

test('events come at the commit, once per node, in the order of first access', () => {
  const store = aStore()
  const dom0 = store.socket()
  dom0.write('/b', '')
  dom0.watch('/', 't')
  const tx = dom0.start()
  dom0.read('/b', tx)
  dom0.write('/a/x', '1', tx)
  dom0.write('/b', '1', tx)
  dom0.write('/a/x', '2', tx)
  dom0.setPerms('/a/x', 'r0', tx)
  dom0.mkdir('/c', tx)
  expect(store.takeEvents()).toEqual([])
  expect(dom0.commit(tx)).toBe('OK')
  expect(store.takeEvents()).toEqual(['0 /b t', '0 /a/x t', '0 /c t'])
})

test('what was made and removed inside is not told', () => {
  const store = aStore()
  const dom0 = store.socket()
  dom0.watch('/', 't')
  dom0.watch('/a', 'exact')
  const before = store.store.accounts.held()
  const tx = dom0.start()
  dom0.write('/a/b', '', tx)
  dom0.rm('/a', tx)
  expect(dom0.commit(tx)).toBe('OK')
  expect(store.takeEvents()).toEqual([])
  expect(store.store.accounts.held()).toEqual(before)
})

test('a subtree removed inside is told from the top down', () => {
  const store = aStore()
  const dom0 = store.socket()
  dom0.write('/top/p/x/y', '')
  dom0.write('/top/p/z', '')
  for (const path of ['/top', '/top/p', '/top/p/x', '/top/p/x/y', '/top/p/z', '/top/p/gone']) {
    dom0.watch(path, path.slice(5))
  }
  const tx = dom0.start()
  dom0.rm('/top/p', tx)
  expect(dom0.commit(tx)).toBe('OK')
  expect(store.takeEvents()).toEqual([
    '0 /top/p ',
    '0 /top/p p',
    '0 /top/p/x p/x',
    '0 /top/p/x/y p/x/y',
    '0 /top/p/z p/z',
  ])
})

test('a node made anew inside in the place of an old one is told once', () => {
  const store = aStore()
  const dom0 = store.socket()
  dom0.write('/a/old', '')
  dom0.watch('/a', 'a')
  dom0.watch('/a/old', 'old')
  const tx = dom0.start()
  dom0.rm('/a', tx)
  dom0.write('/a', 'new', tx)
  expect(dom0.commit(tx)).toBe('OK')
  expect(store.takeEvents()).toEqual(['0 /a a', '0 /a/old old'])
  expect(dom0.read('/a')).toBe('new')
  expect(dom0.directory('/a')).toEqual([])
})

test('a guest hears of a commit by what it could read before or can read after', () => {
  const store = aStore()
  const dom0 = store.socket()
  const guest = store.guest(5)
  dom0.write('/closed/was', '')
  dom0.setPerms('/closed/was', 'n0 r5')
  guest.watch('/closed', 't')
  const tx = dom0.start()
  dom0.setPerms('/closed/was', 'n0', tx)
  dom0.write('/closed/never', '', tx)
  dom0.write('/closed/is', '', tx)
  dom0.setPerms('/closed/is', 'n0 r5', tx)
  expect(dom0.commit(tx)).toBe('OK')
  const c = guest.connection
  expect(store.takeEvents()).toEqual([`${c} /closed/was t`, `${c} /closed/is t`])
})

test('the quota of nodes is asked again at the commit', () => {
  const store = aStore({ quotas: { nodes: 4 } })
  const guest = store.guestAtHome(5)
  guest.mkdir('old')
  const tx = guest.start()
  expect(guest.write('a', '', tx)).toBe('OK')
  expect(guest.write('b', '', tx)).toBe('OK')
  expect(guest.mkdir('c')).toBe('OK')
  expect(guest.commit(tx)).toBe('ENOSPC')
  expect(guest.read('a')).toBe('ENOENT')
  const next = guest.start()
  guest.rm('old', next)
  guest.write('a', '', next)
  expect(guest.commit(next)).toBe('OK')
})

test('nodes of a domain that died meanwhile: EAGAIN, and nothing is left of it', () => {
  const store = aStore()
  const dom0 = store.socket()
  store.guestAtHome(5).write('state', '1')
  dom0.write('/other', '')
  const writer = dom0.start()
  dom0.write('/local/domain/5/state', '2', writer)
  const giver = dom0.start()
  dom0.setPerms('/other', 'n5', giver)
  const maker = dom0.start()
  dom0.write('/local/domain/5/more', '2', maker)
  store.release(5)
  for (const tx of [writer, giver, maker]) expect(dom0.commit(tx)).toBe('EAGAIN')
  expect(dom0.directory('/local/domain')).toEqual([])
  expect(dom0.getPerms('/other')).toBe('n0')
})

test('a guest that toggles a child cannot keep a transaction that lists the children from its end', () => {
  const store = aStore()
  const dom0 = store.socket()
  const guest = store.guestAtHome(5)
  for (let i = 0; i < 50; i++) {
    const tx = dom0.start()
    dom0.directory('/local/domain/5', tx)
    guest.mkdir(`n${i % 2}`)
    guest.rm(`n${i % 2}`)
    dom0.write('/seen', `${i}`, tx)
    expect(dom0.commit(tx)).toBe('OK')
  }
})

test('two lists that differ fail the commit, though the first one is right again at the end', () => {
  const dom0 = aStore().socket()
  dom0.mkdir('/a/x')
  const tx = dom0.start()
  expect(dom0.directory('/a', tx)).toEqual(['x'])
  dom0.mkdir('/a/y')
  expect(dom0.directory('/a', tx)).toEqual(['x', 'y'])
  dom0.rm('/a/y')
  expect(dom0.commit(tx)).toBe('EAGAIN')
})

test.each([
  ['READ', (c: Client, tx: number) => c.read('/a', tx)],
  ['DIRECTORY', (c: Client, tx: number) => c.directory('/a', tx)],
  ['GET_PERMS', (c: Client, tx: number) => c.getPerms('/a', tx)],
])('%s of a node that was there, is not and is again fails the commit', (_, ask) => {
  const dom0 = aStore().socket()
  dom0.mkdir('/a')
  const tx = dom0.start()
  expect(dom0.mkdir('/a', tx)).toBe('OK')
  dom0.rm('/a')
  expect(ask(dom0, tx)).toBe('ENOENT')
  dom0.mkdir('/a')
  expect(dom0.commit(tx)).toBe('EAGAIN')
})

test("another owner's hard memory quota holds inside a transaction, too", () => {
  const store = aStore({ quotas: { memoryHard: 4000 } })
  const dom0 = store.socket()
  for (const name of ['one', 'two', 'three']) {
    dom0.mkdir(`/of8/${name}`)
    dom0.setPerms(`/of8/${name}`, 'b8')
  }
  const guest = store.guest(9)
  const value = 'v'.repeat(1500)
  const both = guest.start()
  expect(guest.write('/of8/one', value, both)).toBe('OK')
  expect(guest.write('/of8/two', value, both)).toBe('OK')
  expect(guest.abort(both)).toBe('OK')
  guest.write('/of8/one', value)
  guest.write('/of8/two', value)
  const used = store.store.accounts.usageOf(8 as Domid).memoryBytes
  expect(used).toBeGreaterThan(3000)
  const tx = guest.start()
  expect(guest.write('/of8/three', value, tx)).toBe('ENOMEM')
  expect(guest.commit(tx)).toBe('ENOMEM')
  expect(store.store.accounts.usageOf(8 as Domid).memoryBytes).toBe(used)
})

test("another owner's memory is asked for again at the commit, of all writes together", () => {
  const store = aStore({ quotas: { memoryHard: 5000 } })
  const dom0 = store.socket()
  for (const name of ['one', 'two', 'three']) {
    dom0.mkdir(`/of8/${name}`)
    dom0.setPerms(`/of8/${name}`, 'b8')
  }
  dom0.write('/of8/one', 'v'.repeat(2000))
  const guest = store.guest(9)
  const value = 'v'.repeat(1500)
  const tx = guest.start()
  expect(guest.write('/of8/two', value, tx)).toBe('OK')
  expect(guest.write('/of8/three', value, tx)).toBe('OK')
  expect(guest.commit(tx)).toBe('ENOMEM')
  expect(dom0.read('/of8/two')).toBe('')
  const next = guest.start()
  guest.write('/of8/two', value, next)
  expect(guest.commit(next)).toBe('OK')
})

test('what a transaction removes makes room for what it makes', () => {
  const store = aStore({ quotas: { nodes: 3 } })
  const guest = store.guestAtHome(5)
  guest.mkdir('a')
  guest.mkdir('b')
  const tx = guest.start()
  expect(guest.write('c', '', tx)).toBe('ENOSPC')
  expect(guest.rm('b', tx)).toBe('OK')
  expect(guest.write('d', '', tx)).toBe('OK')
  expect(guest.write('e', '', tx)).toBe('ENOSPC')
  expect(guest.commit(tx)).toBe('OK')
  expect(guest.directory('/local/domain/5')).toEqual(['a', 'd'])
})

test('what a request that ended by a throw has noted is not told by the next one', () => {
  const store = aStore()
  const dom0 = store.socket()
  dom0.watch('/', 't')
  dom0.watch('/a/b', 'held')
  dom0.write('/a/b', '')
  const before = store.store.accounts.held()
  dom0.write('/a/c/d', '')
  store.takeEvents()
  const tx = dom0.start()
  dom0.rm('/a/c', tx)
  dom0.rm('/a/b', tx)
  store.isSinkBroken = true
  expect(() => dom0.commit(tx)).toThrow('the sink is broken')
  expect(() => dom0.rm('/a')).toThrow('the sink is broken')
  store.isSinkBroken = false
  dom0.abort(tx)
  dom0.write('/a/b', '')
  store.takeEvents()
  dom0.rm('/none')
  dom0.write('/z', '')
  dom0.rm('/z')
  expect(store.takeEvents()).toEqual(['0 /z t', '0 /z t'])
  expect(store.store.accounts.held()).toEqual(before)
})

test('a new node lists what was made in it, though someone made the same outside', () => {
  const dom0 = aStore().socket()
  const tx = dom0.start()
  expect(dom0.read('/a', tx)).toBe('ENOENT')
  dom0.write('/a/x', '')
  expect(dom0.write('/a/x', '', tx)).toBe('OK')
  expect(dom0.directory('/a', tx)).toEqual(['x'])
  dom0.rm('/a')
  expect(dom0.commit(tx)).toBe('OK')
  expect(dom0.directory('/a')).toEqual(['x'])
})

test('a node that is made twice, as what was above it went outside, leaves nothing behind', () => {
  const store = aStore()
  const dom0 = store.socket()
  const before = store.store.accounts.held()
  dom0.write('/a/x', '')
  dom0.setPerms('/a/x', 'r0')
  const tx = dom0.start()
  expect(dom0.mkdir('/a/x/y', tx)).toBe('OK')
  dom0.rm('/a')
  expect(dom0.write('/a/x/y', '', tx)).toBe('OK')
  expect(dom0.commit(tx)).toBe('EAGAIN')
  expect(store.store.accounts.held()).toEqual(before)
})
