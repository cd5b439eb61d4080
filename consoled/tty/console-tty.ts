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
  /** `always`: a pty for every console; `asked`: where the node `tty` exists. */
  readonly tty: 'asked' | 'always'
  /** `keep`: the guest is held up when its pty's backlog is full. */
  readonly overflow: 'discard' | 'keep'
  /** So many descriptors more, or fewer (below 0), are not for logs. */
  readonly lendDescriptors: (count: number) => void
  readonly log: Logger
}

/** The console that the terminal belongs to. */
export interface TtyOwner {
  readonly domid: number
  /** @returns false when the guest has not read everything: no more until `resumeTyping` */
  type(bytes: Uint8Array): boolean
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

  constructor(owner: TtyOwner, services: TtyServices) {
    this.#owner = owner
    this.#services = services
  }

  /**
   * Makes the terminal where one is wanted, and says where it is unless the store knows.
   *
   * @param node value of `~/console/tty`; undefined: there is no such node
   * @param limit value of `~/console/limit`, bytes
   */
  provide(node: string | undefined, limit: number | undefined): void {
    const isWanted = node !== undefined || this.#services.tty === 'always'
    if (!isWanted) return
    if (this.#pty === undefined) {
      this.#open(limit)
      if (this.#pty === undefined) return
    } else if (node !== '' && node !== undefined) {
      return
    }
    this.#owner.publishTty(this.#pty.slavePath)
  }

  /** The guest said something. */
  show(bytes: Uint8Array, start: number, end: number): void {
    const pty = this.#pty
    const backlog = this.#backlog
    if (pty === undefined || backlog === undefined) return
    const taken = backlog.size === 0 ? pty.write(bytes, start, end) : 0
    if (start + taken === end) return
    backlog.append(bytes, start + taken, end)
    if (this.#services.overflow === 'keep' && backlog.isFull) this.#holdUp(true)
  }

  /** @returns false when there is no terminal */
  resize({ columns, rows }: TerminalSize): boolean {
    this.#pty?.resize(columns, rows)
    return this.#pty !== undefined
  }

  /** The guest has read what was typed. */
  resumeTyping(): void {
    this.#pty?.resumeReading()
  }

  /** The ring has gone, and with it what held the guest up. */
  ringLost(): void {
    this.#isHeldUp = false
  }

  close(): void {
    if (this.#pty === undefined) return
    this.#pty.close()
    this.#pty = undefined
    this.#services.lendDescriptors(-PTY_DESCRIPTORS)
  }

  // --- the pseudo terminal

  ptyInput(bytes: Uint8Array): void {
    if (!this.#owner.type(bytes)) this.#pty?.pauseReading()
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

  /** The slave stays open here, so this is no reader that left. */
  ptyFailed(error: unknown): void {
    this.#services.log.error({ domid: this.#owner.domid, err: error }, 'pty failed')
    this.close()
    if (this.#isHeldUp) this.#holdUp(false)
  }

  #open(limit: number | undefined): void {
    this.#services.lendDescriptors(PTY_DESCRIPTORS)
    try {
      this.#pty = Pty.open(this)
    } catch (error) {
      this.#services.lendDescriptors(-PTY_DESCRIPTORS)
      this.#services.log.error({ domid: this.#owner.domid, err: error }, 'no pty to be had')
      return
    }
    this.#backlog = new Backlog(limit)
  }

  #holdUp(isHeldUp: boolean): void {
    this.#isHeldUp = isHeldUp
    this.#owner.holdUp(isHeldUp)
  }
}
