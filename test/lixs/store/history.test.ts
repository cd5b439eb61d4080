/**
 * Whole histories: several connections, transactions and domains at once, against a second store in
 * which everything that was committed is done again, one after the other and without transactions.
 */
import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import type { Domid } from '../../../native/hypervisor.ts'
import { StateMemory } from '../../../native/os/state-memory.ts'
import { aStore, type Client, type TestStore } from './a-store.ts'

const OPS = ['read', 'directory', 'getPerms', 'write', 'mkdir', 'rm', 'setPerms'] as const

interface Operation {
  readonly op: (typeof OPS)[number]
  readonly path: string
  readonly value: string
}

const path = fc.constantFrom('/a', '/a/x', '/a/x/y', '/a/z', '/b/x/y')
const operation = fc.record({
  op: fc.constantFrom(...OPS),
  path,
  value: fc.nat({ max: 3 }).map(String),
})
/**
 * A step of one of the four connections: an operation, mostly inside its transaction, or that one's
 * end. Two privileged connections do most, so that most commits are about conflicts, not permissions.
 */
const step = fc.record({
  client: fc.constantFrom(0, 0, 0, 1, 1, 2, 3),
  action: fc.constantFrom(
    ...Array.from({ length: 12 }, () => 'operate'),
    'commit',
    'commit',
    'abort',
  ),
  isInside: fc.constantFrom(true, true, true, false),
  operation,
})

const PERMS = ['n0', 'b0', 'n0 b5', 'r5 b6']

function perform(client: Client, { op, path: at, value }: Operation, tx: number): string {
  if (op === 'write') return client.write(at, value.repeat(10), tx)
  if (op === 'setPerms') return client.setPerms(at, PERMS[Number(value)] ?? 'n0', tx)
  if (op !== 'directory') return client[op](at, tx)
  const names = client.directory(at, tx)
  return typeof names === 'string' ? names : [...names].sort().join(' ')
}

/** Two sockets and two guests. */
function connect(store: TestStore): Client[] {
  const clients = [store.socket(), store.socket(), store.guest(5), store.guest(6)]
  const [dom0] = clients
  dom0?.setPerms('/', 'b0')
  return clients
}

function dump(dom0: Client, at = '/'): string[] {
  const names = dom0.directory(at)
  if (typeof names === 'string') throw new Error(names)
  return [
    `${at} ${dom0.read(at)} ${dom0.getPerms(at)}`,
    ...[...names].sort().flatMap((name) => dump(dom0, `${at === '/' ? '' : at}/${name}`)),
  ]
}

interface Open {
  readonly tx: number
  readonly done: [Operation, string][]
}

test.prop([fc.array(step, { maxLength: 60, size: 'max' })], { numRuns: 150 })(
  'what is committed is as if it had been done at that moment, as a whole',
  (history) => {
    const memories = [StateMemory.anonymous(2 ** 30), StateMemory.anonymous(2 ** 30)]
    const [real, serial] = memories.map((memory) => aStore({ memory })) as [TestStore, TestStore]
    const clients = connect(real)
    const shadows = connect(serial)
    const open: (Open | undefined)[] = []
    const answers: string[] = []
    const expected: string[] = []
    for (const { client: index, action, isInside, operation: todo } of history) {
      const client = clients[index] as Client
      const shadow = shadows[index] as Client
      const current = open[index]
      if (action === 'operate') {
        if (isInside) {
          const into = current ?? { tx: client.start(), done: [] }
          open[index] = into
          into.done.push([todo, perform(client, todo, into.tx)])
        } else {
          answers.push(perform(client, todo, 0))
          expected.push(perform(shadow, todo, 0))
        }
      } else if (current !== undefined) {
        open[index] = undefined
        if (action === 'abort') client.abort(current.tx)
        else if (client.commit(current.tx) === 'OK') {
          for (const [done, answer] of current.done) {
            answers.push(`${done.op} ${done.path}: ${answer}`)
            expected.push(`${done.op} ${done.path}: ${perform(shadow, done, 0)}`)
          }
        }
        answers.push(...dump(clients[0] as Client))
        expected.push(...dump(shadows[0] as Client))
      }
    }
    expect(answers).toEqual(expected)
    for (const memory of memories) memory.close()
  },
)

const life = fc.oneof(
  { weight: 6, arbitrary: step },
  {
    weight: 2,
    arbitrary: fc.record({
      client: fc.nat({ max: 3 }),
      action: fc.constantFrom('watch', 'unwatch', 'reset', 'rebirth'),
      isInside: fc.boolean(),
      operation,
    }),
  },
)

test.prop([fc.array(life, { maxLength: 100, size: 'max' })], { numRuns: 150 })(
  'usage is never below zero, a check finds nothing, and all is zero once everything is dropped',
  (history) => {
    const memory = StateMemory.anonymous(2 ** 30)
    const store = aStore({ memory, quotas: { nodes: 6, watches: 5, transactionNodes: 8 } })
    const start = store.store.accounts.held()
    const clients = connect(store)
    const open: (number | undefined)[] = []
    for (const { client: index, action, isInside, operation: todo } of history) {
      const client = clients[index] as Client
      const tx = open[index]
      if (action === 'operate' && isInside) {
        const into = tx ?? client.start()
        open[index] = into
        perform(client, todo, into)
      } else if (action === 'operate') perform(client, todo, 0)
      else if (action === 'watch') client.watch(todo.path, todo.value)
      else if (action === 'unwatch') client.unwatch(todo.path, todo.value)
      else if (action === 'reset') store.store.resetConnection(client.connection)
      else if (action === 'rebirth' && !client.who.isPrivileged) {
        store.release(client.who.domid)
        clients[index] = store.guest(client.who.domid)
      } else if (tx !== undefined) {
        if (action === 'commit') client.commit(tx)
        if (action === 'abort') client.abort(tx)
      }
      const { connection } = clients[index] as Client
      const now = open[index]
      if (now !== undefined && store.store.findTransaction(connection, now) === 0) {
        open[index] = undefined
      }
      for (const domid of [0, 5, 6]) {
        const usage = store.store.accounts.usageOf(domid as Domid)
        if (Math.min(...Object.values(usage)) < 0) expect(usage).toBe('zero or more')
      }
    }
    expect(store.store.accounts.check().sentences).toEqual([])
    for (const client of clients) client.close()
    for (const domid of [5, 6]) {
      store.release(domid)
      expect(Object.values(store.store.accounts.usageOf(domid as Domid))).toEqual([0, 0, 0, 0])
    }
    const dom0 = store.socket()
    for (const name of ['a', 'b']) dom0.rm(`/${name}`)
    dom0.setPerms('/', 'n0')
    dom0.close()
    expect(store.store.accounts.held()).toEqual(start)
    expect(store.store.accounts.check().sentences).toEqual([])
    memory.close()
  },
)
