/** Acts that are others in orderly sequences. */
import { LIMITS } from './a-lixs.ts'
import type { Client, Generator } from './generator.ts'
import { belowOrderly, commitOrderly, isLeaf, someOrderlyPath } from './orderly-stage.ts'
import { absolute, isAtOrBelow } from './paths.ts'
import type { Act } from './profile.ts'
import {
  MALFORMED,
  sendOneOf,
  someTransaction,
  UNKNOWN_OPS,
  watchSpecial,
} from './shared-requests.ts'
import { homeOf, longPath, somePerms, someValue } from './vocabulary.ts'

/** Without what oxenstored takes, or does not know. */
const ORDERLY_MALFORMED = MALFORMED.filter(
  ([op, payload]) => op !== 'DIRECTORY_PART' && payload !== '1|2|',
)

export const ORDERLY_ACTS: Readonly<Partial<Record<Act, (generator: Generator) => void>>> = {
  mkdir: (generator) => {
    const client = generator.someClient()
    const path = orderlyPath(generator, client)
    const tx = mayBeRefused(client, path) ? {} : someTransaction(generator, client)
    writeFirst(generator, client, path, tx)
    generator.send(client, 'MKDIR', `${path}|`, tx)
  },
  write: (generator) => {
    const client = generator.someClient()
    const path = orderlyPath(generator, client)
    const tx = mayBeRefused(client, path) ? {} : someTransaction(generator, client)
    generator.send(client, 'WRITE', `${path}|${someValue(generator.random, 1950)}`, tx)
  },
  rm: (generator) => {
    const client = generator.someClient()
    if (client.domid !== 0 && generator.random.chance(400)) {
      const path = aLeafOfOthers(generator)
      generator.send(client, 'RM', `${path}|`)
      return
    }
    const path = aPathToChange(generator, client)
    const tx = mayBeRefused(client, path) ? {} : someTransaction(generator, client)
    writeFirst(generator, client, path, tx)
    generator.send(client, 'RM', `${path}|`, tx)
  },
  'set perms': (generator) => {
    const { random } = generator
    const client = generator.someClient()
    if (client.domid !== 0 && random.chance(300)) {
      const path = aLeafOfOthers(generator)
      generator.send(client, 'SET_PERMS', `${path}|${permsFor(generator, path, client)}`)
      return
    }
    const path = aPathToChange(generator, client)
    const perms = permsFor(generator, path, client)
    const tx = mayBeRefused(client, path) ? {} : someTransaction(generator, client)
    writeFirst(generator, client, path, tx)
    generator.send(client, 'SET_PERMS', `${path}|${perms}`, tx)
  },
  'watch special': (generator) => watchSpecial(generator, generator.someSocket()),
  target: (generator) => {
    const payload = generator.random.pick(['9|1|', '1|', '', '1|2'])
    generator.send(generator.someSocket(), 'SET_TARGET', payload)
  },
  'shut down': (generator) => endAndDestroy(generator, 'shutdown'),
  crash: (generator) => endAndDestroy(generator, 'crash'),
  'release nonsense': (generator) => {
    generator.send(generator.someSocket(), 'RELEASE', generator.random.pick(['', '9']))
  },
  resume: (generator) => {
    const guest = generator.someGuest()
    if (guest !== undefined) generator.send(generator.someSocket(), 'RESUME', `${guest.domid}|`)
  },
  'privileged only': (generator) => {
    const guest = generator.someGuest()
    if (guest === undefined) return
    const [op, payload] = generator.random.pick([
      ['INTRODUCE', '1|1|1|'],
      ['RELEASE', '1|'],
      ['RESUME', '1|'],
      ['SET_TARGET', '1|2|'],
      ['IS_DOMAIN_INTRODUCED', '1|'],
    ] as const)
    generator.send(guest, op, payload)
  },
  unknown: (generator) => {
    const { random } = generator
    const op = random.pick(UNKNOWN_OPS)
    generator.send(generator.someClient(), op, random.pick(['', '/a|', 'nonsense']))
  },
  malformed: (generator) => sendOneOf(generator, ORDERLY_MALFORMED),
  'long path': (generator) => {
    const { random } = generator
    const guest = generator.someGuest()
    if (guest === undefined) return
    // Nobody looks below a leaf.
    const path = longPath(random.pick([2047, 2048, 2049, 3000])).replaceAll('x/', 'd/')
    generator.send(guest, random.pick(['READ', 'DIRECTORY']), `${path}|`)
  },
  end: (generator) => {
    const { random } = generator
    const client = generator.someClient()
    const tx = client.transactions.shift()
    if (tx === undefined) return
    if (random.chance(900)) commitOrderly(generator, client, tx)
    else generator.send(client, 'TRANSACTION_END', 'F|', { tx })
  },
}

