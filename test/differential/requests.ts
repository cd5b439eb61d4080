/** What each act is, as steps. */
import type { Client, Generator } from './generator.ts'
import { isKnownWhenFull, ORDERLY_ACTS, orderlyPath } from './orderly-requests.ts'
import type { Act } from './profile.ts'
import {
  MALFORMED,
  sendOneOf,
  someTransaction,
  UNKNOWN_OPS,
  watchSpecial,
} from './shared-requests.ts'
import {
  badPath,
  badPerms,
  below,
  homeOf,
  longPath,
  NOBODY,
  oddPath,
  relativePath,
  somePath,
  somePerms,
  someToken,
  someValue,
  specialPath,
} from './vocabulary.ts'

const MOST_TRANSACTIONS = 4
const MOST_WATCHES = 16

/** Adds the steps of one act to a sequence, or none when it is not possible now. */
export function requestOf(generator: Generator, act: Act): void {
  const ofOrderly = generator.profile.isOrderly ? ORDERLY_ACTS[act] : undefined
  const add = ofOrderly ?? ACTS[act]
  add(generator)
}

const ACTS: Readonly<Record<Act, (generator: Generator) => void>> = {
  read: (generator) => ofNode(generator, 'READ', ''),
  mkdir: (generator) => ofNode(generator, 'MKDIR', ''),
  rm: (generator) => ofNode(generator, 'RM', ''),
  directory: (generator) => ofNode(generator, 'DIRECTORY', ''),
  // What the toolstack writes, guests may write again: it is not too long for them.
  write: (generator) => {
    const { random } = generator
    ofNode(generator, 'WRITE', ({ domid }) => someValue(random, domid === 0 ? 1950 : 2100))
  },
  'directory part': (generator) => {
    const { random } = generator
    ofNode(generator, 'DIRECTORY_PART', `${random.pick([0, 0, 0, 2, 4, 900])}|`)
  },
  'get perms': (generator) => ofNode(generator, 'GET_PERMS', ''),
  'set perms': setPerms,
  'set special perms': (generator) => {
    const { random, domids } = generator
    const path = random.pick(['@introduceDomain', '@releaseDomain'])
    const perms = somePerms(random, random.chance(700) ? 0 : random.pick(domids), domids)
    generator.send(generator.someSocket(), 'SET_PERMS', `${path}|${perms}`)
  },
  watch,
  'watch special': (generator) => watchSpecial(generator),
  unwatch,
  'reset watches': resetWatches,
  start,
  end,
  'domain path': (generator) => {
    const { random, domids } = generator
    const number = random.pick([...domids, 32752, 65535, '007'])
    generator.send(generator.someClient(), 'GET_DOMAIN_PATH', `${number}|`)
  },
  'is introduced': (generator) => {
    const { random, domids } = generator
    const number = random.pick([...domids, 32752, 4711])
    generator.send(generator.someSocket(), 'IS_DOMAIN_INTRODUCED', `${number}|`)
  },
  'introduce again': (generator) => {
    const guest = generator.someGuest()
    if (guest === undefined) return
    generator.send(generator.someSocket(), 'INTRODUCE', `${guest.domid}|<gfn>|<port>|`)
    generator.connect(guest.name, guest.domid)
  },
  'introduce nonsense': (generator) => {
    const { random } = generator
    const payload = random.pick(['9|1|1|', '1|1|0|', '1|1|', '1|', '', '1|1|1'])
    generator.send(generator.someSocket(), 'INTRODUCE', payload)
  },
  release: (generator) => {
    const guest = generator.someGuest()
    if (guest === undefined) return
    generator.freeFromTargeters(guest.domid)
    generator.doomTransactions()
    generator.send(generator.someSocket(), 'RELEASE', `${guest.domid}|`)
    generator.disconnect(guest.domid)
  },
  'release nonsense': (generator) => {
    generator.send(generator.someSocket(), 'RELEASE', generator.random.pick(['0|', '9|', '', '9']))
  },
  resume: (generator) => {
    const { random, guests } = generator
    // Who has shut down and is resumed has not shut down any more.
    generator.send(generator.someSocket(), 'RESUME', `${random.pick([0, NOBODY, ...guests])}|`)
  },
  target: setTarget,
  control: (generator) => {
    const payload = generator.random.pick(['check|', 'nonsense|', '', 'check', 'print|hello|'])
    generator.send(generator.someSocket(), 'CONTROL', payload)
  },
  unknown: (generator) => {
    const { random } = generator
    const op = random.pick(UNKNOWN_OPS)
    const tx = random.chance(200) ? { tx: 4_000_000_001 } : {}
    generator.send(generator.someClient(), op, random.pick(['', '/a|', 'nonsense']), tx)
  },
  'unknown transaction': (generator) => {
    const { random } = generator
    const [op, payload] = random.pick([
      ['READ', '/a|'],
      ['WRITE', '/a|1'],
      ['READ', 'nonsense'],
      ['GET_DOMAIN_PATH', '1|'],
      ['RESET_WATCHES', '|'],
      ['TRANSACTION_START', '|'],
      ['TRANSACTION_END', 'T|'],
      ['DIRECTORY_PART', '/|0|'],
    ] as const)
    generator.send(generator.someClient(), op, payload, { tx: 4_000_000_000 })
  },
  'privileged only': (generator) => {
    const guest = generator.someGuest()
    if (guest === undefined) return
    const [op, payload] = generator.random.pick([
      ['CONTROL', 'check|'],
      ['INTRODUCE', '1|1|1|'],
      ['RELEASE', '1|'],
      ['RESUME', '1|'],
      ['SET_TARGET', '1|2|'],
      ['IS_DOMAIN_INTRODUCED', '1|'],
      ['RELEASE', 'nonsense'],
    ] as const)
    generator.send(guest, op, payload)
  },
  malformed: (generator) => sendOneOf(generator, MALFORMED),
  'long path': (generator) => {
    const { random } = generator
    const guest = generator.someGuest()
    if (guest === undefined) return
    const path = longPath(random.pick([2047, 2048, 2049, 3000]))
    generator.send(guest, random.pick(['READ', 'DIRECTORY', 'RM']), `${path}|`)
  },
  'big directory': bigDirectory,
  'many children': manyChildren,
  newer: (generator) => {
    const [op, payload] = generator.random.pick([
      ['GET_FEATURE', ''],
      ['GET_FEATURE', '0|'],
      ['SET_FEATURE', '0|1|'],
      ['GET_QUOTA', ''],
      ['GET_QUOTA', 'nodes|'],
      ['SET_QUOTA', 'nodes|'],
    ] as const)
    generator.send(generator.someClient(), op, payload)
  },
  'hang up': (generator) => {
    const { name } = generator.someSocket()
    generator.add({ kind: 'close', on: name })
    generator.add({ kind: 'open', on: name })
    generator.connect(name, 0)
  },
  oversize: (generator) => {
    const { random } = generator
    const length = random.pick([4097, 0x10000, 0xffffffff])
    const client = generator.someClient()
    if (client.domid !== 0) return
    generator.add({ kind: 'oversize', on: client.name, length })
    generator.add({ kind: 'open', on: client.name })
    generator.connect(client.name, 0)
  },
  'shut down': (generator) => ofDomain(generator, 'shutdown'),
  crash: (generator) => ofDomain(generator, 'crash'),
  destroy: (generator) => ofDomain(generator, 'destroy'),
}

