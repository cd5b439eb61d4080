/**
 * Whatever unprivileged domains do together, dom0 can make and remove domains: the last tenth of
 * every table is kept for it.
 */
import { describe, expect, test } from 'vitest'
import type { Domid } from '../../../native/hypervisor.ts'
import { aStore, type Client, type TestStore } from './a-store.ts'

/** As dom0 does when it makes a domain. */
function makesDomain(dom0: Client): void {
  const tx = dom0.start()
  expect(dom0.mkdir('/local/domain/99', tx)).toBe('OK')
  expect(dom0.setPerms('/local/domain/99', 'n0 r99 w98 b97', tx)).toBe('OK')
  expect(dom0.write('/local/domain/99/name', 'v'.repeat(200), tx)).toBe('OK')
  expect(dom0.directory('/local/domain', tx)).toContain('99')
  expect(dom0.commit(tx)).toBe('OK')
  expect(dom0.watch('/local/domain/99/deep/er', 'dom0')).toBe('OK')
}

/** @returns the first answer that is not OK */
function untilRefused(ask: (i: number) => string): string {
  for (let i = 0; i < 20_000; i++) {
    const answer = ask(i)
    if (answer !== 'OK') return answer
  }
  return 'never refused'
}

function guests(store: TestStore, count: number): Client[] {
  return Array.from({ length: count }, (_, i) => store.guestAtHome(5 + i))
}

const UNLIMITED = { nodes: 0, memoryHard: 0, watches: 0, transactionNodes: 0, transactions: 0 }

describe('dom0 makes domains when guests have used up', () => {
  test('rows of nodes, by watches on what does not exist', () => {
    const store = aStore({ capacity: { nodes: 2 ** 11 } })
    const dom0 = store.socket()
    const ask = (guest: Client): string =>
      untilRefused((i) => guest.watch(`/w${guest.who.domid}x${i}${'/a'.repeat(100)}`, 't'))
    for (const guest of guests(store, 3)) expect(ask(guest)).toBe('ENOMEM')
    makesDomain(dom0)
    expect(store.store.accounts.held().nodes).toBeLessThan(2 ** 11 * 0.92)
  })

  test('rows of nodes, by nodes', () => {
    const store = aStore({ capacity: { nodes: 2 ** 11 } })
    const dom0 = store.socket()
    for (const guest of guests(store, 3)) untilRefused((i) => guest.mkdir(`d${i >> 5}/${i}`))
    const last = store.guestAtHome(50)
    expect(last.mkdir('a')).toBe('ENOMEM')
    makesDomain(dom0)
  })

  test('records of transactions', () => {
    const store = aStore({ capacity: { transactionNodes: 2 ** 9 } })
    const dom0 = store.socket()
    const guest = store.guestAtHome(5)
    const tx = guest.start()
    expect(untilRefused((i) => (guest.read(`x${i}`, tx) === 'ENOENT' ? 'OK' : 'refused'))).toBe(
      'refused',
    )
    expect(guest.commit(tx)).toBe('ENOMEM')
    const again = guest.start()
    untilRefused((i) => (guest.read(`x${i}`, again) === 'ENOENT' ? 'OK' : 'refused'))
    makesDomain(dom0)
  })

  test('transactions', () => {
    const store = aStore({ capacity: { transactions: 2 ** 6 }, quotas: UNLIMITED })
    const dom0 = store.socket()
    const guest = store.guest(5)
    expect(() => untilRefused(() => (guest.start() > 0 ? 'OK' : ''))).toThrow('ENOSPC')
    makesDomain(dom0)
  })

  test('watches', () => {
    const store = aStore({ capacity: { watches: 2 ** 6 }, quotas: UNLIMITED })
    const dom0 = store.socket()
    const guest = store.guest(5)
    expect(untilRefused((i) => guest.watch('/', `${i}`))).toBe('ENOMEM')
    makesDomain(dom0)
  })

  test('permission lists, inside a transaction and outside', () => {
    const store = aStore({ capacity: { permLists: 2 ** 7 } })
    const dom0 = store.socket()
    const guest = store.guestAtHome(5)
    const other = store.guestAtHome(6)
    for (let i = 0; i < 200; i++) guest.mkdir(`${i}`)
    expect(untilRefused((i) => guest.setPerms(`${i}`, `n5 r${i + 100}`))).toBe('ENOMEM')
    const tx = other.start()
    expect(other.setPerms('/local/domain/6', 'n6 r5', tx)).toBe('ENOMEM')
    expect(other.commit(tx)).toBe('ENOMEM')
    makesDomain(dom0)
  })

  test('bytes, also by writing into what dom0 owns', () => {
    const store = aStore({ capacity: { arenaBytes: 2 ** 21 }, quotas: UNLIMITED })
    const dom0 = store.socket()
    dom0.mkdir('/open')
    dom0.setPerms('/open', 'b0')
    const guest = store.guestAtHome(5)
    const value = 'v'.repeat(1900)
    expect(untilRefused((i) => guest.write(`${i >> 6}/${i}`, value))).toBe('ENOMEM')
    expect(guest.write('/open', value)).toBe('ENOMEM')
    makesDomain(dom0)
  })
})

