/**
 * The connections of a run, which come and go: sockets that are closed at any moment, guests that die, are
 * released and reborn under the same number, and now and then one that breaks the protocol.
 */

import type { TappedGuest } from '../../support/a-tapped-guest.ts'
import { FIRST_GUEST } from './harmless.ts'
import { Line } from './line.ts'
import type { Random } from './random.ts'
import type { Samples } from './samples.ts'
import type { Target } from './target.ts'
import type { Violation } from './violation.ts'

const SOCKETS = 6
const GUESTS = 5
const SOCKET_WINDOW = 512
const RING_WINDOW = 128

export interface CrowdOptions {
  readonly random: Random
  readonly samples: Samples
  /** Where sockets connect; else to the daemon itself. */
  readonly socketPath?: string
  readonly onViolation: (violation: Violation) => void
}

export class Crowd {
  readonly #target: Target
  readonly #options: CrowdOptions
  readonly #sockets: Line[] = []
  readonly #guests = new Map<number, { readonly guest: TappedGuest; line: Line }>()
  /** Of connections that are gone. */
  #answered = 0
  #events = 0
  #opened = 0
  #wanted = Number.POSITIVE_INFINITY
  #wake: () => void = () => undefined

  constructor(target: Target, options: CrowdOptions) {
    this.#target = target
    this.#options = options
  }

  get answered(): number {
    return this.#lines().reduce((sum, line) => sum + line.answered, this.#answered)
  }

  get events(): number {
    return this.#lines().reduce((sum, line) => sum + line.events, this.#events)
  }

  /** Settles when so many requests have been answered. */
  async untilAnswered(count: number): Promise<void> {
    if (this.answered >= count) return
    this.#wanted = count
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
  }

  async come(): Promise<void> {
    while (this.#sockets.length < SOCKETS) await this.#openSocket()
    for (let i = 0; i < GUESTS; i++) await this.#bear(FIRST_GUEST + i)
  }

  /** One of them goes in some way, and another comes. */
  async change(): Promise<void> {
    const { random } = this.#options
    const place = random.below(SOCKETS)
    const domid = FIRST_GUEST + random.below(GUESTS)
    switch (random.below(8)) {
      case 0:
      case 1:
        await this.#takeSocket(place)?.close()
        return await this.#openSocket()
      case 2: {
        const line = this.#sockets[place]
        line?.breakProtocol()
        await line?.ended()
        this.#takeSocket(place)
        return await this.#openSocket()
      }
      case 3:
      case 4:
        return await this.#die(domid)
      case 5:
        return await this.#reintroduce(domid)
      case 6:
        return await this.#breakRing(domid)
      default:
        await this.#sockets[place]?.settle()
        await this.#takeSocket(place)?.close()
        return await this.#openSocket()
    }
  }

  /** All are answered and go. */
  async go(): Promise<void> {
    await Promise.all(this.#lines().map((line) => line.settle()))
    for (const line of this.#lines()) this.#count(line)
    await Promise.all(this.#sockets.splice(0).map((line) => line.close()))
    for (const [domid, { guest, line }] of this.#guests) {
      line.expectEnd()
      await guest.destroy()
      await guest.gone()
      await line.ended()
      this.#guests.delete(domid)
    }
  }

  /** Who has been asked something that is not answered, and how much of it. */
  unanswered(): string {
    return this.#lines()
      .filter((line) => line.pending > 0)
      .map((line) => `${line.name} ${line.pending}`)
      .join(', ')
  }

  #lines(): Line[] {
    return [...this.#sockets, ...[...this.#guests.values()].map(({ line }) => line)]
  }

  async #openSocket(): Promise<void> {
    const path = this.#options.socketPath ?? this.#target.socketPath
    const line = await this.#open(path, 'socket', `socket ${++this.#opened}`)
    this.#sockets.push(line)
    line.fill()
  }

  #takeSocket(place: number): Line | undefined {
    const [line] = this.#sockets.splice(place, 1)
    if (line !== undefined) this.#count(line)
    return line
  }

  async #bear(domid: number): Promise<void> {
    const { admin, guests } = this.#target
    const guest = await guests.make({ domid })
    await admin.introduce(domid, guest.gfn, guest.port)
    const line = await this.#open(await guest.tap(), 'ring', `guest ${domid}`)
    this.#guests.set(domid, { guest, line })
    line.fill()
  }

  /** Xen destroys it in the middle of everything; a toolstack may release it besides. */
  async #die(domid: number): Promise<void> {
    const found = this.#guests.get(domid)
    if (found === undefined) return
    const { guest, line } = found
    line.expectEnd()
    const how = this.#options.random.below(3)
    if (how === 0) await guest.shutDown('crash')
    await guest.destroy()
    if (how === 1) await this.#target.admin.release(domid).catch(() => undefined)
    await guest.gone()
    await line.ended()
    this.#count(line)
    this.#guests.delete(domid)
    await this.#bear(domid)
  }

  /** The guest's kernel goes, the toolstack introduces the domain anew, a new kernel comes. */
  async #reintroduce(domid: number): Promise<void> {
    const found = this.#guests.get(domid)
    if (found === undefined) return
    await found.line.settle()
    this.#count(found.line)
    await found.line.close()
    const { admin } = this.#target
    if (this.#options.random.once(2)) await admin.release(domid)
    await admin.introduce(domid, found.guest.gfn, found.guest.port)
    found.line = await this.#open(await found.guest.tap(), 'ring', `guest ${domid}`)
    found.line.fill()
  }

  async #breakRing(domid: number): Promise<void> {
    const found = this.#guests.get(domid)
    if (found === undefined) return
    found.line.breakProtocol()
    while ((await found.guest.ring()).error === 0) await new Promise(setImmediate)
    await this.#die(domid)
  }

  #open(path: string, kind: 'socket' | 'ring', name: string): Promise<Line> {
    const window = kind === 'socket' ? SOCKET_WINDOW : RING_WINDOW
    const onAnswers = () => this.#onAnswers()
    return Line.open(path, { ...this.#options, kind, name, window, onAnswers })
  }

  #onAnswers(): void {
    if (this.answered < this.#wanted) return
    this.#wanted = Number.POSITIVE_INFINITY
    this.#wake()
  }

  #count(line: Line): void {
    this.#answered += line.answered
    this.#events += line.events
  }
}
