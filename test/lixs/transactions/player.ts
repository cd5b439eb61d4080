/**
 * Random histories of many clients on a whole daemon over loopback rings: tools on sockets, guests on
 * rings, each with one request under way at a time, in transactions and outside of them.
 */

import { encodePacket } from '../../../lixs/wire/encoder.ts'
import {
  XS_DIRECTORY,
  XS_ERROR,
  XS_GET_PERMS,
  XS_MKDIR,
  XS_READ,
  XS_RM,
  XS_SET_PERMS,
  XS_TRANSACTION_END,
  XS_TRANSACTION_START,
  XS_WRITE,
} from '../../../lixs/wire/ops.ts'
import { SocketPeer } from '../../native/socket-peer.ts'
import { aDaemon, type RunningDaemon, turn } from '../../support/a-daemon.ts'
import { TestTimers } from '../../support/test-timers.ts'
import type { Chance } from '../connection/isolation.ts'
import { type Asker, Model, OPS, type Step } from './model.ts'
import type { Unit } from './serial-order.ts'

const TYPES = {
  read: XS_READ,
  write: XS_WRITE,
  mkdir: XS_MKDIR,
  rm: XS_RM,
  directory: XS_DIRECTORY,
  getPerms: XS_GET_PERMS,
  setPerms: XS_SET_PERMS,
} as const
const GUESTS = [5, 6, 7]
const TOOLS = 2
const PATHS = ['/t/a', '/t/a/x', '/t/a/x/y', '/t/b', '/t/b/z', '/t/c', '/t']
const PERMS = ['b0', 'n0 b5', 'r5 b6', 'n5', 'b6', 'r7']
const STEPS_MAX = 5
/** Turns without any answer, after which time passes. */
const PATIENCE = 30

/** One history: what has to be explained, and how often transactions failed. */
export interface History {
  readonly units: readonly Unit[]
  readonly start: Model
  readonly commits: number
  readonly conflicts: number
}

interface Message {
  readonly type: number
  readonly payload: Uint8Array
}

/** One connection. */
interface Line {
  readonly who: Asker
  send(bytes: Uint8Array): void
  /** What has arrived since the last call. */
  take(): readonly Message[]
}

/** What a client has in hand. */
interface Hand {
  readonly line: Line
  /** 0: none, or not known yet. */
  txId: number
  isInTransaction: boolean
  steps: Step[]
  left: number
  askedAt: number
  /** What is under way. */
  asked: 'start' | 'step' | 'commit' | 'abort' | undefined
}

export class Player {
  readonly #daemon: RunningDaemon
  readonly #timers: TestTimers
  readonly #lines: Line[] = []
  readonly #peers: SocketPeer[] = []
  #now = 0

  static async open(): Promise<Player> {
    const player = new Player()
    await player.#connect()
    return player
  }

  private constructor() {
    this.#timers = new TestTimers()
    this.#daemon = aDaemon({ timers: this.#timers })
  }

  close(): void {
    for (const peer of this.#peers) peer.close()
    this.#daemon.stop()
  }

  /** @param requests about so many are asked */
  async play(chance: Chance, requests: number): Promise<History> {
    const start = await this.#begin()
    const units: Unit[] = []
    const hands = this.#lines.map(
      (line): Hand => ({
        ...{ line, txId: 0, isInTransaction: false, steps: [] },
        ...{ left: 0, askedAt: 0, asked: undefined },
      }),
    )
    const tally = { commits: 0, conflicts: 0 }
    let left = requests
    let idleTurns = 0
    while (left > 0 || hands.some((hand) => hand.asked !== undefined || hand.isInTransaction)) {
      for (const hand of hands) {
        if (hand.asked !== undefined || chance.below(3) === 0) continue
        if (left <= 0 && !hand.isInTransaction) continue
        this.#ask(hand, chance, left <= 0)
        left--
      }
      await turn()
      let hasHeard = false
      for (const hand of hands) {
        for (const message of hand.line.take()) {
          hasHeard = true
          this.#hear(hand, message, units, tally)
        }
      }
      idleTurns = hasHeard ? 0 : idleTurns + 1
      // Somebody may have to wait for a transaction that nobody ends before this somebody goes on.
      if (idleTurns > PATIENCE) this.#timers.pass(10)
    }
    await this.#readAll(units)
    return { units, start, ...tally }
  }

