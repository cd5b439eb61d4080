/**
 * One guest's console: where its ring's bytes go, and where the bytes typed into it come from.
 *
 * ```
 *            ┌─► log file            in the turn of the loop in which they came
 *   ring ────┼─► history             when there is no raw log to read it from
 *            ├─► viewers             each with a bounded queue of its own
 *            └─► backlog ─► pty      when the toolstack asked for one
 *   ring ◄──── viewers, pty          held up while the guest does not read
 * ```
 */
import type { Domid, EvtchnPort, Gfn } from '../native/hypervisor.ts'
import type { Logger } from '../native/os/log.ts'
import { Pty, type PtyUser } from '../native/os/pty.ts'
import type { ConnectionId } from '../native/ring-set.ts'
import { Backlog } from './backlog.ts'
import { ByteRing } from './byte-ring.ts'
import type { ConsoleKeys } from './console-keys.ts'
import type { ConsoleRings, RingUser } from './console-ring.ts'
import type { GuestLog } from './guest-log.ts'

/** What a viewer is shown first, at most. */
export const HISTORY_BYTES = 16_384
/** Master and slave. */
const PTY_DESCRIPTORS = 2

/** Somebody who looks at a console. */
export interface ConsoleViewer {
  /** Must not throw and must not wait; the bytes are shared with other viewers. */
  show(bytes: Buffer): void
  /** The guest reads again; go on typing. */
  resumeTyping(): void
  /** The console has vanished. */
  end(): void
}

/** What all consoles share. */
export interface ConsoleServices {
  readonly rings: ConsoleRings
  /** Opens the log of a guest of this name; undefined when guests are not logged. */
  readonly openLog: ((name: string, isNew: boolean) => GuestLog) | undefined
  /** Bytes of history a console may keep in memory. */
  readonly historyBytes: () => number
  /** `always`: a pty for every console; `asked`: where the node `tty` exists. */
  readonly tty: 'asked' | 'always'
  /** `keep`: the guest is held up when its pty's backlog is full. */
  readonly overflow: 'discard' | 'keep'
  /** So many descriptors more, or fewer (below 0), are not for logs. */
  readonly lendDescriptors: (count: number) => void
  /** Writes the path of the pty's slave into the store. */
  readonly publishTty: (domid: Domid, slavePath: string) => void
  readonly log: Logger
}

interface Ring {
  readonly gfn: Gfn
  readonly port: EvtchnPort
}

export class GuestConsole implements RingUser, PtyUser {
  readonly domid: Domid
  readonly uuid: string
  readonly #services: ConsoleServices
  /** It began after consoled did, so nothing that its log holds already is its own. */
  readonly #isNew: boolean
  #isOurs = true
  #name: string | undefined
  #connection: ConnectionId | undefined
  #ring: Ring | undefined
  /** The ring that could not be reached, so that this is said once. */
  #failedRing: Ring | undefined
  #log: GuestLog | undefined
  #history: ByteRing | undefined
  #pty: Pty | undefined
  #backlog: Backlog | undefined
  #isHeldUp = false
  #viewers: ConsoleViewer[] = []
  #whenConnected: (() => void)[] = []

  constructor(domid: Domid, uuid: string, isNew: boolean, services: ConsoleServices) {
    this.domid = domid
    this.uuid = uuid
    this.#isNew = isNew
    this.#services = services
  }

  get isConnected(): boolean {
    return this.#connection !== undefined
  }

  /** False when another program serves this console. */
  get isOurs(): boolean {
    return this.#isOurs
  }

