/**
 * Many guests, picked at random, die in the same moment; afterwards nothing of them may be left
 * anywhere, and the others must not have noticed.
 */
import { randomBytes } from 'node:crypto'
import * as v from 'valibot'
import { XenstoreClient } from '../../../lixs/client/client.ts'
import { type Domid, domidFrom } from '../../../native/hypervisor.ts'
import { XcldClient } from '../../../xcl/daemon/client.ts'
import { isLetGo, typed } from '../consoles.ts'
import { Counter } from '../counter.ts'
import type { Guests } from '../guests.ts'
import type { LogDirectory } from '../log-directory.ts'
import type { News } from '../news.ts'
import type { DeathKind } from '../options.ts'
import { openFilesOf } from '../proc.ts'
import type { Processes } from '../processes.ts'

/** How long no further one may be cleaned up before it is said that the rest never will. */
const PATIENCE_MS = 15_000
/** Between two looks at what is left, once all that is waited for has come. */
const PAUSE_MS = 100
/** Consoles that are visited at a time. */
const VISITORS = 32
/** Backends that leave nodes in dom0's part of the store. */
const BACKENDS = ['console', 'vif', 'vbd'] as const

export interface DeathFigures {
  readonly how: DeathKind
  readonly died: number
  /** Those of which nothing is left in the machine, nor their homes in the store. */
  readonly cleaned: number
  /** From the deaths to the last one cleaned up in the machine and in the store. */
  readonly seconds: number
  /** Guests that live on, and of these those that answered at their console. */
  readonly survivors: number
  readonly answered: number
}

interface DeathOptions {
  readonly count: number
  readonly how: DeathKind
  readonly seed: number
  readonly guests: Guests
  readonly news: News
  readonly logs: LogDirectory
  /** Takes a sentence about what is not as it should be. */
  readonly complain: (sentence: string) => void
}

const Listed = v.array(v.object({ domid: v.number(), name: v.nullable(v.string()) }))

export async function letDie(processes: Processes, options: DeathOptions): Promise<DeathFigures> {
  const { count, how, seed, guests, news, logs, complain } = options
  const { simulator } = processes
  const store = await XenstoreClient.connect(processes.storeSocket)
  const xcld = new XcldClient(processes.xcldSocket)
  const dead = new Set<number>()
  const cleaned = new Counter()
  // What goes before we know who dies is counted, too.
  const removed = new Set<number>()
  const isRemoved = (domid: number): void => {
    if (removed.has(domid)) return
    removed.add(domid)
    cleaned.add()
  }
  const watch = await store.watch('/local/domain', (path) => {
    const domid = domidFrom(/^\/local\/domain\/([0-9]+)$/.exec(path)?.[1] ?? '')
    if (domid === undefined) return
    store.read(path).then(
      (value) => value === undefined && isRemoved(domid),
      () => undefined, // the store has gone; whoever watches the processes says so
    )
  })
  const gone = new Counter()
  const stopListening = news.onGone(() => gone.add())
  news.expectDeaths()

  const begin = performance.now()
  for (const domid of await simulator.die({ count, seed, how })) dead.add(domid)
  const haveGone = await gone.reaches(count, PATIENCE_MS)
  const areCleaned = await cleaned.reaches(count, PATIENCE_MS)
  const seconds = (performance.now() - begin) / 1000
  stopListening()
  await watch.unwatch()
  if (!haveGone) complain(`${count - gone.value} of ${count} dead domains are still in the machine`)
  if (!areCleaned) complain(`${count - cleaned.value} of ${count} homes are still in the store`)

  for (const sentence of await lasting(() => leftovers(store, xcld, guests, dead))) {
    complain(sentence)
  }
  const indexes = Array.from(guests.domids.keys()).filter((i) => guests.domids[i] !== 0)
  const dying = indexes.filter((i) => dead.has(guests.domids[i] ?? 0))
  const living = indexes.filter((i) => !dead.has(guests.domids[i] ?? 0))
  await each(dying, async (i) => {
    const fault = await isLetGo(processes.consoledSocket, domidAt(guests, i))
    if (fault !== undefined) complain(`the console of ${guests.name(i)}, which is dead: ${fault}`)
  })
  const open = new Set(openFilesOf(processes.pidOf('consoled')))
  for (const i of dying) {
    if (open.has(logs.guest(guests.name(i)))) complain(`the log of ${guests.name(i)} is still open`)
  }
  let answered = 0
  await each(living, async (i) => {
    const word = randomBytes(4).toString('hex')
    const line = `echo ${word}`
    const fault = await typed(processes.consoledSocket, domidAt(guests, i), line, `${word}\r\n`)
    if (fault === undefined) answered++
    else complain(`${guests.name(i)}, which is alive: ${fault}`)
  })
  store.close()
  return {
    how,
    died: dead.size,
    cleaned: Math.min(gone.value, cleaned.value),
    seconds,
    survivors: living.length,
    answered,
  }
}

