/** The tree of orderly sequences: its directories, who owns them, and what is a leaf. */
import type { Client, Generator } from './generator.ts'
import type { Random } from './random.ts'
import { homeOf } from './vocabulary.ts'

const DIRECTORIES = ['a', 'b', 'c'] as const
const LEAVES = ['x', 'y', 'z'] as const
const ROOTS = ['/open', '/open', '/a', '/deep/1/2/3/4/5/6/7/8/9'] as const

/** Directories that are there from the beginning; everybody may read them, dom0 creates in them. */
export function setOrderlyStage(generator: Generator, tool: Client): void {
  for (const path of ['/', '/local', '/local/domain']) {
    generator.send(tool, 'MKDIR', `${path}|`)
    generator.send(tool, 'SET_PERMS', `${path}|r0|`)
  }
  for (const domid of generator.profile.guests) generator.create(domid)
  for (const root of ROOTS) {
    for (const leaf of LEAVES) {
      generator.send(tool, 'WRITE', `${root}/${leaf}|of the stage`)
      generator.send(tool, 'SET_PERMS', `${root}/${leaf}|b0|`)
    }
  }
}

/** A home that is all the guest's own; nothing is left there of the last one. */
export function makeOrderlyHome(generator: Generator, tool: Client, domid: number): void {
  const home = homeOf(domid)
  generator.send(tool, 'RM', `${home}|`)
  generator.send(tool, 'MKDIR', `${home}|`)
  generator.send(tool, 'SET_PERMS', `${home}|r${domid}|`)
  generator.send(tool, 'WRITE', `${home}/x|of the toolstack`)
  generator.send(tool, 'INTRODUCE', `${domid}|<gfn>|<port>|`)
  generator.connect(`g${domid}`, domid)
}

/** A commit of a transaction that has written something: one that only reads is never refused by oxenstored. */
export function commitOrderly(generator: Generator, client: Client, tx: string): void {
  const path = client.domid === 0 ? `/own/${client.name}` : `${homeOf(client.domid)}/own`
  generator.send(client, 'WRITE', `${path}|${tx}`, { tx })
  generator.send(client, 'TRANSACTION_END', 'T|', { tx })
}

/** A directory, or a leaf in one. @param domids whose homes are among the places */
export function someOrderlyPath(random: Random, domids: readonly number[]): string {
  const root = random.chance(400) ? homeOf(random.pick(domids)) : random.pick(ROOTS)
  return root + belowOrderly(random)
}

/** What may be below a directory: more of them, and perhaps a leaf at the end. */
export function belowOrderly(random: Random): string {
  let path = ''
  for (let i = random.below(3); i > 0; i--) path += `/${random.pick(DIRECTORIES)}`
  return path === '' || random.chance(700) ? `${path}/${random.pick(LEAVES)}` : path
}

/** Leaves have other permissions than that everybody reads and the owner writes. */
export function isLeaf(path: string): boolean {
  return LEAVES.some((name) => path.endsWith(`/${name}`) || path === name)
}
