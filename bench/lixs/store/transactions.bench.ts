/** Transactions from START to END, alone and while others are open. */
import type { Cases } from '../../report/measure.ts'
import { Host, must } from './a-host.ts'

const TIMES = 32
const KEYS = 10

export function transactionsCases(): Cases {
  const host = new Host()
  const { store, dom0, into } = host
  const paths = Array.from({ length: KEYS }, (_, i) => {
    host.write(`/keys/vif/0/key-${i}`, '0')
    return host.pathOf(`/keys/vif/0/key-${i}`)
  })
  const [first = host.path('/'), second = host.path('/')] = paths
  const fresh = Array.from({ length: KEYS }, (_, i) => host.pathOf(`/fresh/key-${i}`))
  const freshRoot = host.pathOf('/fresh')
  const values = ['1', '2'].map((text) => Buffer.from(text, 'latin1'))
  let turn = 0
  const small = () => {
    const tx = host.begin()
    must(store.read(dom0, tx, first, into, 0, 4096), 'READ')
    must(store.write(dom0, tx, second, values[++turn & 1] ?? into, 0, 1), 'WRITE')
    return tx
  }
  const tenWrites = () => {
    const tx = host.begin()
    const value = values[++turn & 1] ?? into
    for (const path of paths) must(store.write(dom0, tx, path, value, 0, 1), 'WRITE')
    must(store.read(dom0, tx, first, into, 0, 4096), 'READ')
    must(store.read(dom0, tx, second, into, 0, 4096), 'READ')
    host.commit(tx)
  }
  const repeat = (run: () => void) => () => {
    for (let i = 0; i < TIMES; i++) run()
  }
  return {
    cases: [
      { name: 'START, END', operations: TIMES, run: repeat(() => host.commit(host.begin())) },
      { name: 'READ, WRITE, commit', operations: TIMES, run: repeat(() => host.commit(small())) },
      {
        name: 'READ, WRITE, given up',
        operations: TIMES,
        run: repeat(() => must(store.endTransaction(small(), false), 'END')),
      },
      { name: '10 writes, 2 reads, commit', operations: TIMES, run: repeat(tenWrites) },
      {
        name: '10 nodes made and removed again',
        operations: TIMES,
        run: repeat(() => {
          const tx = host.begin()
          for (const path of fresh) must(store.mkdir(dom0, tx, path), 'MKDIR')
          host.commit(tx)
          must(store.rm(dom0, 0, freshRoot), 'RM')
        }),
      },
    ],
    close: () => host.close(),
  }
}