function ofDomain(generator: Generator, kind: 'shutdown' | 'crash' | 'destroy'): void {
  const guest = generator.someGuest()
  if (guest !== undefined) generator.befall(kind, guest.domid)
}

/** A path that many name, or now and then an odd one, or one that is none. */
function anyPath(generator: Generator, client: Client): string {
  return generator.random.chance(20) ? badPath(generator.random) : aPath(generator, client)
}

/** A path that many name, or now and then an odd one. */
function aPath(generator: Generator, client: Client): string {
  if (generator.profile.isOrderly) return orderlyPath(generator, client)
  const { random } = generator
  const kind = random.below(100)
  if (kind < 50) return generator.recentPath() ?? '/open'
  if (kind < 90) {
    const path = somePath(random, generator.domids)
    generator.remember(path)
    return path
  }
  if (kind < 94) return relativePath(random)
  if (kind < 96) return homeOf(client.domid) + below(random, random.below(3))
  return kind < 98 ? '/' : oddPath(random)
}

/** @param rest what follows the path and its NUL */
function ofNode(
  generator: Generator,
  op: string,
  rest: string | ((client: Client) => string),
): void {
  const client = generator.someClient()
  const isSpecial = !generator.profile.isOrderly && op !== 'GET_PERMS' && generator.random.chance(5)
  const path = isSpecial ? specialPath(generator.random) : anyPath(generator, client)
  const payload = `${path}|${typeof rest === 'string' ? rest : rest(client)}`
  generator.send(client, op, payload, someTransaction(generator, client))
}

function setPerms(generator: Generator): void {
  const { random, domids } = generator
  const client = generator.someClient()
  const path = anyPath(generator, client)
  // A store whose root goes with a guest is of no use to anybody.
  const isOwn = path === '/' || random.chance(800)
  const owner = isOwn ? client.domid : random.pick(domids)
  const perms = random.chance(960) ? somePerms(random, owner, domids) : badPerms(random, owner)
  const many = random.chance(20) ? 'r1|r2|r3|r1|r2|r3|' : ''
  const payload = `${path}|${perms}${many}`
  generator.send(client, 'SET_PERMS', payload, someTransaction(generator, client))
}

