/** What a domain may do by a list of one permission and by one of ten, of which the last one names it. */
import { DEFAULT_QUOTAS } from '../../../lixs/store/quota.ts'
import { DEFAULT_CAPACITY, StoreTables } from '../../../lixs/store/tables.ts'
import type { Domid } from '../../../native/hypervisor.ts'
import { StateMemory } from '../../../native/os/state-memory.ts'
import type { Cases } from '../../report/measure.ts'
import { must } from './a-host.ts'

const TIMES = 512
const READ = 1

export function permsCases(): Cases {
  const memory = StateMemory.anonymous()
  const sink = { watchEvent: () => undefined }
  const { perms, domains } = new StoreTables(memory, { ...DEFAULT_QUOTAS }, sink, DEFAULT_CAPACITY)
  for (let domid = 1; domid <= 10; domid++) domains.ensure(domid as Domid)
  const text = (count: number) =>
    Buffer.from(
      Array.from({ length: count }, (_, i) => `${i === 0 ? 'n' : 'r'}${i + 1}\0`).join(''),
      'latin1',
    )
  const [shortText, longText] = [text(1), text(10)]
  const intern = (from: Uint8Array) => perms.intern(perms.parse(from, 0, from.length))
  const [one, ten] = [intern(shortText), intern(longText)]
  const rights = (list: number, domid: number, expected: number) => () => {
    let all = 0
    for (let i = 0; i < TIMES; i++) all += perms.rightsOf(list, domid)
    must(all === TIMES * expected, 'rights')
  }
  return {
    cases: [
      { name: 'rights by 1 entry, owner', operations: TIMES, run: rights(one, 1, 7) },
      { name: 'rights by 1 entry, anybody', operations: TIMES, run: rights(one, 5, 0) },
      { name: 'rights by 10 entries, the last', operations: TIMES, run: rights(ten, 10, READ) },
      {
        name: 'a list of 10 read and found again',
        operations: TIMES / 8,
        run() {
          for (let i = 0; i < TIMES / 8; i++) {
            must(intern(longText) === ten, 'intern')
            perms.release(ten)
          }
        },
      },
    ],
    close: () => memory.close(),
  }
}
