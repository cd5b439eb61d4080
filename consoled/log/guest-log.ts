/**
 * One guest's log file: its name, what is done to the bytes on the way, and how it goes on after consoled
 * was killed.
 *
 * ```
 *   ring    ... out_cons ──┐ given back after the write: so the ring still holds at least what the log
 *                          ▼ does not, and at most one batch that the log holds already
 *   log     ...............│....surplus
 *                          └─ derived: offset + (out_cons − index) of ConsoleStates
 * ```
 *
 * The surplus is recognised by its bytes (raw), or by the lengths that were noted before the write (where
 * bytes are changed on the way), and is not written again.
 */
import { join } from 'node:path'
import type { ConsoleIdentity } from './console-states.ts'
import type { GuestLogServices } from './guest-log-services.ts'
import { LineStamps, OPENED, withoutStamps } from './line-stamps.ts'
import type { LogFile, LogOwner } from './log-file.ts'
import { guestLogName } from './log-name.ts'
import { bytesOfLines, type LeftLog, leftChanged, leftRaw, sameBytes } from './log-resume.ts'
import { rangeOfBoth, tailOf, tailOfAside } from './log-tail.ts'
import { UNWRITTEN_BYTES, Unwritten } from './unwritten.ts'

const ESC = 0x1b
const LF = 0x0a
const DOT = 0x2e
/** Indices are told apart as long as they are not 2^31 from each other. */
const MAX_DISTANCE = 2 ** 30
/** What is known to lie in the log without a gap is not counted any further. */
const MAX_UNBROKEN = 2 ** 30
const OPENED_BYTES = Buffer.from(OPENED, 'latin1')

export class GuestLog implements LogOwner {
  readonly #services: GuestLogServices
  readonly #domid: number
  readonly #uuid: string
  readonly #file: LogFile
  readonly #stamps: LineStamps | undefined
  /** Where this guest's part begins; the same of what was put aside, if that is its own, too. */
  #from: number
  #fromAside: number | undefined
  /** What of LogFile these two are about. */
  #beginnings: number
  #isClosed = false
  /** Of the files, when this log was opened last. */
  #generation: number
  /** The ring has been there. */
  #hasBegun = false
  /** Of the domid's record, as ConsoleStates knows it; none has it before the ring is there. */
  #owner = 0
  /** Ring indices of what is logged next, and of what was logged last. */
  #next = 0
  #before = 0
  /** The byte at `index` lies at `offset` of the file, and all that follow behind it. */
  #baseIndex = 0
  #baseOffset = 0
  #baseEpoch = -1
  /** Bytes at the log's end that stand there as the guest printed them, without a gap. */
  #unbroken = 0
  /** Since something could not be written, until the raw log ends with more than this holds. */
  #unwritten: Unwritten | undefined
  /** What a killed process has left, until the ring's first bytes show what of them the log holds. */
  #left: LeftLog | undefined

  /**
   * Opens the log, so that `tail -f` finds it before the guest speaks.
   *
   * @param isNew the guest has just begun: what the file holds is of an earlier guest of that name
   */
  constructor(
    services: GuestLogServices,
    { domid, uuid }: ConsoleIdentity,
    name: string,
    isNew: boolean,
  ) {
    this.#services = services
    this.#domid = domid
    this.#uuid = uuid
    this.#stamps = services.format.withTimestamps ? new LineStamps() : undefined
    this.#file = services.files.file(join(services.dir, guestLogName(name)), this)
    this.#file.isReady()
    this.#generation = services.files.generation
    this.#from = isNew ? this.#file.size : 0
    this.#fromAside = isNew ? undefined : 0
    this.#beginnings = this.#file.beginnings
  }

  /** The file holds exactly what the guest said, so it can serve as the console's history. */
  get isRaw(): boolean {
    const { withTimestamps, replacesEscape } = this.#services.format
    return !withTimestamps && !replacesEscape
  }

  /** Bytes that went to its file, and that could not; two guests of one name share these. */
  get bytes(): number {
    return this.#file.bytes
  }

  get dropped(): number {
    return this.#file.dropped
  }

