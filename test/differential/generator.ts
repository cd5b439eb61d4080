/**
 * Makes sequences out of seeds. It knows little of what a daemon will answer: which connections there
 * are, which transactions and watches they were asked for, which paths were named of late.
 */
import { commitOrderly, makeOrderlyHome, setOrderlyStage } from './orderly-stage.ts'
import type { Act, Profile } from './profile.ts'
import { Random, Wheel } from './random.ts'
import { requestOf } from './requests.ts'
import type { MachineStep, SendStep, Step } from './step.ts'
import { homeOf, NOBODY } from './vocabulary.ts'

/** Paths that were named last; half of all requests are about them. */
const RECENT = 24
/** How often in a thousand a client goes on: what it asks for together, costs one wait. */
const STAYS = 800

/** A connection as the generator imagines it. */
export interface Client {
  readonly name: string
  readonly domid: number
  /** Labels of transactions that are open, unless they were refused. */
  readonly transactions: string[]
  /** Labels of those that must not be committed. */
  readonly doomed: string[]
  /** `path|token|` of its watches, unless they were refused. */
  readonly watches: string[]
}

export class Generator {
  readonly random: Random
  readonly profile: Profile
  /** All domids that are named anywhere. */
  readonly domids: readonly number[]
  readonly #wheel: Wheel<Act>
  readonly #steps: Step[] = []
  readonly #clients = new Map<string, Client>()
  readonly #recent: string[] = []
  /** `domid target` of domains that have one. */
  readonly #targets = new Set<string>()
  /** Name of the client that asked last. */
  #last = ''
  #remembered = 0
  #labels = 0

  constructor(seed: number, profile: Profile) {
    this.random = new Random(seed)
    this.profile = profile
    this.domids = [0, ...profile.guests, NOBODY]
    const acts = Object.keys(profile.weights) as Act[]
    this.#wheel = new Wheel(acts.map((act) => [act, Math.round(profile.weights[act] * 10)]))
  }

  /** A sequence of about so many steps, the first of which set the stage. */
  sequence(length: number): readonly Step[] {
    this.#setStage()
    while (this.#steps.length < length) this.#act(this.#wheel.pick(this.random))
    return this.#steps
  }

  /** Somebody who can ask for something; whoever it was last, more often than not. */
  someClient(): Client {
    const last = this.#clients.get(this.#last)
    if (last !== undefined && this.random.chance(STAYS)) return last
    const client = this.random.pick([...this.#clients.values()])
    this.#last = client.name
    return client
  }

  someSocket(): Client {
    return this.random.pick([...this.#clients.values()].filter(({ domid }) => domid === 0))
  }

  someGuest(): Client | undefined {
    const guests = [...this.#clients.values()].filter(({ domid }) => domid !== 0)
    return guests.length === 0 ? undefined : this.random.pick(guests)
  }

  add(step: Step): void {
    this.#steps.push(step)
  }

  send(client: Client, op: string | number, payload: string, more: Partial<SendStep> = {}): void {
    this.add({ kind: 'send', on: client.name, op, payload, ...more })
  }

  newLabel(): string {
    return `T${++this.#labels}`
  }

  remember(path: string): void {
    this.#recent[this.#remembered++ % RECENT] = path
  }

  recentPath(): string | undefined {
    return this.#recent.length === 0 ? undefined : this.random.pick(this.#recent)
  }

  /** A connection begins: nothing of a former one of that name is left. */
  connect(name: string, domid: number): void {
    this.#clients.set(name, { name, domid, transactions: [], doomed: [], watches: [] })
  }

  /** A guest's ring is served no more. */
  disconnect(domid: number): void {
    this.#clients.delete(`g${domid}`)
  }

  /** Something happens to a domain. */
  befall(kind: MachineStep['kind'], domid: number): void {
    if (kind === 'destroy') {
      this.freeFromTargeters(domid)
      this.doomTransactions()
    }
    this.add({ kind, domid })
    this.disconnect(domid)
  }

  /**
   * The nodes of a domain go: most transactions are ended before, the others can only be given up. What
   * becomes of one that has touched such nodes is a matter of version.
   *
   * @param whose of this client only
   */
  doomTransactions(whose?: string): void {
    for (const client of this.#clients.values()) {
      if (whose !== undefined && client.name !== whose) continue
      for (const tx of client.transactions.splice(0)) {
        if (this.profile.isOrderly) commitOrderly(this, client, tx)
        else if (this.random.chance(700)) this.send(client, 'TRANSACTION_END', 'T|', { tx })
        else client.doomed.push(tx)
      }
    }
  }

  /** A domain may from now on do what another one may. */
  target(domid: number, target: number): void {
    this.#targets.add(`${domid} ${target}`)
  }

  /**
   * Destroys who has this domain as its target: it would hold the page of the dead one in C xenstored,
   * and keep its rights.
   */
  freeFromTargeters(domid: number): void {
    for (const pair of this.#targets) {
      const [one, target] = pair.split(' ').map(Number)
      if (target === domid || one === domid) this.#targets.delete(pair)
      if (target === domid && one !== undefined) this.befall('destroy', one)
    }
  }

  /** A domain is made as toolstacks do it, and introduced. */
  create(domid: number): void {
    const tool = this.someSocket()
    // Something is written between the death of a domain and the next one of its number.
    this.send(tool, 'WRITE', `/made|${this.#steps.length}`)
    this.add({ kind: 'make', domid })
    const home = homeOf(domid)
    if (this.profile.isOrderly) {
      makeOrderlyHome(this, tool, domid)
      return
    }
    this.send(tool, 'MKDIR', `${home}|`)
    this.send(tool, 'SET_PERMS', `${home}|n0|r${domid}|`)
    this.send(tool, 'WRITE', `${home}/a|of the toolstack`)
    this.send(tool, 'SET_PERMS', `${home}/a|n${domid}|`)
    this.send(tool, 'INTRODUCE', `${domid}|<gfn>|<port>|`)
    this.connect(`g${domid}`, domid)
  }

  /** Guests that are served. */
  get guests(): readonly number[] {
    return this.profile.guests.filter((domid) => this.#clients.has(`g${domid}`))
  }

  #setStage(): void {
    const { profile, random } = this
    for (let i = 1; i <= profile.sockets; i++) {
      this.add({ kind: 'open', on: `s${i}` })
      this.connect(`s${i}`, 0)
    }
    const tool = this.someSocket()
    if (profile.isOrderly) {
      setOrderlyStage(this, tool)
      return
    }
    if (random.chance(500)) this.send(tool, 'SET_PERMS', '/|r0|')
    const [one = 0, two = 0] = profile.guests
    const nodes = [
      ['/open', `b0|`],
      ['/closed', `n0|`],
      ['/mixed', `r0|b${one}|w${two}|`],
      ['/deep/1/2/3/4', 'r0|'],
      ['/deep/1/2/3/4/5/6/7/8/9', 'b0|'],
    ] as const
    for (const domid of profile.guests) this.create(domid)
    for (const [path, perms] of nodes) {
      this.send(tool, 'MKDIR', `${path}|`)
      this.send(tool, 'SET_PERMS', `${path}|${perms}`)
    }
  }

  #act(act: Act): void {
    const absent = this.profile.guests.filter((domid) => !this.#clients.has(`g${domid}`))
    // A domid is free for a while, so that requests name a domain that has gone.
    if (absent.length > 0 && this.random.chance(20)) this.#bringBack(this.random.pick(absent))
    else requestOf(this, act)
  }

  #bringBack(domid: number): void {
    this.befall('destroy', domid)
    this.create(domid)
  }
}