/** What a look finds again and again, until it finds nothing or it is time to say so. */
async function lasting(look: () => Promise<string[]>): Promise<string[]> {
  const giveUpAt = performance.now() + PATIENCE_MS
  for (;;) {
    const found = await look()
    if (found.length === 0 || performance.now() > giveUpAt) return found
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  }
}

/** What store and toolstack still have of the dead, and what they no longer have of the living. */
async function leftovers(
  store: XenstoreClient,
  xcld: XcldClient,
  guests: Guests,
  dead: ReadonlySet<number>,
): Promise<string[]> {
  const alive = [...guests.domids].filter((domid) => domid !== 0 && !dead.has(domid))
  const uuids = guests.uuids.filter((uuid, i) => uuid !== '' && !dead.has(guests.domids[i] ?? 0))
  const found: string[] = []
  const compare = (place: string, wanted: readonly string[], there: readonly string[]): void => {
    const expected = new Set(wanted)
    const present = new Set(there)
    const surplus = there.filter((name) => !expected.has(name))
    const missing = wanted.filter((name) => !present.has(name))
    if (surplus.length > 0) found.push(`${place} still has ${some(surplus)}`)
    if (missing.length > 0) found.push(`${place} has lost ${some(missing)}`)
  }
  const domids = alive.map(String)
  const children = async (path: string): Promise<string[]> =>
    ((await store.directory(path)) ?? []).filter((name) => name !== '0')
  compare('/local/domain', domids, await children('/local/domain'))
  compare('/libxl', domids, await children('/libxl'))
  compare(
    '/vm',
    uuids,
    (await children('/vm')).filter((uuid) => !/^0{8}-/.test(uuid)),
  )
  for (const kind of BACKENDS) {
    const path = `/local/domain/0/backend/${kind}`
    const owners = await children(path)
    if (kind === 'console' || owners.length > 0) compare(path, domids, owners)
  }
  const { stdout } = await xcld.run(['list', '--json'])
  const listed = v.parse(Listed, JSON.parse(stdout)).filter(({ domid }) => domid !== 0)
  const names = Array.from(guests.domids.keys())
    .filter((i) => guests.domids[i] !== 0 && !dead.has(guests.domids[i] ?? 0))
    .map((i) => guests.name(i))
  compare(
    'xcl list',
    names,
    listed.map(({ name, domid }) => name ?? `(domain ${domid})`),
  )
  return found
}

function some(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(', ')
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown
}

/** A few at a time. */
async function each(indexes: readonly number[], visit: (index: number) => Promise<void>) {
  const rest = indexes.values()
  const visitor = async (): Promise<void> => {
    for (const index of rest) await visit(index)
  }
  await Promise.all(Array.from({ length: VISITORS }, visitor))
}

function domidAt(guests: Guests, index: number): Domid {
  const domid = domidFrom(String(guests.domids[index]))
  if (domid === undefined) throw new Error(`${guests.name(index)} has no domid`)
  return domid
}
