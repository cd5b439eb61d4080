import { expect, onTestFinished, test } from 'vitest'
import type { Domid } from '../../../native/hypervisor.ts'
import { StateMemory } from '../../../native/os/state-memory.ts'
import { aStore } from './a-store.ts'

test('ids are per connection, from 1 on, and none is given twice at a time', () => {
  const store = aStore()
  const one = store.socket()
  const other = store.socket()
  expect([one.start(), one.start(), other.start()]).toEqual([1, 2, 1])
  expect(store.store.findTransaction(other.connection, 2)).toBe(0)
  expect(one.abort(1)).toBe('OK')
  expect(one.start()).toBe(3)
  expect(store.store.findTransaction(one.connection, 1)).toBe(0)
})

test('ids go round at 2^32, past 0 and those in use', () => {
  const memory = StateMemory.anonymous(2 ** 30)
  onTestFinished(() => memory.close())
  const dom0 = aStore({ memory }).socket()
  expect([dom0.start(), dom0.start()]).toEqual([1, 2])
  // The last id given, of connection 0; see lixs/store/connections.ts.
  memory.int32('store.connections', 2 ** 10 * 8)[4] = -3
  expect([dom0.start(), dom0.start(), dom0.start()]).toEqual([2 ** 32 - 2, 2 ** 32 - 1, 3])
  expect([dom0.commit(2 ** 32 - 1), dom0.commit(1), dom0.start()]).toEqual(['OK', 'OK', 4])
})

test('a guest has at most as many open as its quota says', () => {
  const store = aStore()
  const guest = store.guest(5)
  for (let i = 0; i < 10; i++) guest.start()
  expect(store.store.startTransaction(guest.connection)).toBe('ENOSPC')
  guest.abort(4)
  expect(guest.start()).toBe(11)
  expect(store.store.accounts.usageOf(5 as Domid).transactions).toBe(10)
})

test('a connection that is reset loses its transactions and may go on', () => {
  const store = aStore()
  const guest = store.guestAtHome(5)
  const before = store.store.accounts.held()
  const tx = guest.start()
  guest.write('a/b', '1', tx)
  guest.watch('x/y', 't')
  store.store.resetConnection(guest.connection)
  expect(store.store.accounts.held()).toEqual(before)
  expect(store.store.findTransaction(guest.connection, tx)).toBe(0)
  const next = guest.start()
  guest.write('a', '1', next)
  expect(guest.commit(next)).toBe('OK')
})
