/**
 * What the end of a domain costs lixs: a toolstack's RELEASE, and a death that Xen 4.21 names.
 *
 * The law: it costs the domain's own nodes, however many others there are. So two whole daemons stand side by
 * side in this process, one with few domains and one with many, each with the same number of nodes in all;
 * domains of the same size end in both by turns. Before each end the processor's caches are emptied: with few
 * domains all of their nodes would lie there, which is luck and no property of the store.
 *
 * Apart from that: Xen before 4.21 says only that some domain has died. Then all are listed, at most 20 times
 * a second, which is the one cost that grows with their number.
 */
import { Daemon } from '../../lixs/daemon.ts'
import { DEFAULT_QUOTAS } from '../../lixs/store/quota.ts'
import {
  XS_INTRODUCE,
  XS_MKDIR,
  XS_RELEASE,
  XS_SET_PERMS,
  XS_WATCH,
  XS_WRITE,
} from '../../lixs/wire/ops.ts'
import type { DomainInfo, Domid } from '../../native/hypervisor.ts'
import { DOMAIN_GONE, VIRQ_DOM_EXC } from '../../native/hypervisor.ts'
import { makeLog } from '../../native/os/log.ts'
import { StateMemory } from '../../native/os/state-memory.ts'
import { BATCH_OPENED, BATCH_VIRQ, CONNECTION_WORDS } from '../../native/ring-set.ts'
import { aDomain } from '../../test/support/a-conversation.ts'
import { aTrace } from '../../test/support/a-trace.ts'
import { TestRings } from '../../test/support/test-rings.ts'
import { TestTimers } from '../../test/support/test-timers.ts'
import type { Found } from '../report/measure.ts'
import { medianOf } from '../report/series.ts'

/** Nodes of each domain that is there, and so of each that ends. */
const OWN_NODES = 50
const CACHE_BYTES = 96 * 2 ** 20
/** Domains of each host that end and are made anew by turns. */
const CHOSEN = 100
/** Domains that die before one listing finds them. */
const DEATHS_PER_LISTING = 50

const FEW = 100
const MANY = 10_000
/** On each host, so that both are as full. */
const NODES = 500_000
/** What the end of a domain may cost among many, as a multiple of what it costs among few. */
const RATIO_MAX = 1.1
const ROUNDS = 7
/** Ends of domains in a round, on each host. */
const ENDS = 25

/** A daemon with all its domains, to which things happen at once. */
class Host {
  readonly #memory = StateMemory.anonymous()
  readonly #rings: TestRings
  readonly #timers = new TestTimers()
  /** By domid; the machine's side, which costs the same whoever it is asked for. */
  readonly #alive: (DomainInfo | undefined)[] = []
  readonly #daemon: Daemon
  readonly #tool: number
  readonly saysWhich: boolean
  #changed: Int32Array | undefined
  /** What a listing says: domid and state of each, ascending. */
  #states = new Int32Array()

  constructor(domains: number, nodes: number, saysWhich: boolean) {
    this.saysWhich = saysWhich
    this.#rings = new TestRings(domains + 10)
    const { log, levels } = makeLog({ name: 'lixs', level: 'info' }, { write: () => undefined })
    this.#daemon = new Daemon(
      {
        memory: this.#memory,
        rings: this.#rings,
        domains: {
          info: (domid: Domid) => this.#alive[domid],
          states: () => this.#states,
          changed: () => (saysWhich ? (this.#changed ?? new Int32Array()) : undefined),
        },
        quotas: { ...DEFAULT_QUOTAS },
        timers: this.#timers,
        log,
        levels,
        trace: aTrace().trace,
      },
      {
        socketPath: '/nowhere/death-bench/socket',
        eventTimeoutMs: 0,
        keepOrphans: false,
        privilegedDomid: undefined,
        isDom0Served: false,
      },
    )
    this.#tool = this.#rings.acceptSocket()
    this.#rings.deliver({ connection: this.#tool, type: BATCH_OPENED })
    this.#ask(XS_WATCH, '@releaseDomain|toolstack|')
    for (let domid = 1; domid <= domains; domid++) this.make(domid)
    // What no domain of these owns, so that both hosts hold the same.
    for (let left = nodes - domains * OWN_NODES; left > 0; left--) {
      this.#ask(XS_WRITE, `/libxl/${left >> 6}/${left}|value`)
    }
    this.#list()
  }

  /** A domain as a toolstack makes it; it watches one of its nodes. */
  make(domid: number): void {
    this.#alive[domid] = aDomain(domid)
    const home = `/local/domain/${domid}`
    this.#ask(XS_MKDIR, `${home}|`)
    this.#ask(XS_SET_PERMS, `${home}|n${domid}|`)
    this.#ask(XS_MKDIR, `${home}/device|`)
    for (let i = 2; i < OWN_NODES; i++) this.#ask(XS_WRITE, `${home}/device/${i}|value ${i}`)
    this.#ask(XS_INTRODUCE, `${domid}|1000|5|`)
    this.#deliver(this.#connectionOf(domid), XS_WATCH, `${home}/device|token|`)
  }

  release(domid: number): void {
    this.#ask(XS_RELEASE, `${domid}|`)
  }

  /** Xen says that these are gone, in one word or, before 4.21, none. */
  die(...domids: readonly number[]): void {
    this.#changed = Int32Array.from(domids.flatMap((domid) => [domid, DOMAIN_GONE]))
    this.#rings.deliver({ connection: -1, type: BATCH_VIRQ, reqId: VIRQ_DOM_EXC })
  }

  /** As long as a listing may have to wait. */
  pass(): void {
    this.#timers.pass(2000)
  }

  /**
   * The machine's part of an end, which is not measured: who is gone, and what the next listing will say of
   * those that are there, where it is needed. To make it for nothing would not be for nothing: thousands of
   * small objects before each end on one host leave other caches, young heap and predictions than a hundred.
   */
  prepareEnd(...domids: readonly number[]): void {
    for (const domid of domids) this.#alive[domid] = undefined
    if (!this.saysWhich) this.#list()
  }

  close(): void {
    this.#daemon.stop()
    this.#memory.close()
  }

  #list(): void {
    const domids = this.#alive.flatMap((info) => (info === undefined ? [] : [info.domid, 0]))
    this.#states = Int32Array.from(domids)
  }

