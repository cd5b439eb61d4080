/** A directory of ten thousand children: listed at once, in parts, with one child coming and going, and removed. */
import type { Cases } from '../../report/measure.ts'
import { Host, must } from './a-host.ts'

const CHILDREN = 10_000
const NAME_BYTES = 'child-1234'.length
const PART_BYTES = 4096
const TIMES = 64

export function childListCases(): Cases {
  const host = new Host()
  const { store, dom0, into } = host
  for (let i = 0; i < CHILDREN; i++) host.write(`/many/child-${String(i).padStart(4, '0')}`, '')
  for (let i = 0; i < 10; i++) host.write(`/few/child-${i}`, '')
  const [many, few] = [host.pathOf('/many'), host.pathOf('/few')]
  const [newInMany, newInFew] = [host.pathOf('/many/new-one'), host.pathOf('/few/new-one')]
  const doomed = host.pathOf('/doomed')
  const children = Array.from({ length: CHILDREN }, (_, i) => host.pathOf(`/doomed/c${i}`))
  const listBytes = CHILDREN * (NAME_BYTES + 1)
  const changeOne = (path: typeof newInMany) => () => {
    for (let i = 0; i < TIMES; i++) {
      must(store.mkdir(dom0, 0, path), 'MKDIR')
      must(store.rm(dom0, 0, path), 'RM')
    }
  }
  return {
    cases: [
      {
        name: 'DIRECTORY of 10, whole',
        operations: TIMES,
        run() {
          for (let i = 0; i < TIMES; i++) {
            must(store.directory(dom0, 0, few, into, 0, PART_BYTES), 'DIRECTORY')
          }
        },
      },
      {
        name: 'DIRECTORY of 10,000, whole',
        operations: 1,
        run() {
          const bytes = store.directory(dom0, 0, many, into, 0, into.length)
          must(bytes === listBytes, 'DIRECTORY')
        },
      },
      {
        name: 'DIRECTORY_PART of 10,000, all parts',
        operations: 1,
        run() {
          let offset = 0
          while (offset < listBytes) {
            const bytes = store.directoryPart(dom0, 0, many, offset, into, 0, PART_BYTES)
            if (typeof bytes === 'string') throw new Error(bytes)
            // The generation and its NUL come first.
            offset += bytes - into.indexOf(0) - 1
          }
        },
      },
      { name: 'MKDIR and RM beside 10', operations: TIMES, run: changeOne(newInFew) },
      { name: 'MKDIR and RM beside 10,000', operations: TIMES, run: changeOne(newInMany) },
      {
        name: 'RM of 10,000 children, each',
        operations: CHILDREN,
        prepare() {
          for (const child of children) must(store.mkdir(dom0, 0, child), 'MKDIR')
        },
        run: () => must(store.rm(dom0, 0, doomed), 'RM'),
      },
    ],
    close: () => host.close(),
  }
}
