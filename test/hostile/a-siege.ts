/**
 * A daemon over loopback rings, with one guest that wishes it ill and one that only wants to be served: for
 * control of the ring page byte by byte. Whatever the attacker does, three things are asked: is the victim
 * answered, and rightly; is what is kept bounded; and is everything as before once the attacker has gone?
 */
import { setImmediate as turn } from 'node:timers/promises'
import { expect } from 'vitest'
import type { XenstoreClient } from '../../lixs/client/client.ts'
import type { Timers } from '../../lixs/connection/timers.ts'
import {
  opName,
  XS_DIRECTORY,
  XS_READ,
  XS_WATCH,
  XS_WATCH_EVENT,
  XS_WRITE,
} from '../../lixs/wire/ops.ts'
import type { Packet } from '../../lixs/wire/packet.ts'
import {
  CONNECTION_DOMID,
  CONNECTION_KIND,
  CONNECTION_QUEUED_BYTES,
  CONNECTION_QUEUED_EVENTS,
  CONNECTION_QUEUED_REPLIES,
  CONNECTION_WORDS,
} from '../../native/ring-set.ts'
import { encode, GuestRing } from '../native/guest-ring.ts'
import { aDomain } from '../support/a-conversation.ts'
import { aDaemon, type DaemonOptions, RingGuest, type RunningDaemon } from '../support/a-daemon.ts'

export const VICTIM = 1
export const ATTACKER = 7
const RING_KIND = 2

/** What of the daemon's figures must be as before when an attacker has gone. */
const KEPT = [
  'domains',
  'connections',
  'nodes',
  'watches',
  'transactions',
  'accessRecords',
  'permLists',
  'blocks',
] as const

export type Kept = Readonly<Record<(typeof KEPT)[number], number>> & {
  readonly mappings: number
  readonly bindings: number
}

/** A guest of the siege: its kernel, and its hands on the ring's page. */
export interface SiegeGuest {
  readonly domid: number
  readonly kernel: RingGuest
  readonly ring: GuestRing
}

export interface SiegeOptions extends DaemonOptions {
  readonly timers?: Timers
}

export class Siege {
  readonly daemon: RunningDaemon
  readonly tool: XenstoreClient
  readonly logged: string[]
  readonly #victim: SiegeGuest
  #asked = 0
  #incarnations = 0

