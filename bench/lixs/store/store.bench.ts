/**
 * What the store's operations cost without any protocol around them, with one guest and with ten thousand.
 *
 * The law: they must not differ by more than caches explain. So both stores stand side by side, and what is
 * compared is the one by the other.
 */
import { ParsedPath, parsePath } from '../../../lixs/store/path.ts'
import type { Domid } from '../../../native/hypervisor.ts'
import type { Case, Cases } from '../../report/measure.ts'
import { Host, must } from './a-host.ts'

const GUESTS = 10_000
const TIMES = 64

export function storeCases(): Cases {
  const [few, many] = [new Host(), new Host()]
  few.makeGuest(1)
  for (let domid = 1; domid <= GUESTS; domid++) many.makeGuest(domid)
  const runs = runsOf(few, 1)
  const cases: Case[] = [...runsOf(many, GUESTS)].map(([name, run]) => {
    const beside = runs.get(name)
    if (beside === undefined) throw new Error(`${name} is missing with few guests`)
    return { name, operations: TIMES, run: repeat(run), beside: repeat(beside) }
  })
  return {
    cases,
    close() {
      few.close()
      many.close()
    },
  }
}

function repeat(run: () => void): () => void {
  return () => {
    for (let i = 0; i < TIMES; i++) run()
  }
}

/** @param guests the last of them is worked at; one more comes and goes */
function runsOf(host: Host, guests: number): Map<string, () => void> {
  const { store, dom0, into } = host
  const last = { domid: guests as Domid, isPrivileged: false }
  const target = host.pathOf('memory/target', guests)
  const shutdown = host.pathOf('control/shutdown', guests)
  const device = host.pathOf('device', guests)
  const value = Buffer.from('262144', 'latin1')
  const raw = Buffer.from('memory/target', 'latin1')
  const parsed = new ParsedPath()
  const write = (who: typeof last, path: ParsedPath, tx = 0) =>
    must(store.write(who, tx, path, value, 0, value.length), 'WRITE')
  return new Map([
    ['parse a path', () => must(parsePath(raw, 0, raw.length, last.domid, parsed, 2048), 'path')],
    ['READ, privileged', () => must(store.read(dom0, 0, target, into, 0, 4096), 'READ')],
    ['READ, guest', () => must(store.read(last, 0, target, into, 0, 4096), 'READ')],
    ['WRITE, guest', () => write(last, target)],
    [
      'WRITE with an event',
      () => must(store.write(dom0, 0, shutdown, value, 0, value.length), 'WRITE'),
    ],
    ['DIRECTORY', () => must(store.directory(dom0, 0, device, into, 0, 4096), 'DIRECTORY')],
    [
      'transaction: READ, WRITE',
      () => {
        const tx = host.begin()
        must(store.read(dom0, tx, target, into, 0, 4096), 'READ')
        must(store.write(dom0, tx, target, value, 0, value.length), 'WRITE')
        host.commit(tx)
      },
    ],
    [
      'guest: made and released',
      () => {
        host.makeGuest(guests + 1)
        host.removeGuest(guests + 1)
      },
    ],
  ])
}
