/**
 * What requests are made of: few names and few domids, so that clients meet; and now and then what
 * lies at the edge of a rule.
 */
import type { Random } from './random.ts'

/** A domain that does not exist, but is named. */
export const NOBODY = 9

const NAMES = ['a', 'b', 'c', 'd'] as const
/** Parts of the tree, the more often named the more often used; the stage is set with them. */
const ROOTS = ['/open', '/open', '/closed', '/mixed', '/a', '/deep/1/2/3/4/5/6/7/8/9'] as const
const TOKENS = ['t', 'u', 'v', 'a/long-token_with:odd.letters'] as const
const LETTERS = ['n', 'r', 'w', 'b', 'b'] as const
const BAD_PATHS = ['', '/a/', '//a', '/a//b', '/a b', '/a.b', '/ä', '/local/domain/', 'a/'] as const
const SPECIAL_PATHS = ['@', '@releaseDomain', '@introduceDomain', '@other'] as const
const ODD_PATHS = ['/a@b', '/A-Z_0', '/local/domain/123456/x', '/local', '/local/domain'] as const
const BAD_PERMS = ['x1', 'b', '', 'r1x', '1', 'b-', 'rw1'] as const

/** A path at which requests come together. @param domids whose homes are among the places */
export function somePath(random: Random, domids: readonly number[]): string {
  const root = random.chance(300) ? homeOf(random.pick(domids)) : random.pick(ROOTS)
  return root + below(random, random.below(4))
}

/** Names below a place. */
export function below(random: Random, levels: number): string {
  let path = ''
  for (let i = 0; i < levels; i++) path += `/${random.pick(NAMES)}`
  return path
}

/** A path that is relative to the home of whoever names it. */
export function relativePath(random: Random): string {
  return below(random, 1 + random.below(3)).slice(1)
}

/** A path that is no path of a node. */
export function badPath(random: Random): string {
  return random.pick(BAD_PATHS)
}

/** A path that is no path of a node, but may be one for watches and permissions. */
export function specialPath(random: Random): string {
  return random.pick(SPECIAL_PATHS)
}

/** A path that is one, though it does not look so. */
export function oddPath(random: Random): string {
  return random.pick(ODD_PATHS)
}

/** A relative path of so many bytes. */
export function longPath(length: number): string {
  return 'x/'
    .repeat(length)
    .slice(0, length - 1)
    .replace(/\/$/, 'x')
    .padEnd(length, 'y')
}

export function homeOf(domid: number): string {
  return `/local/domain/${domid}`
}

export function someToken(random: Random): string {
  return random.chance(30) ? '' : random.pick(TOKENS)
}

/** Mostly short; sometimes near to the longest there is, sometimes with NULs in it. */
export function someValue(random: Random, most: number): string {
  const kind = random.below(100)
  if (kind < 70) return `v${random.below(8)}`
  if (kind < 80) return ''
  if (kind < 88) return `NUL|in|it|${random.below(4)}`
  if (kind < 97) return 'm'.repeat(10 + random.below(200))
  return 'l'.repeat(most - random.below(200))
}

/** A permission list; its owner comes first. */
export function somePerms(random: Random, owner: number, domids: readonly number[]): string {
  let perms = `${random.pick(LETTERS)}${owner}|`
  for (let i = random.below(4); i > 0; i--)
    perms += `${random.pick(LETTERS)}${random.pick(domids)}|`
  return perms
}

/** A permission list that cannot be read. */
export function badPerms(random: Random, owner: number): string {
  return `n${owner}|${random.pick(BAD_PERMS)}|`
}
