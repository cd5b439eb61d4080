import { fc, test } from '@fast-check/vitest'
import { expect, test as plain } from 'vitest'
import { StateMemory } from '../../../native/os/state-memory.ts'
import { aStore, type Client, type TestStore } from './a-store.ts'

/** The plainest thing that a tree can be: paths in the order of their creation. */
class Model {
  readonly values = new Map<string, string>([['/', '']])

  write(path: string, value: string | undefined): void {
    const names = path.split('/').slice(1)
    for (let i = 1; i < names.length; i++) {
      const parent = `/${names.slice(0, i).join('/')}`
      if (!this.values.has(parent)) this.values.set(parent, '')
    }
    if (value !== undefined || !this.values.has(path)) this.values.set(path, value ?? '')
  }

  rm(path: string): void {
    for (const known of [...this.values.keys()]) {
      if (known === path || known.startsWith(`${path}/`)) this.values.delete(known)
    }
  }

  childrenOf(path: string): string[] {
    const prefix = path === '/' ? '/' : `${path}/`
    return [...this.values.keys()]
      .filter((known) => known !== '/' && known.startsWith(prefix))
      .map((known) => known.slice(prefix.length))
      .filter((name) => !name.includes('/'))
  }
}

const path = fc
  .array(fc.constantFrom('a', 'b', 'c', 'long-name-of-a-node'), { minLength: 1, maxLength: 4 })
  .map((names) => `/${names.join('/')}`)
const step = fc.oneof(
  fc.record({ op: fc.constant('write' as const), path, value: fc.string({ maxLength: 40 }) }),
  fc.record({ op: fc.constant('mkdir' as const), path, value: fc.constant('') }),
  fc.record({ op: fc.constant('rm' as const), path, value: fc.constant('') }),
  fc.record({ op: fc.constant('watch' as const), path, value: fc.constantFrom('t', 'u') }),
  fc.record({ op: fc.constant('unwatch' as const), path, value: fc.constantFrom('t', 'u') }),
)

/** A history without tests' clean-up hooks: many runs share one test. */
function withStore(run: (store: TestStore) => void): void {
  const memory = StateMemory.anonymous(2 ** 30)
  run(aStore({ memory }))
  memory.close()
}

function expectSame(dom0: Client, model: Model): void {
  for (const [known, value] of model.values) {
    if (known !== '/') expect(dom0.read(known)).toBe(Buffer.from(value).toString('latin1'))
    expect(dom0.directory(known)).toEqual(model.childrenOf(known))
  }
}

test.prop([fc.array(step, { maxLength: 60, size: 'max' })])(
  'a tree is like the model of it',
  (history) => {
    withStore((store) => {
      const dom0 = store.socket()
      dom0.rm('/tool')
      const empty = store.store.accounts.held()
      const model = new Model()
      for (const { op, path: at, value } of history) {
        if (op === 'write') {
          dom0.write(at, Buffer.from(value).toString('latin1'))
          model.write(at, value)
        } else if (op === 'mkdir') {
          dom0.mkdir(at)
          model.write(at, undefined)
        } else if (op === 'rm') {
          dom0.rm(at)
          model.rm(at)
        } else if (op === 'watch') {
          dom0.watch(at, value)
        } else {
          dom0.unwatch(at, value)
        }
      }
      expectSame(dom0, model)
      for (const name of model.childrenOf('/')) dom0.rm(`/${name}`)
      store.store.resetConnection(dom0.connection)
      expect(store.store.accounts.held()).toEqual(empty)
    })
  },
)

plain('ghosts are not children, and a ghost becomes a node in the order of its creation', () => {
  const store = aStore()
  const dom0 = store.socket()
  dom0.watch('/d/ghost/below', 't')
  dom0.mkdir('/d/first')
  expect(dom0.directory('/d')).toEqual(['first'])
  dom0.mkdir('/d/ghost')
  expect(dom0.directory('/d')).toEqual(['first', 'ghost'])
  expect(dom0.directory('/d/ghost')).toEqual([])
  dom0.rm('/d')
  expect(dom0.read('/d')).toBe('ENOENT')
})