  static async begin(options: SiegeOptions = {}): Promise<Siege> {
    const logged: string[] = []
    const daemon = aDaemon({ ...options, log: (line) => logged.push(line) })
    const tool = await daemon.connect()
    const siege = new Siege(daemon, tool, logged)
    await siege.#introduce(siege.#victim)
    await siege.#victim.kernel.send(XS_WATCH, 'data|victim|')
    expect(lineOf(await siege.#victim.kernel.next())).toBe('WATCH OK|')
    expect(lineOf(await siege.#victim.kernel.next())).toBe('EVENT data|victim|')
    // Once, so that what stays for good is there before anybody counts.
    await siege.victimIsServed()
    return siege
  }

  private constructor(daemon: RunningDaemon, tool: XenstoreClient, logged: string[]) {
    this.daemon = daemon
    this.tool = tool
    this.logged = logged
    this.#victim = this.make(VICTIM)
  }

  /** A domain with a home of its own, introduced. */
  async attacker(domid = ATTACKER): Promise<SiegeGuest> {
    await this.#forget(domid)
    const guest = this.make(domid)
    await this.#introduce(guest)
    return guest
  }

  /** Writes, is told of it, and reads what it has written; nothing else may come. */
  async victimIsServed(): Promise<void> {
    const value = `v${++this.#asked}`
    const { kernel } = this.#victim
    expect(await heard(kernel, XS_WRITE, `data/asked|${value}`, 2)).toEqual([
      'EVENT data/asked|victim|',
      'WRITE OK|',
    ])
    expect(await heard(kernel, XS_READ, 'data/asked|', 1)).toEqual([`READ ${value}`])
    expect(await heard(kernel, XS_DIRECTORY, 'data|', 1)).toEqual(['DIRECTORY asked|'])
  }

  /** Figures of the daemon, all of them counted by itself. */
  async kept(): Promise<Kept> {
    const figures = await this.figures()
    const kept = KEPT.map((name) => [name, figures.get(name)])
    return { ...Object.fromEntries(kept), ...this.daemon.loopback.leftovers() }
  }

  async figures(): Promise<ReadonlyMap<string, number>> {
    const text = await this.tool.control('stats')
    return new Map(
      text.split('\n').map((line) => [line.split(' ')[0] ?? '', Number(line.split(' ')[1])]),
    )
  }

  /** What waits for a guest at the daemon. */
  queued(domid: number): {
    readonly replies: number
    readonly events: number
    readonly bytes: number
  } {
    const { connections } = this.daemon.rings
    for (let at = 0; at < connections.length; at += CONNECTION_WORDS) {
      const word = (index: number): number => connections[at + index] as number
      if (word(CONNECTION_KIND) !== RING_KIND || word(CONNECTION_DOMID) !== domid) continue
      const [replies, events] = [word(CONNECTION_QUEUED_REPLIES), word(CONNECTION_QUEUED_EVENTS)]
      return { replies, events, bytes: word(CONNECTION_QUEUED_BYTES) }
    }
    throw new Error(`domain ${domid} has no ring`)
  }

  /** What a domain has used of its quotas. */
  async usage(domid: number): Promise<ReadonlyMap<string, number>> {
    const text = await this.tool.control('quota', String(domid))
    const rows = text.matchAll(/^([a-z-]+) *: *([0-9]+)/gm)
    return new Map([...rows].map(([, name = '', value]) => [name, Number(value)]))
  }

  /** The guest dies unasked; settles when the daemon knows. */
  async dies({ domid }: SiegeGuest): Promise<void> {
    this.daemon.die(domid)
    while (await this.tool.isIntroduced(domid)) await turn()
  }

  /** The toolstack takes it away. */
  async isReleased({ domid }: SiegeGuest): Promise<void> {
    await this.tool.release(domid)
    this.daemon.domains.delete(domid)
    this.daemon.loopback.removeDomain(domid as never)
  }

  /** An attacker comes, does its worst, dies, and is survived. */
  async endures(attack: (attacker: SiegeGuest) => Promise<void>): Promise<void> {
    await this.#forget(ATTACKER)
    const before = await this.kept()
    const attacker = await this.attacker()
    await attack(attacker)
    await this.victimIsServed()
    await this.dies(attacker)
    await this.isOver(before)
  }

  /** Everything is kept as it was when `before` was counted, and the victim is served. */
  async isOver(before: Kept): Promise<void> {
    await this.victimIsServed()
    expect(await this.kept()).toEqual(before)
    expect(this.logged.filter((line) => line.includes('a defect'))).toEqual([])
  }

  stop(): void {
    this.daemon.stop()
  }

  /** What a test before has failed to end is not this one's. */
  async #forget(domid: number): Promise<void> {
    if (await this.tool.isIntroduced(domid)) await this.tool.release(domid)
    this.logged.length = 0
  }

  /** The same guest with a kernel that has heard nothing yet. */
  at({ domid, kernel }: SiegeGuest): SiegeGuest {
    return { domid, kernel: new RingGuest(kernel.end), ring: new GuestRing(kernel.end) }
  }

  /** A domain that Xen knows, and the daemon does not. */
  make(domid: number): SiegeGuest {
    const kernel = this.daemon.guest(domid)
    const uuid = `00000000-0000-0000-0000-${String(++this.#incarnations).padStart(12, '0')}`
    this.daemon.domains.set(domid, aDomain(domid, { uuid }))
    return { domid, kernel, ring: new GuestRing(kernel.end) }
  }

  async #introduce({ domid, kernel }: SiegeGuest): Promise<void> {
    const home = `/local/domain/${domid}`
    await this.tool.mkdir(home)
    await this.tool.setPerms(home, [`n${domid}`])
    await this.tool.introduce(domid, 1, kernel.end.port)
  }
}

/** Sends a request and gives what comes then, as lines; so many have to come. */
export async function heard(
  kernel: RingGuest,
  type: number,
  payload: string,
  count: number,
): Promise<string[]> {
  await kernel.send(type, payload)
  const lines: string[] = []
  for (let i = 0; i < count; i++) lines.push(lineOf(await kernel.next()))
  return lines
}

/** One request: operation, payload with `|` for NUL, transaction. */
export type Request = readonly [type: number, payload: string, txId?: number]

/**
 * Sends requests as fast as the ring takes them, takes what comes, and gives the replies as lines, one for
 * each request and in their order. Events are not told of.
 */
export async function askAll(
  { kernel, ring }: SiegeGuest,
  requests: readonly Request[],
  whileAsking: () => void = () => {},
): Promise<string[]> {
  const stream = Buffer.concat(
    requests.map(([type, payload, txId = 0], index) =>
      encode(type, index, txId, Buffer.from(payload.replaceAll('|', '\0'), 'latin1')),
    ),
  )
  const replies: string[] = []
  for (let at = 0; replies.length < requests.length; await turn()) {
    at += ring.put(stream.subarray(at))
    kernel.end.kick()
    for (const message of kernel.takeAll()) {
      if (message.type === XS_WATCH_EVENT) continue
      expect(message.reqId).toBe(replies.length)
      replies.push(lineOf(message))
    }
    expect(ring.errorWord).toBe(0)
    whileAsking()
  }
  return replies
}

/** A message as one line: `READ value`, `EVENT path|token|`. */
export function lineOf({ type, payload }: Pick<Packet, 'type' | 'payload'>): string {
  const name = opName(type) === 'WATCH_EVENT' ? 'EVENT' : opName(type)
  return `${name} ${Buffer.from(payload).toString('latin1').replaceAll('\0', '|')}`.trimEnd()
}

/** Lets the loop turn until everything that is pending now has been handled. */
export async function settle(turns = 4): Promise<void> {
  for (let i = 0; i < turns; i++) await turn()
}