/** While a domain stays that has ended, oxenstored tells of it again when an unknown one goes. */
function endAndDestroy(generator: Generator, kind: 'shutdown' | 'crash'): void {
  const guest = generator.someGuest()
  if (guest === undefined) return
  generator.befall(kind, guest.domid)
  generator.befall('destroy', guest.domid)
}

/**
 * A refusal is nothing that a transaction has read, for oxenstored: where others own what is changed, guests
 * change it outside of transactions.
 */
function mayBeRefused({ name, domid }: Client, path: string): boolean {
  if (domid === 0) return isBelowLeaf(path)
  return !isAtOrBelow(absolute(name, path), homeOf(domid))
}

/** A watch that is one too many and known already has two errors; which comes first, differs. */
export function isKnownWhenFull({ profile }: Generator, client: Client, payload: string): boolean {
  if (profile.isOrderly !== true || client.watches.length < LIMITS.watches) return false
  const meant = (watched: string): string =>
    `${absolute(client.name, watched)}|${watched.split('|')[1]}`
  return client.watches.some((watched) => meant(watched) === meant(payload))
}

/** That there is no such node is nothing that a transaction has read, for oxenstored: so there is one. */
function writeFirst(
  generator: Generator,
  client: Client,
  path: string,
  { tx }: { readonly tx?: string },
): void {
  if (tx !== undefined) generator.send(client, 'WRITE', `${path}|first`, { tx })
}

/** A path that many name. Nobody but a toolstack looks below a leaf. */
export function orderlyPath(generator: Generator, client: Client): string {
  const { random } = generator
  const kind = random.below(100)
  if (kind < 50) return generator.recentPath() ?? '/open'
  if (kind < 90) {
    const path = someOrderlyPath(random, generator.domids)
    generator.remember(path)
    return path
  }
  if (kind < 95) return belowOrderly(random).slice(1)
  if (kind < 98 || client.domid !== 0) return homeOf(client.domid) + belowOrderly(random)
  return someOrderlyPath(random, generator.domids) + belowOrderly(random)
}

/** A path that the client may own, or a toolstack any: where there is no such node, both say the same. */
function aPathToChange(generator: Generator, client: Client): string {
  if (client.domid === 0) {
    const path = orderlyPath(generator, client)
    // Who is not in his home creates there what is not his.
    return isStage(path) ? '/open/x' : path
  }
  const path = belowOrderly(generator.random)
  return generator.random.chance(500) ? path.slice(1) : homeOf(client.domid) + path
}

/** A leaf that was written just now, so that it is there, and may be given to somebody. */
function aLeafOfOthers(generator: Generator): string {
  const { random, guests } = generator
  const tool = generator.someSocket()
  const path = `${someOrderlyPath(random, [0])}/x`
  generator.send(tool, 'WRITE', `${path}|for somebody`)
  if (random.chance(600)) {
    const perms = somePerms(random, random.pick([0, ...guests]), [0, ...guests])
    generator.send(tool, 'SET_PERMS', `${path}|${perms}`)
  }
  return path
}

/** Directories keep their owner, and everybody may read them: what is made in them inherits that. */
function permsFor(generator: Generator, path: string, client: Client): string {
  const { random, guests } = generator
  const domids = [0, ...guests]
  if (isLeaf(path)) {
    // A home is all the guest's own, so that nothing is refused to him there.
    const home = /^\/local\/domain\/([1-9]\d*)/.exec(absolute(client.name, path))?.[1]
    if (home !== undefined) return somePerms(random, ownerOf(Number(home), guests), domids)
    const isOwn = client.domid !== 0 || random.chance(500)
    return somePerms(random, isOwn ? client.domid : random.pick(domids), domids)
  }
  const home = Number(/^\/local\/domain\/(\d+)/.exec(path)?.[1] ?? client.domid)
  const owner = ownerOf(home, guests)
  return `r${owner}|`
}

/** Of a node in the home of that domain: dom0 where there is none. */
function ownerOf(home: number, guests: readonly number[]): number {
  return guests.includes(home) ? home : 0
}

/** Its permissions are then those of the leaf, whoever changes them meanwhile. */
function isBelowLeaf(path: string): boolean {
  return /(^|\/)[xyz]\//.test(path)
}

/** Is it a home, or one of the directories above? */
function isStage(path: string): boolean {
  return /^\/(local(\/domain(\/\d+)?)?)?$/.test(path)
}