  #ask(hand: Hand, chance: Chance, isLast: boolean): void {
    if (!hand.isInTransaction) {
      if (chance.below(3) > 0) {
        hand.isInTransaction = true
        hand.steps = []
        hand.left = 1 + chance.below(STEPS_MAX)
        this.#send(hand, 'start', XS_TRANSACTION_START, '\0')
        return
      }
      hand.steps = [aStep(chance)]
      this.#sendStep(hand)
    } else if (hand.left === 0 || isLast) {
      const isCommit = chance.below(8) > 0
      this.#send(hand, isCommit ? 'commit' : 'abort', XS_TRANSACTION_END, isCommit ? 'T\0' : 'F\0')
    } else {
      hand.left--
      hand.steps.push(aStep(chance))
      this.#sendStep(hand)
    }
  }

  #sendStep(hand: Hand): void {
    const step = hand.steps.at(-1)
    if (step === undefined) throw new Error('nothing to ask')
    const { op, path, argument } = step
    const rest =
      op === 'write' ? argument : op === 'setPerms' ? `${argument.replaceAll(' ', '\0')}\0` : ''
    this.#send(hand, 'step', TYPES[op], `${path}\0${rest}`)
  }

  #send(hand: Hand, asked: Hand['asked'], type: number, payload: string): void {
    hand.asked = asked
    hand.askedAt = ++this.#now
    hand.line.send(encodePacket(type, 1, hand.txId, Buffer.from(payload)))
  }

  #hear(
    hand: Hand,
    message: Message,
    units: Unit[],
    tally: { commits: number; conflicts: number },
  ): void {
    const { asked, askedAt, line } = hand
    const answer = textOf(message)
    const unit = (): Unit => ({
      who: line.who,
      askedAt,
      answeredAt: ++this.#now,
      steps: hand.steps,
    })
    hand.asked = undefined
    if (asked === 'start') {
      hand.txId = Number(answer)
      return
    }
    if (asked === 'step') {
      const step = hand.steps.at(-1)
      if (step !== undefined) step.answer = step.op === 'directory' ? sorted(answer) : answer
      if (!hand.isInTransaction) units.push(unit())
      return
    }
    if (asked === 'commit') {
      if (answer === 'OK') {
        tally.commits++
        units.push(unit())
      } else if (answer === 'EAGAIN') tally.conflicts++
      else throw new Error(`commit: ${answer}`)
    }
    hand.isInTransaction = false
    hand.txId = 0
  }

  /** Every history begins with the same few nodes. @returns the model of them */
  async #begin(): Promise<Model> {
    const model = new Model()
    const [tool] = this.#lines
    if (tool === undefined) throw new Error('nobody is connected')
    const steps: Step[] = [
      { op: 'rm', path: '/t', argument: '', answer: '' },
      { op: 'mkdir', path: '/t', argument: '', answer: '' },
      { op: 'setPerms', path: '/t', argument: 'b0', answer: '' },
      { op: 'write', path: '/t/a/x', argument: '0', answer: '' },
    ]
    for (const step of steps) {
      const answer = await this.#alone(tool, step)
      if (answer !== model.apply(0, step)) throw new Error(`${step.op} ${step.path}: ${answer}`)
    }
    return model
  }

  /** What is there in the end has to be explained, too. */
  async #readAll(units: Unit[]): Promise<void> {
    const [tool] = this.#lines
    if (tool === undefined) return
    for (const path of PATHS) {
      for (const op of ['read', 'directory', 'getPerms'] as const) {
        const step: Step = { op, path, argument: '', answer: '' }
        const askedAt = ++this.#now
        const answer = await this.#alone(tool, step)
        step.answer = op === 'directory' ? sorted(answer) : answer
        units.push({ who: 0, askedAt, answeredAt: ++this.#now, steps: [step] })
      }
    }
  }

  async #alone(line: Line, step: Step): Promise<string> {
    const hand: Hand = {
      ...{ line, txId: 0, isInTransaction: false, steps: [step] },
      ...{ left: 0, askedAt: 0, asked: undefined },
    }
    this.#sendStep(hand)
    for (;;) {
      const [message] = line.take()
      if (message !== undefined) return textOf(message)
      await turn()
    }
  }

  async #connect(): Promise<void> {
    for (let i = 0; i < TOOLS; i++) {
      const peer = await SocketPeer.connect(this.#daemon.socketPath)
      this.#peers.push(peer)
      this.#lines.push({
        who: 0,
        send: (bytes) => peer.send(bytes),
        take: () => peer.received.splice(0),
      })
    }
    const client = await this.#daemon.connect()
    for (const domid of GUESTS) {
      const ring = this.#daemon.guest(domid)
      await client.introduce(domid, 0, ring.end.port)
      this.#lines.push({
        who: domid,
        send: (bytes) => void ring.put(bytes),
        take: () => ring.takeAll(),
      })
    }
  }
}

function aStep(chance: Chance): Step {
  const op = OPS[chance.below(OPS.length)] ?? 'read'
  const path = PATHS[chance.below(PATHS.length - (op === 'rm' ? 1 : 0))] ?? '/t'
  const argument =
    op === 'setPerms' ? (PERMS[chance.below(PERMS.length)] ?? 'n0') : String(chance.below(4))
  return { op, path, argument, answer: '' }
}

function textOf({ type, payload }: Message): string {
  const text = Buffer.from(payload).toString('latin1')
  return type === XS_ERROR || text.endsWith('\0') ? text.slice(0, -1).replaceAll('\0', ' ') : text
}

function sorted(names: string): string {
  return names.split(' ').sort().join(' ')
}