function watch(generator: Generator): void {
  const { random } = generator
  const client = generator.someClient()
  if (client.watches.length >= MOST_WATCHES) {
    unwatch(generator)
    return
  }
  const isKnown = client.watches.length > 0 && random.chance(50)
  const path = aPath(generator, client)
  if (random.chance(20)) {
    generator.send(client, 'WATCH', `${badPath(random)}|${someToken(random)}|`)
    return
  }
  const payload = isKnown ? random.pick(client.watches) : `${path}|${someToken(random)}|`
  if (isKnownWhenFull(generator, client, payload)) return
  const tx = generator.profile.isOrderly ? {} : someTransaction(generator, client)
  generator.send(client, 'WATCH', payload, tx)
  if (!isKnown) client.watches.push(payload)
}

function unwatch(generator: Generator): void {
  const { random } = generator
  const client = generator.someClient()
  if (client.watches.length === 0 || random.chance(100)) {
    const path = somePath(random, generator.domids)
    generator.send(client, 'UNWATCH', `${path}|${someToken(random)}|`)
    return
  }
  const [watched = ''] = client.watches.splice(random.below(client.watches.length), 1)
  generator.send(client, 'UNWATCH', watched)
}

/** Only guests with a smaller number have targets, so that nobody is a target of his own. */
function setTarget(generator: Generator): void {
  const { random, guests } = generator
  const tool = generator.someSocket()
  const [domid, target] = guests
  if (domid === undefined || target === undefined || random.chance(300)) {
    generator.send(tool, 'SET_TARGET', random.pick(['9|1|', '1|9|', '1|', '', '1|2']))
    return
  }
  // What a transaction of his may read is not to change while it is open.
  generator.doomTransactions(`g${domid}`)
  generator.send(tool, 'SET_TARGET', `${domid}|${target}|`)
  generator.target(domid, target)
}

function resetWatches(generator: Generator): void {
  const client = generator.someClient()
  const tx = someTransaction(generator, client)
  generator.send(client, 'RESET_WATCHES', '|', tx)
  client.watches.length = 0
  client.transactions.length = 0
  client.doomed.length = 0
}

function start(generator: Generator): void {
  const client = generator.someClient()
  if (client.transactions.length + client.doomed.length >= MOST_TRANSACTIONS) return
  const as = generator.newLabel()
  const isNested = generator.random.chance(30) && !generator.profile.isOrderly
  const nested = isNested ? someTransaction(generator, client) : {}
  generator.send(client, 'TRANSACTION_START', '|', { as, ...nested })
  if (nested.tx === undefined) client.transactions.push(as)
}

function end(generator: Generator): void {
  const { random } = generator
  const client = generator.someClient()
  const doomed = client.doomed.shift()
  if (doomed !== undefined) generator.send(client, 'TRANSACTION_END', 'F|', { tx: doomed })
  const tx = client.transactions.shift()
  if (tx === undefined) return
  if (random.chance(20)) {
    generator.send(client, 'TRANSACTION_END', random.pick(['x|', '', 'T', 'TT|', 'T|T|']), { tx })
  }
  generator.send(client, 'TRANSACTION_END', random.chance(800) ? 'T|' : 'F|', { tx })
  if (random.chance(20)) generator.send(client, 'READ', '/open|', { tx })
}

/** More children than one reply can name, asked for at once and in parts. */
function bigDirectory(generator: Generator): void {
  const socket = generator.someSocket()
  for (let i = 0; i < 45; i++) {
    generator.send(socket, 'MKDIR', `/big/${String.fromCharCode(97 + (i % 26)).repeat(100)}-${i}|`)
  }
  generator.send(socket, 'DIRECTORY', '/big|')
  for (const offset of [0, 4040, 4646]) {
    generator.send(generator.someClient(), 'DIRECTORY_PART', `/big|${offset}|`)
  }
  generator.send(socket, 'RM', '/big|')
}

/**
 * So many children that lixs removes the leaves among them at once: of several owners, some with children of their own,
 * one that is watched.
 */
function manyChildren(generator: Generator): void {
  const { random, domids, profile } = generator
  const tool = generator.someSocket()
  const count = 20 + random.below(41)
  const watched = random.below(count)
  for (let i = 0; i < count; i++) {
    const path = `/many/${i}`
    generator.send(tool, 'WRITE', `${path}|${someValue(random, 400)}`)
    if (profile.isOrderly) continue
    if (random.chance(200)) {
      generator.send(tool, 'SET_PERMS', `${path}|${somePerms(random, random.pick(domids), domids)}`)
    }
    if (random.chance(100)) generator.send(tool, 'MKDIR', `${path}/a|`)
    if (i !== watched || tool.watches.length >= MOST_WATCHES) continue
    const payload = `${path}|${someToken(random)}|`
    generator.send(tool, 'WATCH', payload)
    tool.watches.push(payload)
  }
  generator.send(tool, 'RM', '/many|', someTransaction(generator, tool))
  generator.send(tool, 'DIRECTORY', '/many|')
  generator.send(tool, 'RM', '/many|')
}