describe('ghosts', () => {
  test('of one guest are four per node that it may own', () => {
    const store = aStore({ quotas: { nodes: 10 } })
    const guest = store.guestAtHome(5)
    const before = store.store.accounts.held().nodes
    expect(guest.watch(`/w${'/a'.repeat(39)}`, 't')).toBe('OK')
    expect(guest.watch('/x', 't')).toBe('ENOMEM')
    const tx = guest.start()
    expect(guest.read('x', tx)).toBe('ENOMEM')
    expect(guest.abort(tx)).toBe('OK')
    expect(store.store.accounts.held().nodes - before).toBe(40)
    expect(guest.unwatch(`/w${'/a'.repeat(39)}`, 't')).toBe('OK')
    expect(guest.watch('/x', 't')).toBe('OK')
  })

  test('that nodes become when they are removed count, too', () => {
    const store = aStore({ quotas: { nodes: 10 } })
    const guest = store.guestAtHome(5)
    const tx = guest.start()
    for (let round = 0; round < 5; round++) {
      const names = Array.from({ length: 9 }, (_, i) => `r${round}x${i}`)
      for (const name of names) guest.mkdir(name)
      for (const name of names) guest.read(name, tx)
      for (const name of names) guest.rm(name)
    }
    guest.mkdir('more')
    expect(guest.read('more', tx)).toBe('ENOMEM')
  })

  test('that a dead domain has left do not count for the next one of its number', () => {
    const store = aStore({ quotas: { nodes: 2 } })
    const dom0 = store.socket()
    dom0.watch('/local/domain/5', 'held')
    store.guestAtHome(5)
    store.release(5)
    const guest = store.guest(5)
    dom0.unwatch('/local/domain/5', 'held')
    expect(guest.watch('/a/b/c/d/e/f/g/h', 't')).toBe('OK')
    expect(guest.watch('/i', 't')).toBe('ENOMEM')
  })
})

test('a domain is removed though there is no room for a list: dom0 alone may use its orphans', () => {
  const store = aStore({ capacity: { permLists: 2 ** 5 }, keepOrphans: true })
  const dom0 = store.socket()
  store.guestAtHome(5).write('data', '1')
  dom0.setPerms('/local/domain/5/data', 'n5 r6')
  for (let i = 0; i < 40; i++) {
    dom0.mkdir(`/fill/${i}`)
    dom0.setPerms(`/fill/${i}`, `n0 w${i + 100}`)
  }
  expect(dom0.setPerms('/fill', 'b0 b77')).toBe('ENOMEM')
  // Nor does the removal make any: someone holds the list of the home directory.
  dom0.getPerms('/local/domain/5', dom0.start())
  store.release(5)
  expect(dom0.read('/local/domain/5/data')).toBe('1')
  expect(dom0.getPerms('/local/domain/5/data')).toBe('n0')
  expect(store.store.accounts.usageOf(5 as Domid).nodes).toBe(0)
})
