import { fc, test } from '@fast-check/vitest'
import { expect, test as plain } from 'vitest'
import { MANY_CHILDREN } from '../../../lixs/store/leaf-removal.ts'
import { StateMemory } from '../../../native/os/state-memory.ts'
import { aStore, type Client, type TestStore } from './a-store.ts'

const WATCHER = 9

/** What distinguishes a child: what it is worth, whose it is, and who holds it. */
const child = fc.record({
  bytes: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 3000 })),
  perms: fc.constantFrom('n0', 'n0', 'n7', 'n7 r8', 'n8'),
  hold: fc.oneof(
    { weight: 6, arbitrary: fc.constant('nobody' as const) },
    {
      weight: 1,
      arbitrary: fc.constantFrom('watch', 'watch below', 'transaction', 'child', 'children'),
    },
  ),
})
type Child = typeof child extends fc.Arbitrary<infer T> ? T : never

function nameOf(i: number): string {
  // Of two sizes of blocks.
  return i % 3 === 0 ? `a-name-that-is-longer-than-a-block-${i}` : `c${i}`
}

function fill(dom0: Client, children: readonly Child[]): void {
  for (const [i, { bytes, perms, hold }] of children.entries()) {
    const path = `/d/${nameOf(i)}`
    dom0.write(path, 'x'.repeat(bytes))
    dom0.setPerms(path, perms)
    if (hold === 'child') dom0.mkdir(`${path}/below`)
    const below = hold === 'children' ? MANY_CHILDREN + 3 : 0
    for (let j = 0; j < below; j++) dom0.write(`${path}/${j}`, '')
  }
}

function withStore(run: (store: TestStore) => void): void {
  const memory = StateMemory.anonymous(2 ** 30)
  run(aStore({ memory }))
  memory.close()
}

test.prop([fc.array(child, { minLength: MANY_CHILDREN - 2, maxLength: 70, size: 'max' })])(
  'of a removed directory nothing is left, whoever owned and held what was in it',
  (children) => {
    withStore((store) => {
      const dom0 = store.socket()
      for (const domid of [7, 8]) store.guest(domid)
      const watcher = store.guest(WATCHER)
      const empty = store.store.accounts.held()
      fill(dom0, children)
      const tx = dom0.start()
      const expected: string[] = []
      for (const [i, { hold }] of children.entries()) {
        const path = `/d/${nameOf(i)}`
        if (hold === 'watch') {
          dom0.watch(path, 't')
          expected.push(`${dom0.connection} ${path} t`)
        }
        if (hold === 'watch below') watcher.watch(`${path}/below`, 't')
        if (hold === 'transaction') dom0.read(path, tx)
      }
      const before = store.store.freedRows
      const rows = store.store.accounts.held()
      expect(dom0.rm('/d')).toBe('OK')
      expect(store.takeEvents()).toEqual(expected)
      expect(store.store.accounts.check().sentences).toEqual([])
      expect(dom0.read('/d')).toBe('ENOENT')
      // Who has looked for nodes in advance has to look again.
      const gone = rows.nodes - store.store.accounts.held().nodes
      expect(store.store.freedRows - before).toBeGreaterThanOrEqual(gone)
      fill(dom0, children)
      expect(dom0.directory('/d')).toEqual(children.map((_, i) => nameOf(i)))
      expect(store.store.accounts.check().sentences).toEqual([])
      dom0.abort(tx)
      store.store.resetConnection(dom0.connection)
      store.store.resetConnection(watcher.connection)
      dom0.rm('/d')
      expect(store.store.accounts.check().sentences).toEqual([])
      expect(store.store.accounts.held()).toEqual(empty)
    })
  },
)

plain('a guest that removes many of its nodes may make as many again', () => {
  const store = aStore({ quotas: { nodes: 3 * MANY_CHILDREN } })
  const guest = store.guestAtHome(7)
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < 2 * MANY_CHILDREN; i++) {
      expect(guest.write(`/local/domain/7/many/${i}`, 'value')).toBe('OK')
    }
    expect(guest.rm('/local/domain/7/many')).toBe('OK')
  }
  expect(store.store.accounts.check().sentences).toEqual([])
})

plain('a transaction that has listed a directory fails when many of its children went', () => {
  const store = aStore()
  const dom0 = store.socket()
  for (let i = 0; i < 2 * MANY_CHILDREN; i++) dom0.write(`/d/many/${i}`, '')
  const tx = dom0.start()
  expect(dom0.directory('/d', tx)).toEqual(['many'])
  expect(dom0.directory('/d/many', tx)).toHaveLength(2 * MANY_CHILDREN)
  dom0.write('/result', 'x', tx)
  dom0.rm('/d/many')
  expect(dom0.commit(tx)).toBe('EAGAIN')
})
