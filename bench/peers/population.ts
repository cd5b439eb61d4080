/** What there is on a station while something is measured: guests, connections, watches, nodes. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Hypervisor } from '../../native/hypervisor.ts'
import { openSimulator } from '../../native/simulator/hypervisor.ts'
import { domainSpec, makeDomain, writeKernel } from '../domains.ts'
import type { Peer, Station } from './peers.ts'

/** What is not named is not there. */
export interface Population {
  /** Domains 1 to so many, with their nodes in the store. */
  readonly guests: number
  /** Each has a connection of its own with two watches; or its ring, which it uses when it is to. */
  readonly guestsAt: 'sockets' | 'rings'
  /** Whose guests have the fewest nodes that a guest needs, since all of them would take too long. */
  readonly fewNodesAt?: readonly Peer[]
  readonly idle?: number
  /** At nodes that nobody writes. */
  readonly watches?: number
  readonly nodes?: number
}

/** Somebody did not get so far in the time that there is. */
export class PopulationFailure extends Error {}

/** Guests at rings that are created in one round, at most: the load's creations, in both ways. */
const INTRODUCED_IN_A_ROUND = 2 * 20
const WARM_UP_S = 0.5
const WARM_UP_LIMIT_S = 10
/** How many at once, between two looks at the clock. */
const PIECE = 200

/** `domid gfn port`, as the load reads it; without a ring gfn is 0. */
type DomainLine = string

/** The files that name the domains of a station. */
export function domainFiles({ runDir }: Pick<Station, 'runDir'>): {
  readonly guests: string
  /** For what is measured. */
  readonly newcomers: string
  /** For what is done before. */
  readonly warmers: string
} {
  const file = (name: string) => join(runDir, name)
  return { guests: file('guests'), newcomers: file('newcomers'), warmers: file('warmers') }
}

/**
 * @param limitS for all of it
 * @param rounds for which there are to be domains: with a ring each is of use once
 * @throws PopulationFailure with how far it came
 */
export async function populate(
  station: Station,
  population: Population,
  { limitS, rounds }: { readonly limitS: number; readonly rounds: number },
  onProgress: (text: string) => void,
): Promise<void> {
  const { guests, guestsAt, fewNodesAt = [], idle = 0, watches = 0, nodes = 0 } = population
  const deadline = performance.now() + limitS * 1000
  const xen = openSimulator(station.simulator.socketPath, () => undefined)
  try {
    const isRinged = guestsAt === 'rings'
    const domains = await makeDomains(xen, station, guests, isRinged)
    const files = domainFiles(station)
    writeFileSync(files.guests, domains.join('\n'))
    writeFileSync(files.warmers, (await makeDomains(xen, station, 1, false)).join('\n'))
    writeFileSync(
      files.newcomers,
      (
        await makeDomains(xen, station, isRinged ? INTRODUCED_IN_A_ROUND * rounds : 1, isRinged)
      ).join('\n'),
    )
    const fill = (what: string, from: number, to: number, words = '') =>
      inPieces(station, { what, from, to, words }, deadline, onProgress)
    const isFew = fewNodesAt.includes(station.peer)
    await fill('guests', 1, guests + 1, `nodes=${isFew ? 'few' : 'all'}`)
    await warmUp(station, files.warmers)
    if (isRinged) {
      await fill('rings', 0, guests, `domains=${files.guests}`)
      for (const domain of xen.domains.list()) {
        if (domain.domid >= 1 && domain.domid <= guests) xen.domains.unpause(domain.domid)
      }
    }
    await fill('nodes', 0, nodes)
    await fill('idle', 0, idle)
    await fill('watches', 0, watches)
    if (!isRinged) await fill('agents', 1, guests + 1)
  } finally {
    xen.close()
  }
}

/** A program that compiles itself while it runs has to have run: a toolstack's host is no fresh one. */
async function warmUp({ load }: Station, domains: string): Promise<void> {
  for (const how of ['libxl', 'xcl']) {
    const command = `create how=${how} domains=${domains} seconds=${WARM_UP_S}`
    const outcome = await load.run(command, WARM_UP_LIMIT_S)
    if (outcome.kind === 'failed') throw new PopulationFailure(outcome.why)
  }
}

async function makeDomains(
  { builder }: Hypervisor,
  { runDir }: Station,
  count: number,
  isRinged: boolean,
): Promise<DomainLine[]> {
  const kernel = writeKernel(runDir)
  const lines: DomainLine[] = []
  for (let i = 0; i < count; i++) {
    if (!isRinged) {
      lines.push(`${await builder.create(domainSpec())} 0 0`)
      continue
    }
    const { domid, ports, image } = await makeDomain(builder, kernel, 'script=ask')
    lines.push(`${domid} ${image.storeGfn} ${ports.storePort}`)
  }
  return lines
}

interface Piecework {
  readonly what: string
  readonly from: number
  readonly to: number
  readonly words: string
}

async function inPieces(
  { load, peer }: Station,
  { what, from, to, words }: Piecework,
  deadline: number,
  onProgress: (text: string) => void,
): Promise<void> {
  // Nodes are many and small.
  const piece = what === 'nodes' || what === 'watches' ? 50 * PIECE : PIECE
  for (let at = from; at < to; at += piece) {
    onProgress(`${peer}: ${what} ${at - from} of ${to - from}`)
    const leftS = (deadline - performance.now()) / 1000
    const far = `${at - from} of ${to - from} ${what}`
    if (leftS <= 0) throw new PopulationFailure(`only ${far} in time`)
    const command = `populate what=${what} from=${at} to=${Math.min(at + piece, to)} seconds=0 ${words}`
    const outcome = await load.run(command, leftS)
    if (outcome.kind !== 'measured') throw new PopulationFailure(`${outcome.why} after ${far}`)
  }
}