  #ask(type: number, text: string): void {
    this.#deliver(this.#tool, type, text)
  }

  #deliver(connection: number, type: number, text: string): void {
    const payload = Buffer.from(text.replaceAll('|', '\0'), 'latin1')
    this.#rings.deliver({ connection, type, payload })
    const said = this.#rings.sent.get(connection)?.find((message) => message.type !== 15)
    this.#rings.sent.clear()
    this.#rings.calls.length = 0
    if (said?.type !== type) throw new Error(`${text}: ${said?.payload.toString('latin1')}`)
  }

  #connectionOf(domid: number): number {
    const { connections } = this.#rings
    for (let at = 0; at < connections.length; at += CONNECTION_WORDS) {
      if (connections[at] === 2 && connections[at + 1] === domid) return at / CONNECTION_WORDS
    }
    throw new Error(`domain ${domid} has no connection`)
  }
}

/** Of each round, what the end of one domain costs among many by what it costs among few. */
export function deathRounds(): Found[][] {
  const rows: Found[][] = []
  const named = [new Host(FEW, NODES, true), new Host(MANY, NODES, true)] as const
  rows.push(
    measure('RELEASE', named, ENDS, (host, domids) => host.release(domids[0] ?? 0)),
    measure('death, 4.21', named, ENDS, (host, domids) => host.die(...domids)),
  )
  for (const host of named) host.close()
  const unnamed = [new Host(FEW, NODES, false), new Host(MANY, NODES, false)] as const
  const listing = (host: Host, domids: readonly number[]) => {
    host.die(...domids)
    host.pass()
  }
  const several = `${DEATHS_PER_LISTING} deaths, 4.17: all listed`
  rows.push(
    measure('death, 4.17: all listed', unnamed, ENDS, listing),
    measure(several, unnamed, Math.ceil(ENDS / 10), listing, DEATHS_PER_LISTING),
  )
  for (const host of unnamed) host.close()
  return Array.from({ length: ROUNDS }, (_, round) => rows.flatMap((row) => row[round] ?? []))
}

/** Ends domains on both hosts by turns; each is made anew before the next. @returns one for each round */
function measure(
  name: string,
  hosts: readonly [Host, Host],
  ends: number,
  end: (host: Host, domids: readonly number[]) => void,
  atOnce = 1,
): Found[] {
  // First once each, untimed: code is compiled, and nothing of the first hour is left among the chosen.
  let turn = 0
  const takeTurns = (turns: number): [number[], number[]] => {
    const took: [number[], number[]] = [[], []]
    for (const last = turn + turns; turn < last; turn++) {
      for (const which of turn % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
        took[which].push(timeEnd(hosts[which], domidsOf([FEW, MANY][which] ?? FEW, turn)))
      }
    }
    return took
  }
  // A hundred of each host by turns, far from each other: on both all have been made anew as often.
  // Nodes of the first hour lie deeper in the buckets of the index than those made anew.
  const domidsOf = (domains: number, turn: number) =>
    Array.from(
      { length: atOnce },
      (_, i) => 1 + ((turn * atOnce + i) % CHOSEN) * (domains / CHOSEN),
    )
  const timeEnd = (host: Host, domids: readonly number[]): number => {
    host.prepareEnd(...domids)
    emptyCaches()
    const before = process.hrtime.bigint()
    end(host, domids)
    const tookNs = Number(process.hrtime.bigint() - before)
    for (const domid of domids) host.make(domid)
    return tookNs / atOnce
  }
  takeTurns(CHOSEN / atOnce)
  return Array.from({ length: ROUNDS }, () => {
    const [few, many] = takeTurns(ends).map(medianOf)
    const amount = many ?? Number.NaN
    const figure = amount / (few ?? Number.NaN)
    const found = { name, figure, amount, unit: 'ns' } as const
    return hosts[0].saysWhich ? { ...found, limit: RATIO_MAX } : found
  })
}

const elsewhere = new Uint8Array(CACHE_BYTES)

function emptyCaches(): void {
  for (let at = 0; at < elsewhere.length; at += 64) elsewhere[at] = (elsewhere[at] ?? 0) + 1
}
