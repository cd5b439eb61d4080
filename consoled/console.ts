/**
 * One guest's console: where its ring's bytes go, and where the bytes typed into it come from.
 *
 * ```
 *            ┌─► log file            in the turn of the loop in which they came
 *   ring ────┼─► history             when there is no raw log to go on from exactly
 *            ├─► viewers             who keep up; else from the log, or the history
 *            └─► backlog ─► pty      when the toolstack asked for one
 *   ring ◄──── viewers, pty          held up while the guest does not read
 * ```
 */
import type { Domid, EvtchnPort, Gfn } from '../native/hypervisor.ts'
import type { ConnectionId } from '../native/ring-set.ts'
import { Audience, type ConsoleViewer } from './attach/audience.ts'
import type { TerminalSize } from './attach/client.ts'
import { ByteRing } from './byte-ring.ts'
import type { ConsoleKeys } from './domains/console-keys.ts'
import type { ConsoleIdentity } from './log/console-states.ts'
import type { GuestLog } from './log/guest-log.ts'
import { type JournalSpeaker, journalFields } from './log/journal.ts'
import type { JournalLog } from './log/journal-log.ts'
import type { ConsoleRings, RingUser } from './ring/console-ring.ts'
import { ConsoleTty, type TtyOwner, type TtyServices } from './tty/console-tty.ts'

/** What is read of a log at a time for viewers. */
const KNOWN_BYTES = 65_536
/** How far back a viewer may go on: what a terminal missed while it stood still, or consoled was away. */
const REACH_BYTES = 4 * 2 ** 20
/** What a guest may have printed that nobody took: out[] of the ring (xen/include/public/io/console.h). */
const RING_BYTES = 2048
/** So much waits at most for a guest that does not read: all guests share the memory for it. */
const TYPED_BYTES = 4096

/** What all consoles share. */
export interface ConsoleServices extends TtyServices {
  readonly rings: ConsoleRings
  /** Opens the log of a guest of this name; undefined when guests are not logged. */
  readonly openLog:
    | ((console: ConsoleIdentity, name: string, isNew: boolean) => GuestLog)
    | undefined
  /** A way into the journal for this guest; undefined when guests do not go there. */
  readonly openJournal: ((fields: Uint8Array) => JournalLog) | undefined
  /** `always`: a pty for every console; `asked`: where the node `tty` exists. */
  readonly tty: 'asked' | 'always'
  /** Bytes of history a console may keep in memory. */
  readonly historyBytes: () => number
  /** Writes the path of the pty's slave into the store. */
  readonly publishTty: (domid: Domid, slavePath: string) => void
}

interface Ring {
  readonly gfn: Gfn
  readonly port: EvtchnPort
}

/** Somebody who waits for the ring. */
interface Waiting {
  readonly run: () => void
  readonly closed: () => void
}

export class GuestConsole implements RingUser, TtyOwner {
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
  #journal: JournalLog | undefined
  #history: ByteRing | undefined
  /** Undefined as long as nobody has asked for one: most guests print to nobody but their log. */
  #tty: ConsoleTty | undefined
  #audience: Audience | undefined
  #position = 0
  #said = 0
  /** The ring has been there, so viewers may know positions. */
  #isCounting = false
  /** Where the ring's indices went on somewhere else for the last time: before it, and what had been said. */
  #jumpedAt: { readonly position: number; readonly count: number } | undefined
  /** Bytes of the history that came one after another out of this ring. */
  #unbroken = 0
  #whenConnected: Waiting[] = []

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
    const isTtyWanted = keys.tty !== undefined || this.#services.tty === 'always'
    if (this.#connection === undefined || !isTtyWanted) return
    this.#tty ??= new ConsoleTty(this, this.#services)
    this.#tty.provide(keys.tty, keys.limit)
  }

  /** What the guest's log is called after; undefined when it was never connected. */
  get name(): string | undefined {
    return this.#name
  }

  /**
   * Calls as soon as the ring is there: at once if it is.
   *
   * @param closed is called instead when the console vanishes before
   * @returns takes it back
   */
  whenConnected(run: () => void, closed: () => void): () => void {
    if (this.isConnected) {
      run()
      return () => undefined
    }
    const waiting = { run, closed }
    this.#whenConnected.push(waiting)
    return () => {
      this.#whenConnected = this.#whenConnected.filter((other) => other !== waiting)
    }
  }

