/**
 * What native code says of the paths in requests, against what the store says of them: both look into the
 * same tables.
 */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ParsedPath, parsePath } from '../../lixs/store/path.ts'
import { DEFAULT_QUOTAS } from '../../lixs/store/quota.ts'
import { Store } from '../../lixs/store/store.ts'
import { StoreTables } from '../../lixs/store/tables.ts'
import {
  XS_DIRECTORY,
  XS_DIRECTORY_PART,
  XS_GET_DOMAIN_PATH,
  XS_GET_PERMS,
  XS_MKDIR,
  XS_READ,
  XS_RM,
  XS_SET_PERMS,
  XS_WATCH,
  XS_WRITE,
} from '../../lixs/wire/ops.ts'
import { DOM0, type Domid } from '../../native/hypervisor.ts'
import { type ConnectionId, HINT_BYTES_SHIFT, HINT_NODE_MASK } from '../../native/ring-set.ts'
import { Chance } from '../lixs/connection/isolation.ts'
import { CAPACITY } from '../lixs/store/a-store.ts'
import { encode, type GuestRing } from './guest-ring.ts'
import { RingHarness } from './ring-harness.ts'

const NOTHING = 0
const TOOL = { domid: DOM0, isPrivileged: true } as const
const GUESTS = 40
const LONGEST = 1023

let harness: RingHarness
let store: Store
/** The same tables once more, to ask them what the store does not tell. */
let tables: StoreTables
const path = new ParsedPath()

beforeEach(() => {
  harness = new RingHarness()
  const sink = { watchEvent: () => undefined }
  const isKnown = { domainExists: () => true, keepOrphans: false }
  store = new Store(harness.memory, DEFAULT_QUOTAS, sink, { ...isKnown, capacity: CAPACITY })
  tables = new StoreTables(harness.memory, DEFAULT_QUOTAS, sink, CAPACITY)
  store.openConnection(0, TOOL)
  harness.rings.findPaths(store.pathTables)
})

afterEach(() => harness.close())

function parsed(text: string, home = 0): ParsedPath {
  const bytes = Buffer.from(text, 'latin1')
  expect(parsePath(bytes, 0, bytes.length, home as Domid, path, 0)).toBe(true)
  return path
}

const make = (text: string) => store.mkdir(TOOL, 0, parsed(text))
const remove = (text: string) => store.rm(TOOL, 0, parsed(text))

/** What is to be said of a path that somebody of this domain names. */
function expected(text: string, home: number): number {
  const bytes = Buffer.from(text, 'latin1')
  const isValid = parsePath(bytes, 0, bytes.length, home as Domid, path, 0)
  if (!isValid || path.isSpecial || path.count === 0 || bytes.length > LONGEST) return NOTHING
  const node = tables.tree.find(path)
  return node === 0 ? NOTHING : (node | (bytes.length << HINT_BYTES_SHIFT)) >>> 0
}

interface Guest {
  readonly domid: number
  readonly ring: GuestRing
  readonly id: ConnectionId
}

const guests = (count: number): Guest[] =>
  Array.from({ length: count }, (_, i) => ({ domid: i + 1, ...harness.guest(i + 1) }))

const request = (type: number, text: string, txId = 0) =>
  encode(type, 1, txId, Buffer.from(text.replaceAll('|', '\0'), 'latin1'))

/** Lets all of them ask at once. @returns what was said of each one's path */
async function hints(asking: readonly (readonly [Guest, Buffer])[]): Promise<number[]> {
  harness.noted.length = 0
  for (const [{ ring }, message] of asking) ring.put(message)
  for (const [{ ring }] of asking) ring.end.kick()
  await harness.until(() => harness.noted.length === asking.length)
  return asking.map(([{ id }]) => (harness.of(id)[0]?.hint ?? -1) >>> 0)
}

async function hint(guest: Guest, type: number, text: string, txId = 0): Promise<number> {
  const [said = -1] = await hints([[guest, request(type, text, txId)]])
  return said
}

