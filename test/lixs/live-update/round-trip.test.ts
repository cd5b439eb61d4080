import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import type { Domid } from '../../../native/hypervisor.ts'
import { aStore, type Client, type TestStore } from '../store/a-store.ts'
import { bytesOf, restoredFrom, sourceOf, TestHandover } from './a-saved-store.ts'

const PATHS = ['/', '/a', '/a/b', '/a/b/c', '/a/x', '/z', '/local/domain/5/own', '/tool']
const WATCHED = [...PATHS, '/none/yet', 'own', '@releaseDomain', '@introduceDomain']
const PERMS = ['n0', 'r0', 'n5', 'b5 r6', 'n0 w6 r5', 'r6 n5', 'b0']
/** Number 0 is nobody's: the stream has no connection 0. */
const PEERS = ['nobody', 'socket', 'guest 5', 'guest 6', 'guest 7'] as const

type Step =
  | { readonly op: 'write'; readonly peer: number; readonly path: string; readonly value: string }
  | { readonly op: 'mkdir' | 'rm'; readonly peer: number; readonly path: string }
  | { readonly op: 'perms'; readonly peer: number; readonly path: string; readonly list: string }
  | { readonly op: 'watch'; readonly peer: number; readonly path: string; readonly token: string }
  | { readonly op: 'release'; readonly domid: number }

const peer = fc.integer({ min: 1, max: PEERS.length - 1 })
const path = fc.constantFrom(...PATHS)
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ op: fc.constant('write' as const), peer, path, value: fc.string({ maxLength: 40 }) }),
  fc.record({ op: fc.constantFrom('mkdir' as const, 'rm' as const), peer, path }),
  fc.record({ op: fc.constant('perms' as const), peer, path, list: fc.constantFrom(...PERMS) }),
  fc.record({
    op: fc.constant('watch' as const),
    peer,
    path: fc.constantFrom(...WATCHED),
    token: fc.constantFrom('t', 'u', ''),
  }),
  fc.record({ op: fc.constant('release' as const), domid: fc.constantFrom(8, 9) }),
)

function take(store: TestStore, peers: readonly Client[], step: Step): string {
  if (step.op === 'release') {
    store.release(step.domid)
    return ''
  }
  const client = peers[step.peer]
  if (client === undefined) throw new Error(`no peer ${step.peer}`)
  switch (step.op) {
    case 'write':
      return client.write(step.path, step.value)
    case 'mkdir':
      return client.mkdir(step.path)
    case 'rm':
      return client.rm(step.path)
    case 'perms':
      return client.setPerms(step.path, step.list)
    case 'watch':
      return client.watch(step.path, step.token)
  }
}

/** All that anybody can see, and what is counted. */
function sightOf(store: TestStore, peers: readonly Client[]): unknown {
  return {
    answers: peers
      .slice(1)
      .map((client) =>
        [...PATHS, '/local', '/local/domain', '/missing'].map((path) => [
          path,
          client.read(path),
          client.directory(path),
          client.getPerms(path),
        ]),
      ),
    specials: ['@releaseDomain', '@introduceDomain'].map((path) => peers[1]?.getPerms(path)),
    usage: [0, 5, 6, 7].map((domid) => store.store.accounts.usageOf(domid as Domid)),
    introduced: [5, 6, 7, 8, 9].map((domid) => store.store.isIntroduced(domid as Domid)),
  }
}

test.prop([fc.array(step, { maxLength: 60 }), fc.array(step, { minLength: 5, maxLength: 40 })], {
  numRuns: 60,
})('what is restored answers, counts and tells as what was saved', (past, future) => {
  const store = aStore()
  const handover = new TestHandover()
  const nobody = store.socket()
  const peers = [nobody, store.socket(), store.guest(5), store.guest(6), store.guest(7)]
  handover.addSocket(1, 50)
  for (const [id, domid] of [
    [2, 5],
    [3, 6],
    [4, 7],
  ] as const)
    handover.addRing(id, domid, domid)
  store.guest(8)
  store.guest(9)
  for (const each of past) take(store, peers, each)

  const restored = restoredFrom(bytesOf(sourceOf(store, handover)))
  const again = [nobody, ...[1, 2, 3, 4].map((id) => restored.client(id))]
  expect(sightOf(restored.store, again)).toEqual(sightOf(store, peers))

  store.takeEvents()
  restored.store.takeEvents()
  for (const each of future) {
    expect(take(restored.store, again, each)).toBe(take(store, peers, each))
    // Between connections the order is that in which they came, not that of their watches.
    expect(restored.store.takeEvents().sort()).toEqual(store.takeEvents().sort())
  }
  expect(sightOf(restored.store, again)).toEqual(sightOf(store, peers))
})
