/**
 * The pseudo terminal of one console: what the guest says waits in a backlog until somebody reads it,
 * what is typed at the other end goes to the guest.
 */
import type { Logger } from '../../native/os/log.ts'
import { Pty, type PtyUser } from '../../native/os/pty.ts'
import type { TerminalSize } from '../attach/client.ts'
import { Backlog } from './backlog.ts'

/** Master and slave. */
const PTY_DESCRIPTORS = 2

/** What the terminals of all consoles share. */
export interface TtyServices {
  /** `keep`: the guest is held up when its pty's backlog is full. */
  readonly overflow: 'discard' | 'keep'
  /** So many descriptors more, or fewer (below 0), are not for logs. */
  readonly lendDescriptors: (count: number) => void
  readonly counters: TtyCounters
  readonly log: Logger
}

/** Told what becomes of terminals, and of what they are shown. */
export interface TtyCounters {
  /** @param count 1: made; -1: closed */
  pty(count: number): void
  ttyDropped(bytes: number): void
}

/** The console that the terminal belongs to. */
export interface TtyOwner {
  readonly domid: number
  /** @returns bytes taken; when less than given: no more until `resumeTyping` */
  type(bytes: Uint8Array): number
  /** Its output is to stay in the ring, or may go on. */
  holdUp(isHeldUp: boolean): void
  /** The slave's path is to be told to the toolstack. */
  publishTty(slavePath: string): void
}

export class ConsoleTty implements PtyUser {
  readonly #owner: TtyOwner
  readonly #services: TtyServices
  #pty: Pty | undefined
  #backlog: Backlog | undefined
  #isHeldUp = false
  /** It has taken or given a byte: made anew, another one will most likely work, too. */
  #hasWorked = false
  #limit: number | undefined
  /** Read from the terminal and not taken by the guest: no more is read, so it is one read's worth. */
  #untaken: Uint8Array | undefined

  constructor(owner: TtyOwner, services: TtyServices) {
    this.#owner = owner
    this.#services = services
  }

  /**
   * Makes the terminal, and says where it is unless the store knows: the node may hold the path of a terminal
   * that was made anew while the store was away.
   *
   * @param node value of `~/console/tty`; undefined: there is no such node
   * @param limit value of `~/console/limit`, bytes
   */
  provide(node: string | undefined, limit: number | undefined): void {
    if (this.#pty !== undefined && node === this.#pty.slavePath) return
    this.#limit = limit
    const pty = this.#pty ?? this.#open()
    if (pty !== undefined) this.#owner.publishTty(pty.slavePath)
  }

  /** The guest said something. */
  show(bytes: Uint8Array, start: number, end: number): void {
    const pty = this.#pty
    const backlog = this.#backlog
    if (pty === undefined || backlog === undefined) return
    const taken = backlog.size === 0 ? pty.write(bytes, start, end) : 0
    if (taken > 0) this.#hasWorked = true
    if (start + taken === end) return
    const { dropped } = backlog
    backlog.append(bytes, start + taken, end)
    if (backlog.dropped !== dropped) this.#services.counters.ttyDropped(backlog.dropped - dropped)
    if (this.#services.overflow === 'keep' && backlog.isFull) this.#holdUp(true)
  }

  /** @returns false when there is no terminal */
  resize({ columns, rows }: TerminalSize): boolean {
    this.#pty?.resize(columns, rows)
    return this.#pty !== undefined
  }

  /** The guest has read what was typed. */
  resumeTyping(): void {
    const untaken = this.#untaken
    this.#untaken = undefined
    if (untaken !== undefined) this.#type(untaken)
    if (this.#untaken === undefined) this.#pty?.resumeReading()
  }

  /** The ring has gone, and with it what held the guest up. */
  ringLost(): void {
    this.#isHeldUp = false
  }

  close(): void {
    this.#close(this.#pty)
    this.#pty = undefined
  }

  #close(pty: Pty | undefined): void {
    if (pty === undefined) return
    pty.close()
    this.#services.counters.pty(-1)
    this.#services.lendDescriptors(-PTY_DESCRIPTORS)
  }

  // --- the pseudo terminal

  ptyInput(bytes: Uint8Array): void {
    this.#hasWorked = true
    this.#type(this.#untaken === undefined ? bytes : Buffer.concat([this.#untaken, bytes]))
  }

  #type(bytes: Uint8Array): void {
    const taken = this.#owner.type(bytes)
    this.#untaken = taken < bytes.length ? bytes.subarray(taken) : undefined
    if (this.#untaken !== undefined) this.#pty?.pauseReading()
  }

  ptyWritable(): void {
    const backlog = this.#backlog
    if (backlog === undefined || this.#pty === undefined) return
    while (backlog.size > 0) {
      const waiting = backlog.peek()
      const taken = this.#pty.write(waiting, 0, waiting.length)
      if (taken === 0) break
      backlog.consume(taken)
    }
    if (this.#isHeldUp && !backlog.isFull) this.#holdUp(false)
  }

  /**
   * The slave stays open here, so this is no reader that left: somebody has hung the terminal up. Whoever
   * looks at the key `tty` is led to another one, which shows what this one has not.
   */
  ptyFailed(error: unknown): void {
    this.#services.log.error({ domid: this.#owner.domid, err: error }, 'pty failed')
    const failed = this.#pty
    this.#pty = undefined
    // While the old one is there, the new one has another path.
    const next = this.#hasWorked ? this.#open() : undefined
    this.#close(failed)
    if (next === undefined) {
      if (this.#isHeldUp) this.#holdUp(false)
      return
    }
    this.#owner.publishTty(next.slavePath)
    this.ptyWritable()
  }

  #open(): Pty | undefined {
    this.#services.lendDescriptors(PTY_DESCRIPTORS)
    try {
      this.#pty = Pty.open(this)
    } catch (error) {
      this.#services.lendDescriptors(-PTY_DESCRIPTORS)
      this.#services.log.error({ domid: this.#owner.domid, err: error }, 'no pty to be had')
      return undefined
    }
    this.#services.counters.pty(1)
    this.#hasWorked = false
    this.#backlog ??= new Backlog(this.#limit)
    return this.#pty
  }

  #holdUp(isHeldUp: boolean): void {
    this.#isHeldUp = isHeldUp
    this.#owner.holdUp(isHeldUp)
  }
}