  /** From now on everything is shown to the viewer as it comes. */
  addViewer(viewer: ConsoleViewer): void {
    this.#audience ??= new Audience()
    this.#audience.add(viewer)
  }

  /** Ring index of what the guest prints next. */
  get position(): number {
    return this.#position
  }

  /** Bytes shown since the console began; a byte keeps its count, whatever becomes of the ring. */
  get said(): number {
    return this.#said
  }

  /** What was said last, at most so much; it ends at `said`. */
  recentOutput(maxBytes: number): Buffer {
    const length = Math.min(maxBytes, KNOWN_BYTES)
    if (this.#log?.isRaw) return this.#log.tail(length)
    const kept = this.#kept(length)
    const isAll = this.#isNew && kept.length === this.#said
    if (isAll || kept.length === length) return kept
    const logged = this.#log?.said(length)
    return logged === undefined || logged.length < kept.length ? kept : logged
  }

  /**
   * What `said` was, or will be, at a position that somebody comes back to. It may be ahead of what a consoled
   * knows that was killed before it had taken what it had shown.
   *
   * @returns undefined when that byte is of indices that are not counted any more
   */
  countAt(position: number): number | undefined {
    const jump = this.#jumpedAt
    if (jump?.position === position) return jump.count
    const ahead = (position - this.#position) >>> 0
    if (jump === undefined && ahead <= RING_BYTES) return this.#said + ahead
    const behind = (this.#position - position) >>> 0
    if (jump === undefined) return behind < 2 ** 31 ? this.#said - behind : undefined
    // It may be of the old indices as well, and then other bytes are meant.
    const isOld = (jump.position - position) >>> 0 <= REACH_BYTES
    return !isOld && this.#said - behind >= jump.count ? this.#said - behind : undefined
  }

  /** What was said from this count on, or the first of it; undefined when that is not known any more. */
  outputFrom(count: number): Buffer | undefined {
    const length = this.#said - count
    if (length < 0 || length > REACH_BYTES) return undefined
    if (this.#log?.isRaw) return this.#log.exactTail(length, KNOWN_BYTES)
    if (length > this.#unbroken) return undefined
    const kept = this.#kept(length)
    return kept.length === length ? kept : undefined
  }

  /** The last of what is in memory. */
  #kept(maxBytes: number): Buffer {
    const kept = this.#history?.copy() ?? Buffer.alloc(0)
    return kept.subarray(Math.max(0, kept.length - maxBytes))
  }

  removeViewer(viewer: ConsoleViewer): void {
    this.#audience?.remove(viewer)
    if (this.#audience?.isEmpty) this.#audience = undefined
  }

  /** Why nobody may come and type now: `is written by …`; undefined: one may. */
  whyNoWriter(how: 'shared' | 'exclusive'): string | undefined {
    return this.#audience?.whyNoWriter(how === 'exclusive')
  }

  /** Sets the size of the pseudo terminal. @returns false when there is none */
  resize(size: TerminalSize): boolean {
    return this.#tty?.resize(size) ?? false
  }

  /**
   * Types into the guest.
   *
   * @returns bytes taken; when less than given, the guest has not read everything: no more until `resumeTyping`
   */
  type(bytes: Uint8Array): number {
    const connection = this.#connection
    if (connection === undefined) return bytes.length
    const { rings } = this.#services
    let taken = 0
    while (taken < bytes.length && rings.waitingBytes(connection) === 0) {
      const part = bytes.subarray(taken, taken + TYPED_BYTES)
      rings.send(connection, part)
      taken += part.length
    }
    return taken
  }

  /** Opens the log again if it is out of date. */
  reopenLog(): void {
    this.#log?.reopen()
  }

  /** Goes on in another log if the guest has another name by now. */
  rename(name: string): void {
    if (name === this.#name || this.#name === undefined) return
    this.#name = name
    this.#journal?.setFields(journalFields(this.#speaker))
    if (this.#log === undefined) return
    this.#log.close()
    // What the file holds by now an earlier guest of that name has said.
    this.#openLog(true)
    if (this.#ring !== undefined) this.#beginAt(this.#ring, this.#position)
  }

  /** The domain, or its keys, are gone: takes the last of its output, then closes and calls. */
  end(closed: () => void = () => undefined): void {
    const finish = (): void => {
      this.close()
      this.#log?.end()
      closed()
    }
    if (this.#connection === undefined) finish()
    else this.#services.rings.drain(this.#connection, finish)
  }

  /** May be called twice. */
  close(): void {
    this.#disconnect()
    this.#tty?.close()
    this.#log?.close()
    this.#journal?.close()
    this.#audience?.end()
    const waiting = this.#whenConnected
    this.#whenConnected = []
    for (const { closed } of waiting) closed()
  }

  // --- the ring

  ringOutput(bytes: Uint8Array, start: number, end: number, position: number): void {
    const logged = this.#log?.append(bytes, start, end, position) ?? 0
    this.#journal?.append(bytes, start + logged, end)
    // What a log holds that viewers read from, they have seen there.
    const known = this.#log?.isRaw ? logged : 0
    if ((position + known) >>> 0 !== this.#position) this.#jump()
    this.#history?.append(bytes, start, end)
    this.#position = (position + end - start) >>> 0
    this.#said += end - start - known
    this.#unbroken += end - start
    this.#audience?.show(bytes, start + known, end)
    this.#tty?.show(bytes, start, end)
  }

  ringDrained(): void {
    this.#audience?.resumeTyping()
    this.#tty?.resumeTyping()
  }

  ringBroken(): void {
    this.#services.log.warn({ domid: this.domid }, 'console ring given up')
  }

  // --- the pseudo terminal

  holdUp(isHeldUp: boolean): void {
    if (this.#connection !== undefined) this.#services.rings.setHeldUp(this.#connection, isHeldUp)
  }

  publishTty(slavePath: string): void {
    this.#services.publishTty(this.domid, slavePath)
  }

  #connect(ring: Ring, name: string | undefined): void {
    const isSame = this.#ring?.gfn === ring.gfn && this.#ring.port === ring.port
    if (this.#connection !== undefined && isSame) {
      this.#keep(this.#connection, ring)
      return
    }
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
    this.#beginAt(ring, rings.outputIndex(this.#connection))
    this.#failedRing = undefined
    log.info({ domid: this.domid, name: this.#name, port: ring.port }, 'console connected')
    const waiting = this.#whenConnected
    this.#whenConnected = []
    for (const { run } of waiting) run()
  }

  /**
   * The keys name the ring that we have. A guest that was reset, or runs another kernel (kexec), has closed
   * its port since and waits at one of the same number. A dying one has closed it, too: its ring stays, for
   * the last words.
   */
  #keep(connection: ConnectionId, ring: Ring): void {
    const { rings, log } = this.#services
    if (rings.isBound(connection)) return
    const index = rings.outputIndex(connection)
    const isBound = rings.rebind(connection, ring.port)
    const begin = rings.outputIndex(connection)
    // What the log knows of this ring holds as long as the guest goes on where it was.
    if (begin !== index) this.#beginAt(ring, begin)
    this.ringDrained()
    const facts = { domid: this.domid, name: this.#name, port: ring.port }
    if (isBound) log.info(facts, 'console bound anew')
    else log.info(facts, 'console port is closed')
  }

  /** @param index of the ring's first byte that is to come */
  #beginAt(ring: Ring, index: number): void {
    const position = this.#log?.begin(ring.gfn, ring.port, index) ?? index
    if (position !== this.#position) this.#jump()
    this.#position = position
    this.#isCounting = true
  }

  /** The ring's indices go on somewhere else. */
  #jump(): void {
    this.#unbroken = 0
    if (this.#isCounting) this.#jumpedAt = { position: this.#position, count: this.#said }
    this.#audience?.loseCount()
  }

  #disconnect(): void {
    if (this.#connection === undefined) return
    this.#services.rings.detach(this.#connection)
    this.#connection = undefined
    this.#ring = undefined
    this.#tty?.ringLost()
    this.ringDrained()
  }

  #openLog(isNew: boolean): void {
    const { openLog, openJournal, historyBytes } = this.#services
    this.#journal ??= openJournal?.(journalFields(this.#speaker))
    this.#log = openLog?.(this, this.#name ?? `dom${this.domid}`, isNew)
    if (!this.#log?.isRaw && this.#history === undefined) {
      this.#history = new ByteRing(historyBytes())
    }
  }

  get #speaker(): JournalSpeaker {
    const { domid, uuid } = this
    return { identifier: 'consoled', domid, uuid, name: this.#name }
  }
}
