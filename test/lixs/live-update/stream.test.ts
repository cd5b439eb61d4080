import { expect, test } from 'vitest'
import { neededVersion } from '../../../lixs/live-update/dump.ts'
import { ParsedPath, parsePath } from '../../../lixs/store/path.ts'
import { encodePacket } from '../../../lixs/wire/encoder.ts'
import { XS_CONTROL, XS_WATCH_EVENT } from '../../../lixs/wire/ops.ts'
import type { Domid } from '../../../native/hypervisor.ts'
import type { ConnectionId } from '../../../native/ring-set.ts'
import { aStore } from '../store/a-store.ts'
import { bytesOf, restoredFrom, sourceOf, TestHandover } from './a-saved-store.ts'

/** As xenstore-migration.md lays the records out; blanks only make it readable. */
const SMALL_STORE = [
  // header: "xenstore", version 1, flags
  '78656e73746f7265 00000001 00000000',
  // GLOBAL: listening socket 3, no event channels
  '01000000 08000000  03000000 ffffffff',
  // CONNECTION 1: a socket, descriptor 5; nothing came, nothing waits
  '02000000 18000000  01000000 0100 0000 05000000 00000000 0000 0000 00000000',
  // WATCH of connection 1: "w", token "t"
  '03000000 10000000  01000000 0200 0200  7700 7400 00000000',
  // CONNECTION 2: domain 7, no target, port 9; "abc" came, a 2-byte rest and an event wait
  '02000000 38000000  02000000 0000 0000 0700 f47f 09000000 0300 0200 16000000',
  '616263  4b00  0f000000 00000000 00000000 04000000 2f007400  00000000000000',
  // NODE "/": n0
  '05000000 18000000  00000000 00000000 0200 0000 0000 0100  6e000000  2f00 0000',
  // NODE "/tool": n0
  '05000000 20000000  00000000 00000000 0600 0000 0000 0100  6e000000  2f746f6f6c00 000000000000',
  // NODE "/tool/xenstored": n0
  '05000000 28000000  00000000 00000000 1000 0000 0000 0100  6e000000',
  '2f746f6f6c2f78656e73746f72656400 00000000',
  // NODE "/a" = "hi": n0, r9 whose domain is no more
  '05000000 20000000  00000000 00000000 0300 0200 0000 0200  6e000000 72010900  2f6100 6869 000000',
  // NODE "@releaseDomain": n0
  '05000000 28000000  00000000 00000000 0f00 0000 0000 0100  6e000000',
  '4072656c65617365446f6d61696e00 0000000000',
  // NODE "@introduceDomain": n0
  '05000000 28000000  00000000 00000000 1100 0000 0000 0100  6e000000',
  '40696e74726f64756365446f6d61696e00 000000',
  // END
  '00000000 00000000',
]

function smallStore() {
  const store = aStore()
  const handover = new TestHandover()
  store.socket()
  const socket = store.socket()
  handover.addSocket(1, 5)
  socket.watch('w', 't')
  store.guest(7)
  handover.addRing(2, 7, 9)
  handover.input.set(2, Buffer.from('abc'))
  const event = encodePacket(XS_WATCH_EVENT, 0, 0, Buffer.from('/\0t\0'))
  handover.unsent.set(2, Buffer.concat([Buffer.from('K\0'), event]))
  handover.cuts.set(2, 2)
  store.guest(9)
  socket.write('/a', 'hi')
  socket.setPerms('/a', 'n0 r9')
  store.release(9)
  return { store, handover }
}

test('a small store is told byte by byte as upstream tells it', () => {
  const { store, handover } = smallStore()
  const expected = SMALL_STORE.join('').replaceAll(' ', '')
  const told = bytesOf(sourceOf(store, handover)).toString('hex')
  expect(told.slice(0, expected.length)).toBe(expected)
})

test('what upstream tells is restored without our own part', () => {
  const { store, client, handover, state, taken } = restoredFrom(
    Buffer.from(SMALL_STORE.join('').replaceAll(' ', ''), 'hex'),
  )
  expect(state.annex).toBeUndefined()
  const socket = client(1)
  expect(socket.directory('/')).toEqual(['tool', 'a'])
  expect(socket.read('/a')).toBe('hi')
  expect(socket.getPerms('/a')).toBe('n0 r9')
  expect(client(2).read('/a')).toBe('EACCES')
  socket.write('/local/domain/0/w', '')
  expect(store.takeEvents()).toEqual([`${socket.connection} w t`])
  expect(store.store.isIntroduced(7 as Domid)).toBe(true)
  const [ring] = handover.adoptedRings
  expect(ring).toMatchObject({ domid: 7, pageKind: 0, page: 1, localPort: 9, remotePort: 0 })
  expect(Buffer.from(handover.inputOf(client(2).connection as ConnectionId)).toString()).toBe('abc')
  expect(handover.cutOf(client(2).connection as ConnectionId)).toBe(2)
  expect(taken).toEqual([client(2).connection])
})

test('special nodes may come before all others, as C xenstored 4.17 tells them', () => {
  const parts = SMALL_STORE.map((part) => part.replaceAll(' ', ''))
  // The two special nodes, each of two lines, and END.
  const specials = parts.slice(-5, -1)
  const root = parts.findIndex((part) => part.endsWith('2f000000'))
  const reordered = [...parts.slice(0, root), ...specials, ...parts.slice(root, -5), '0'.repeat(16)]
  const { client } = restoredFrom(Buffer.from(reordered.join(''), 'hex'))
  expect(client(1).directory('/')).toEqual(['tool', 'a'])
  expect(client(1).getPerms('@releaseDomain')).toBe('n0')
})

