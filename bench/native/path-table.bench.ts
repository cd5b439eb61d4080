/**
 * What native code does with a request before TypeScript sees it: taken off a ring and put into a batch; and, with
 * a store's tables among 10,000 guests, the look-up of its path, found or not.
 */
import { XS_READ } from '../../lixs/wire/ops.ts'
import type { Domid, Gref } from '../../native/hypervisor.ts'
import { openLoopback } from '../../native/loopback.ts'
import { StateMemory } from '../../native/os/state-memory.ts'
import {
  type Batch,
  HINT_NODE_MASK,
  RECORD_FLAGS,
  RECORD_LEN,
  RECORD_WORDS,
} from '../../native/ring-set.ts'
import { Host, must } from '../lixs/store/a-host.ts'
import type { Case, Cases } from '../report/measure.ts'
import { FULL, FullRing, turnUntil } from './full-ring.ts'

const RINGS = 32
const GUESTS = 10_000
const digits = (i: number) => String(i).padStart(2, '0')

export function pathTableCases(): Cases {
  const host = new Host()
  for (let domid = 1; domid <= GUESTS; domid++) {
    host.write(`/local/domain/${domid}/data/state`, '4')
  }
  for (let domid = 1; domid <= RINGS; domid++) {
    for (let i = 0; i < FULL; i++)
      host.write(`/local/domain/${domid}/data/key/${digits(i)}-001`, '4')
  }
  for (let i = 0; i < FULL; i++) host.write(`/there/is/k-${digits(i)}1`, '4')
  const worlds = [new World(undefined), new World(host)] as const
  const [framed, looked] = worlds
  return {
    cases: [
      framed.case('framed only', (i) => `data/key/${digits(i)}-001\0`, 0),
      looked.case('found, in the own home', (i) => `data/key/${digits(i)}-001\0`, FULL),
      looked.case('found, absolute', (i) => `/there/is/k-${digits(i)}1\0`, FULL),
      looked.case('not found, last name', (i) => `data/key/${digits(i)}-xxx\0`, 0),
      looked.case('not found, first name', (i) => `none/key/${digits(i)}-001\0`, 0),
    ],
    close() {
      for (const world of worlds) world.close()
      host.close()
    },
  }
}

/** Rings, and somebody who counts of how many requests the node is known. */
class World {
  readonly #memory = StateMemory.anonymous(2 ** 30)
  readonly #loopback = openLoopback()
  readonly #rings = this.#loopback.rings('xenstore', {
    memory: this.#memory,
    maxConnections: RINGS,
    maxQueuedBytes: 2 ** 20,
    virqs: [],
  })
  readonly #guests: readonly FullRing[]
  #requests = 0
  #found = 0

  constructor(host: Host | undefined) {
    this.#guests = Array.from({ length: RINGS }, (_, i) => {
      const end = this.#loopback.guest((i + 1) as Domid, 1 as Gref)
      this.#rings.attach(end.domid, { kind: 'gref', gref: 1 as Gref }, end.port, 0)
      return new FullRing(end)
    })
    if (host !== undefined) this.#rings.findPaths(host.store.pathTables)
    this.#rings.onBatch((batch) => this.#count(batch))
  }

  /** @param found requests of each ring of which the node must be found */
  case(name: string, payloadOf: (i: number) => string, found: number): Case {
    const run = async () => {
      for (const guest of this.#guests) guest.prepare(XS_READ, payloadOf)
      this.#requests = 0
      this.#found = 0
      for (const guest of this.#guests) guest.ask()
      await turnUntil(() => this.#requests === RINGS * FULL)
      must(this.#found === RINGS * found, name)
    }
    return { name, operations: RINGS * FULL, run }
  }

  close(): void {
    this.#rings.close()
    this.#memory.close()
  }

  #count({ words, length }: Batch): void {
    for (let at = 0; at < length; ) {
      this.#requests++
      if (((words[at + RECORD_FLAGS] as number) & HINT_NODE_MASK) !== 0) this.#found++
      at += RECORD_WORDS + (((words[at + RECORD_LEN] as number) + 3) >> 2)
    }
  }
}