test.for([1, 2, 3])('it is the node that the store finds (seed %i)', async (seed) => {
  const chance = new Chance(seed)
  const all = guests(GUESTS)
  const names = [
    'a',
    'b',
    'state',
    'backend',
    'a-name-of-more-than-16-bytes',
    '0',
    '17',
    'x_@',
    '@x',
  ]
  const name = () => names[chance.below(names.length)] ?? ''
  const some = () => Array.from({ length: 1 + chance.below(6) }, name).join('/')
  let found = 0
  for (let round = 0; round < 60; round++) {
    for (let i = 0; i < 10; i++) {
      const home = `/local/domain/${1 + chance.below(GUESTS)}`
      make(chance.below(2) === 0 ? `/${some()}` : `${home}/${some()}`)
    }
    if (round % 3 === 0) remove(`/${name()}`)
    if (round % 5 === 0) remove(`/local/domain/${1 + chance.below(GUESTS)}/${name()}`)
    const paths = all.map(({ domid }) => {
      const kinds = [`/${some()}`, some(), `/local/domain/${domid}/${some()}`, `/${some()}/`]
      return [...kinds, `${some()}//${some()}`, '/', '//', '@releaseDomain'][chance.below(8)] ?? ''
    })
    const said = await hints(
      all.map((guest, i) => [guest, request(XS_READ, `${paths[i]}|`)] as const),
    )
    expect(said).toEqual(all.map(({ domid }, i) => expected(paths[i] ?? '', domid)))
    found += said.filter((each) => each !== NOTHING).length
  }
  expect(found).toBeGreaterThan(50)
})

test('so it is for each request that begins with the path of a node, and for no other', async () => {
  const [guest] = guests(1)
  if (guest === undefined) throw new Error('no guest')
  make('/local/domain/1/data')
  const node = expected('data', 1)
  const with1 = [XS_READ, XS_DIRECTORY, XS_GET_PERMS, XS_MKDIR, XS_RM]
  for (const type of with1) expect(await hint(guest, type, 'data|')).toBe(node)
  expect(await hint(guest, XS_WRITE, 'data|a value|with NULs|')).toBe(node)
  expect(await hint(guest, XS_WRITE, 'data|')).toBe(node)
  expect(await hint(guest, XS_SET_PERMS, 'data|n1|')).toBe(node)
  expect(await hint(guest, XS_DIRECTORY_PART, 'data|0|')).toBe(node)
  for (const type of [XS_WATCH, XS_GET_DOMAIN_PATH, 0, 66, 1000, 0xffffffff]) {
    expect(await hint(guest, type, 'data|token|')).toBe(NOTHING)
  }
})

test('nothing is said of what a transaction names, or of what has no end', async () => {
  const [guest] = guests(1)
  if (guest === undefined) throw new Error('no guest')
  make('/local/domain/1/data')
  expect(await hint(guest, XS_READ, 'data|', 7)).toBe(NOTHING)
  expect(await hint(guest, XS_READ, 'data')).toBe(NOTHING)
  expect(await hint(guest, XS_READ, '')).toBe(NOTHING)
  expect(await hint(guest, XS_READ, '|')).toBe(NOTHING)
  expect(await hint(guest, XS_READ, 'data|')).not.toBe(NOTHING)
})

test('a row that waits for its node is none', async () => {
  const [guest] = guests(1)
  if (guest === undefined) throw new Error('no guest')
  const token = Buffer.from('t')
  for (const text of ['/later', '/gone/child']) store.watch(0, parsed(text), token, 0, 1)
  make('/gone/child')
  remove('/gone')
  const said = [await hint(guest, XS_READ, '/later|'), await hint(guest, XS_READ, '/gone/child|')]
  expect(said).toEqual([NOTHING, NOTHING])
  make('/later')
  expect(await hint(guest, XS_READ, '/later|')).toBe(expected('/later', 1))
})

test('a path may be so long that its length can be told, and no longer', async () => {
  const [guest] = guests(1)
  if (guest === undefined) throw new Error('no guest')
  const longest = `/${'n'.repeat(500)}/${'m'.repeat(LONGEST - 502)}`
  make(`${longest}m`)
  make(longest)
  expect(await hint(guest, XS_READ, `${longest}|`.slice(0, 1000))).toBe(NOTHING)
  // Longer than the ring has room for at once: it comes in parts.
  const send = async (text: string) => {
    harness.noted.length = 0
    const message = request(XS_READ, text)
    for (let at = 0; at < message.length; ) {
      at += guest.ring.put(message.subarray(at))
      guest.ring.end.kick()
      await harness.settle(1)
    }
    await harness.until(() => harness.noted.length === 1)
    return (harness.noted[0]?.hint ?? -1) >>> 0
  }
  const said = await send(`${longest}|`)
  expect(said).toBe(expected(longest, 1))
  expect(said >>> HINT_BYTES_SHIFT).toBe(LONGEST)
  expect(said & HINT_NODE_MASK).toBeGreaterThan(1)
  expect(await send(`${longest}m|`)).toBe(NOTHING)
})