test('a permission of a domain that is no more counts for none of its successors', () => {
  const { store } = restoredFrom(Buffer.from(SMALL_STORE.join('').replaceAll(' ', ''), 'hex'))
  expect(store.guest(9).read('/a')).toBe('EACCES')
})

test('the answer to whoever asked for it goes out behind everything else', () => {
  const { store, handover } = smallStore()
  const bytes = encodePacket(XS_CONTROL, 5, 0, Buffer.from('OK\0'))
  const saved = bytesOf(sourceOf(store, handover), 1, { connection: 2 as ConnectionId, bytes })
  const restored = restoredFrom(saved)
  const unsent = restored.handover.unsentOf(restored.client(2).connection as ConnectionId)
  expect(Buffer.from(unsent.subarray(22)).equals(Buffer.from(bytes))).toBe(true)
})

test('a ring that cannot be mapped any more leaves its domain known, without connection', () => {
  const { store, handover } = smallStore()
  const unmappable = new TestHandover()
  unmappable.unmappable.add(7)
  const restored = restoredFrom(bytesOf(sourceOf(store, handover)), unmappable)
  expect(restored.store.store.isIntroduced(7 as Domid)).toBe(true)
  expect(restored.store.store.connectionOf(7 as Domid)).toBeUndefined()
  expect(restored.logged.join('')).toContain('connection not restored')
})

test('depths of watches, and features and limits of one domain, need the second version', () => {
  const { store, handover } = smallStore()
  expect(neededVersion(sourceOf(store, handover))).toBe(1)
  const path = new ParsedPath()
  parsePath(Buffer.from('/deep'), 0, 5, 0 as Domid, path, 0)
  store.store.watch(1, path, Buffer.from('d'), 0, 1, 2)
  expect(neededVersion(sourceOf(store, handover))).toBe(2)
  const { client, store: next } = restoredFrom(bytesOf(sourceOf(store, handover)))
  next.takeEvents()
  for (const node of ['/deep/1', '/deep/1/2', '/deep/1/2/3']) client(1).write(node, '')
  expect(next.takeEvents().map((event) => event.split(' ')[1])).toEqual(['/deep/1', '/deep/1/2'])
})

test('limits and features of one domain are its own afterwards', () => {
  const { store, handover } = smallStore()
  store.store.settings.setQuota(7 as Domid, 'nodes', 17)
  store.store.settings.setFeatures(7 as Domid, 2)
  const source = sourceOf(store, handover)
  expect(neededVersion(source)).toBe(2)
  const { settings } = restoredFrom(bytesOf(source)).store.store
  expect(settings.quotaOf(7 as Domid, 'nodes')).toBe(17)
  expect(settings.quotaOf(7 as Domid, 'watches')).toBe(store.quotas.watches)
  expect(settings.featuresOf(7 as Domid)).toBe(2)
})

test('quotas that were changed since the start are told, others are the next command line’s', () => {
  const { store, handover } = smallStore()
  const changedQuotas = new Map([['watches', 33] as const])
  const source = sourceOf(store, handover, { changedQuotas })
  expect(neededVersion(source)).toBe(2)
  expect(restoredFrom(bytesOf(source)).state.quotas).toEqual(changedQuotas)
})

test('an older version leaves out what it cannot tell', () => {
  const { store, handover } = smallStore()
  store.store.settings.setFeatures(7 as Domid, 2)
  const { state } = restoredFrom(bytesOf(sourceOf(store, handover), 1))
  expect(state.domains).toEqual([])
})

test('names of quotas that nobody knows are passed over', () => {
  const { store, handover } = smallStore()
  const changedQuotas = new Map([['watches', 33] as const])
  const saved = bytesOf(sourceOf(store, handover, { changedQuotas }))
  saved.write('wotches', saved.indexOf('watches\0'), 'latin1')
  expect(restoredFrom(saved).state.quotas.size).toBe(0)
})

test('generations go on behind those that were told before', () => {
  const { store, handover } = smallStore()
  // More than it takes to make the same nodes anew.
  const writer = store.socket()
  for (let i = 0; i < 100; i++) writer.write('/tool', String(i))
  writer.close()
  const before = store.store.snapshot().generation
  const restored = restoredFrom(bytesOf(sourceOf(store, handover)))
  const [generation] = restored.client(1).directoryPart('/', 0)
  expect(Number(generation)).toBeGreaterThan(before)
})

test('ids of transactions go on behind those that were given before', () => {
  const { store, handover } = smallStore()
  for (let i = 0; i < 3; i++) store.store.startTransaction(1)
  store.store.resetConnection(1)
  const restored = restoredFrom(bytesOf(sourceOf(store, handover)))
  expect(restored.client(1).start()).toBe(4)
})

test('rights of a target, and a shutdown that was told, are taken over', () => {
  const { store, handover } = smallStore()
  const target = store.guest(8)
  handover.addRing(target.connection, 8, 10)
  store.store.setTarget(7 as Domid, 8 as Domid)
  store.store.markShutdown(8 as Domid)
  const dom0 = store.socket()
  dom0.write('/secret', 'x')
  dom0.setPerms('/secret', 'n8')
  const restored = restoredFrom(bytesOf(sourceOf(store, handover)))
  expect(restored.client(2).read('/secret')).toBe('x')
  expect(restored.store.store.markShutdown(8 as Domid)).toBe(false)
  expect(restored.store.store.markShutdown(7 as Domid)).toBe(true)
})