  /** Takes what the store says now: connects, reconnects, makes the pty. */
  update(keys: ConsoleKeys): void {
    this.#isOurs = keys.isOurs
    if (!keys.isOurs || keys.ring === undefined) return
    this.#connect(keys.ring, keys.name)
    if (this.#connection !== undefined) this.#provideTty(keys)
  }

  /** Calls as soon as the ring is there: at once if it is. @returns takes it back */
  whenConnected(run: () => void): () => void {
    if (this.isConnected) {
      run()
      return () => undefined
    }
    this.#whenConnected.push(run)
    return () => {
      this.#whenConnected = this.#whenConnected.filter((waiting) => waiting !== run)
    }
  }

  /** Shows what was said last, then everything as it comes. */
  addViewer(viewer: ConsoleViewer): void {
    const history = this.#log?.isRaw ? this.#log.tail(HISTORY_BYTES) : this.#history?.copy()
    if (history !== undefined && history.length > 0) viewer.show(history)
    this.#viewers.push(viewer)
  }

  removeViewer(viewer: ConsoleViewer): void {
    this.#viewers = this.#viewers.filter((other) => other !== viewer)
  }

  /**
   * Types into the guest.
   *
   * @returns false when the guest has not read everything: no more until `resumeTyping`
   */
  type(bytes: Uint8Array): boolean {
    if (this.#connection === undefined) return true
    this.#services.rings.send(this.#connection, bytes)
    return this.#services.rings.waitingBytes(this.#connection) === 0
  }

  /** Closes the log and opens it again. */
  reopenLog(): void {
    this.#log?.reopen()
  }

  /** Goes on in another log if the guest has another name by now. */
  rename(name: string): void {
    if (this.#log === undefined || name === this.#name) return
    this.#name = name
    this.#log.close()
    this.#openLog(false)
  }

  /** The domain, or its keys, are gone: takes the last of its output, then closes and calls. */
  end(closed: () => void = () => undefined): void {
    const finish = (): void => {
      this.close()
      closed()
    }
    if (this.#connection === undefined) finish()
    else this.#services.rings.drain(this.#connection, finish)
  }

  /** May be called twice. */
  close(): void {
    this.#disconnect()
    this.#closePty()
    this.#log?.close()
    for (const viewer of this.#viewers) viewer.end()
    this.#viewers = []
    this.#whenConnected = []
  }

  // --- the ring

  ringOutput(bytes: Uint8Array, start: number, end: number): void {
    this.#log?.append(bytes, start, end)
    this.#history?.append(bytes, start, end)
    if (this.#viewers.length > 0) {
      const copy = Buffer.from(bytes.subarray(start, end))
      for (const viewer of this.#viewers) viewer.show(copy)
    }
    if (this.#pty !== undefined) this.#showOnPty(this.#pty, bytes, start, end)
  }

  ringDrained(): void {
    for (const viewer of this.#viewers) viewer.resumeTyping()
    this.#pty?.resumeReading()
  }

  ringBroken(): void {
    this.#services.log.warn({ domid: this.domid }, 'console ring given up')
  }

  // --- the pseudo terminal

  ptyInput(bytes: Uint8Array): void {
    if (!this.type(bytes)) this.#pty?.pauseReading()
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
    this.#services.log.error({ domid: this.domid, err: error }, 'pty failed')
    this.#closePty()
    if (this.#isHeldUp) this.#holdUp(false)
  }

  #showOnPty(pty: Pty, bytes: Uint8Array, start: number, end: number): void {
    const backlog = this.#backlog
    if (backlog === undefined) return
    const taken = backlog.size === 0 ? pty.write(bytes, start, end) : 0
    if (start + taken === end) return
    backlog.append(bytes, start + taken, end)
    if (this.#services.overflow === 'keep' && backlog.isFull) this.#holdUp(true)
  }

  #holdUp(isHeldUp: boolean): void {
    this.#isHeldUp = isHeldUp
    if (this.#connection !== undefined) this.#services.rings.setHeldUp(this.#connection, isHeldUp)
  }

  #provideTty(keys: ConsoleKeys): void {
    const isWanted = keys.tty !== undefined || this.#services.tty === 'always'
    if (!isWanted) return
    if (this.#pty === undefined) {
      this.#services.lendDescriptors(PTY_DESCRIPTORS)
      try {
        this.#pty = Pty.open(this)
      } catch (error) {
        this.#services.lendDescriptors(-PTY_DESCRIPTORS)
        this.#services.log.error({ domid: this.domid, err: error }, 'no pty to be had')
        return
      }
      this.#backlog = new Backlog(keys.limit)
    } else if (keys.tty !== '' && keys.tty !== undefined) {
      return
    }
    this.#services.publishTty(this.domid, this.#pty.slavePath)
  }

  #closePty(): void {
    if (this.#pty === undefined) return
    this.#pty.close()
    this.#pty = undefined
    this.#services.lendDescriptors(-PTY_DESCRIPTORS)
  }

  #connect(ring: Ring, name: string | undefined): void {
    const isSame = this.#ring?.gfn === ring.gfn && this.#ring.port === ring.port
    if (this.#connection !== undefined && isSame) return
    this.#disconnect()
    if (this.#log === undefined && this.#history === undefined) {
      this.#name = name
      this.#openLog(this.#isNew)
    }
    const { rings, log } = this.#services
    try {
      this.#connection = rings.attach(this.domid, ring.gfn, ring.port, this)
    } catch (error) {
      const isKnown = this.#failedRing?.gfn === ring.gfn && this.#failedRing.port === ring.port
      if (!isKnown) log.warn({ domid: this.domid, err: error }, 'console ring cannot be reached')
      this.#failedRing = ring
      return
    }
    this.#ring = ring
    this.#failedRing = undefined
    log.info({ domid: this.domid, name: this.#name, port: ring.port }, 'console connected')
    const waiting = this.#whenConnected
    this.#whenConnected = []
    for (const run of waiting) run()
  }

  #disconnect(): void {
    if (this.#connection === undefined) return
    this.#services.rings.detach(this.#connection)
    this.#connection = undefined
    this.#ring = undefined
    this.#isHeldUp = false
    this.ringDrained()
  }

  #openLog(isNew: boolean): void {
    const { openLog, historyBytes } = this.#services
    this.#log = openLog?.(this.#name ?? `dom${this.domid}`, isNew)
    if (!this.#log?.isRaw && this.#history === undefined) {
      this.#history = new ByteRing(historyBytes())
    }
  }
}