  /**
   * The ring is there.
   *
   * @param frame of the ring's page
   * @param position ring index (u32) of the first byte that is to come
   * @returns ring index up to which a raw log holds the output, as it seems
   */
  begin(frame: number, port: number, position: number): number {
    const { files, states, listing } = this.#services
    const isFirst = !this.#hasBegun
    this.#hasBegun = true
    files.flush()
    this.#next = this.#before = position
    const console = { domid: this.#domid, uuid: this.#uuid }
    this.#owner = states.take(this.#domid)
    const place = isFirst ? states.find(console, frame, port) : undefined
    const isOurs = place !== undefined && place.isRaw === this.isRaw
    const leftOf = this.isRaw ? leftRaw : leftChanged
    this.#left = isOurs ? leftOf(place, this.#file.path, position, listing) : undefined
    if (place === undefined || this.#left === undefined) {
      states.begin(console, frame, port)
      this.#rebase()
    } else if (this.isRaw) {
      this.#unbroken = Math.min(this.#left.unbroken, MAX_UNBROKEN)
      this.#baseEpoch = this.#file.epoch
      this.#baseIndex = place.index
      this.#baseOffset = place.offset
      if (!this.#left.isInPlace) {
        // What follows what was put aside is nothing yet, or somebody else's.
        this.#baseIndex = (position + this.#left.surplus) >>> 0
        this.#baseOffset = 0
      }
    }
    // As long as lines are still to be counted, the file stays as it was left.
    if (isFirst && this.#left?.surplusLines === undefined) this.#announce()
    return (position + (this.isRaw ? (this.#left?.surplus ?? 0) : 0)) >>> 0
  }

  /**
   * The guest printed; the bytes are valid during the call only.
   *
   * @param position ring index (u32) of the byte at `start`
   * @returns how many of the bytes were in the log before
   */
  append(bytes: Uint8Array, start: number, end: number, position: number): number {
    if (this.#generation !== this.#services.files.generation) this.reopen()
    if (position !== this.#next) this.#jump(position)
    const known = this.#left === undefined ? 0 : this.#recognise(bytes.subarray(start, end))
    this.#before = position
    this.#next = (position + known) >>> 0
    if (start + known === end) return known
    if (this.isRaw) this.#appendRaw(bytes, start + known, end)
    else this.#appendChanged(bytes, start + known, end)
    return known
  }

  /** What this guest said last; where the log is changed on the way, as far as that can be undone. */
  said(maxBytes: number): Buffer {
    this.#services.files.flush()
    // What the log ends with is not what was said last.
    if (this.#file.isFailing) return Buffer.alloc(0)
    if (this.#stamps === undefined) return this.#logged(maxBytes)
    const length = maxBytes * 2
    const stamped = this.#logged(length)
    // Where more is before it, it may begin in the middle of a stamp.
    const begin = stamped.length < length ? 0 : stamped.indexOf(LF) + 1 || length
    const said = withoutStamps(stamped.subarray(begin))
    return said.subarray(Math.max(0, said.length - maxBytes))
  }

  /** The end of a raw log, as it stands there, as far as it is this guest's; while that is not what it said last, this. */
  tail(maxBytes: number): Buffer {
    this.#services.files.flush()
    return this.#unwritten?.tail(maxBytes) ?? this.#logged(maxBytes)
  }

  #logged(maxBytes: number): Buffer {
    this.#followBeginnings()
    const { path } = this.#file
    const newest = tailOf(path, maxBytes, this.#from)
    if (this.#fromAside === undefined || newest.length === maxBytes) return newest
    const aside = tailOfAside(path, maxBytes - newest.length, this.#fromAside)
    return aside.length === 0 ? newest : Buffer.concat([aside, newest])
  }

  /**
   * The last bytes of a raw log, or of what could not be written to it, if they are known to be what the guest printed last.
   *
   * @param maxBytes no more than so many of them, the oldest
   */
  exactTail(length: number, maxBytes = length): Buffer | undefined {
    this.#services.files.flush()
    // What the flush could not write, or another guest of that name has, is known only now.
    if (!this.isRaw || length > this.#unbroken || !this.#isInPlace()) {
      return this.#unwritten?.exactTail(length, maxBytes)
    }
    const bytes = rangeOfBoth(this.#file.path, length, maxBytes)
    return bytes.length === Math.min(length, maxBytes) ? bytes : undefined
  }

  /** Opens the path again if it may be another file by now (LogFiles.outdate); else does nothing. */
  reopen(): void {
    const { generation } = this.#services.files
    if (this.#isClosed || this.#generation === generation) return
    this.#generation = generation
    const file = this.#file
    const { epoch } = file
    if (file.isOutOfDate) file.close()
    for (const owner of file.owners) owner.logMoves()
    if (file.isReady() && file.epoch !== epoch) {
      for (const owner of file.owners) owner.logFollows(false)
    }
    this.#announce()
  }

  /** May be called twice. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#services.files.release(this.#file, this)
  }

  /** The domain has gone: nobody goes on in its log. */
  end(): void {
    this.#services.states.forget(this.#domid, this.#owner)
  }

  // --- the file

  logMoves(): void {
    // Of what comes then it cannot be told any more.
    if (!this.#isInPlace()) this.#unbroken = 0
  }

  logFollows(announces: boolean): void {
    if (!this.#hasBegun || this.#left !== undefined) return
    // What was put aside and what follows are one, as long as it is found there.
    const unbroken = this.#file.isAside ? this.#unbroken : 0
    this.#rebase()
    this.#unbroken = unbroken
    if (announces) this.#announce()
  }

  logMoved(lost?: Uint8Array): void {
    if (!this.#hasBegun || this.#left !== undefined) return
    if (lost !== undefined) this.#keep(lost)
    this.#rebase()
  }

  /** All of a file that began anew is this guest's. */
  #followBeginnings(): void {
    const { beginnings, isAside } = this.#file
    const count = beginnings - this.#beginnings
    if (count === 0) return
    this.#beginnings = beginnings
    const fromBefore = count === 1 ? this.#from : 0
    this.#fromAside = isAside ? fromBefore : undefined
    this.#from = 0
  }

  /** From now on what the guest says is kept in memory, too, until that is not needed any more. */
  #keep(lost: Uint8Array): void {
    // Where there is one already, it has had these bytes.
    if (!this.isRaw || this.#unwritten !== undefined) return
    const logged = lost.length === 0 ? lost : this.#logged(UNWRITTEN_BYTES)
    this.#unwritten = new Unwritten(logged, lost)
  }

  /** A raw log ends with what this guest said last: nobody else has written to it since. */
  #isInPlace(): boolean {
    const { epoch, size } = this.#file
    const ends = (this.#next - this.#baseIndex + (this.#left?.surplus ?? 0)) | 0
    return this.#baseEpoch === epoch && size === this.#baseOffset + ends
  }

  /** From here on the log is what the guest prints; what is before it may be something else. */
  #rebase(): void {
    this.#unbroken = 0
    this.#store()
  }

  #store(): void {
    const { states } = this.#services
    const { identity, size, epoch } = this.#file
    this.#baseIndex = this.#next
    this.#baseOffset = size
    this.#baseEpoch = epoch
    const index = this.isRaw ? this.#next : this.#before
    const next = this.#next
    states.store(this.#domid, this.#owner, this.isRaw, identity, index, size, next, size)
  }

  /** The guest's ring goes on somewhere else. */
  #jump(position: number): void {
    this.#left = undefined
    this.#next = this.#before = position
    this.#unwritten?.jump()
    this.#rebase()
  }

  /** @returns how many of the ring's first bytes the log holds already */
  #recognise(bytes: Uint8Array): number {
    const left = this.#left
    this.#left = undefined
    if (left === undefined) return 0
    const { surplus, surplusLines } = left
    let known = surplus
    if (surplusLines !== undefined) known = bytesOfLines(surplusLines, surplus, bytes)
    else if (this.isRaw) known = sameBytes(this.#file.path, left, bytes)
    const position = this.#next
    this.#next = (position + known) >>> 0
    // In place and true, it stays: then it is also known how far back the log goes.
    if (!this.isRaw || !left.isInPlace || known !== surplus) {
      // Between what was put aside and what follows, somebody else may have written.
      const isWhole = known === surplus && (left.isInPlace || this.#file.size === 0)
      const unbroken = isWhole ? this.#unbroken : 0
      this.#before = position
      this.#store()
      this.#unbroken = unbroken
    }
    if (surplusLines !== undefined) this.#announce()
    return known
  }

  #appendRaw(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start
    const file = this.#file
    if (this.#unwritten !== undefined) {
      if (this.#unbroken >= UNWRITTEN_BYTES) this.#unwritten = undefined
      else this.#unwritten.append(bytes, start, end)
    }
    if (file.isReady()) {
      if (!this.#isInPlace()) this.#rebase()
      else if (((this.#next - this.#baseIndex) | 0) > MAX_DISTANCE) this.#store()
      this.#unbroken = Math.min(this.#unbroken + length, MAX_UNBROKEN)
    } else {
      this.#unbroken = 0
      this.#keep(bytes.subarray(start, end))
    }
    this.#next = (this.#next + length) >>> 0
    file.append(bytes, start, end)
  }

  #appendChanged(bytes: Uint8Array, start: number, end: number): void {
    const { files, states, time, format } = this.#services
    const length = end - start
    const file = this.#file
    const index = this.#next
    const next = (index + length) >>> 0
    // What has to go out first may move the log: until then it ends before these bytes.
    const room = file.isReady() ? files.room(LineStamps.room(length)) : 0
    this.#next = next
    if (!file.isReady()) {
      file.lose(length)
      return
    }
    const into = files.arena
    let made = room
    if (this.#stamps === undefined) {
      for (let i = start; i < end; i++) into[made++] = bytes[i] as number
    } else made = this.#stamps.stamp(bytes, start, end, time.stamp(), into, made)
    if (format.replacesEscape) {
      for (let i = room; i < made; i++) if (into[i] === ESC) into[i] = DOT
    }
    const { identity, size } = file
    const sizeAfter = size + made - room
    states.store(this.#domid, this.#owner, false, identity, index, size, next, sizeAfter)
    file.appendMade(room, made)
  }

  #announce(): void {
    if (this.#stamps === undefined || !this.#file.isReady()) return
    const { files, time } = this.#services
    const room = files.room(LineStamps.room(OPENED_BYTES.length))
    this.#stamps.beginLine()
    const end = this.#stamps.stamp(
      OPENED_BYTES,
      0,
      OPENED_BYTES.length,
      time.stamp(),
      files.arena,
      room,
    )
    this.#file.appendMade(room, end)
  }
}
