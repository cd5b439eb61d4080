import type { Socket } from 'node:net'
import type { Clock } from '../clock.ts'
import type { GuestConsole } from '../console.ts'
import type { ConsoleViewer } from './audience.ts'
import { DEFAULT_TAIL_BYTES } from './client.ts'
import type { AttachTerms } from './request.ts'

/** How long a viewer that stands still may keep its socket after the console has vanished. */
const LAST_WORDS_MS = 60_000
const LF = 0x0a

/** What a viewer needs of the server it came to. */
export interface ViewerHost {
  readonly clock: Clock
  /** Bytes that a viewer never got. */
  readonly leftOut: (count: number) => void
}

/**
 * One attached client. It never holds up the guest or another viewer, and nothing is kept for it: while
 * its socket is full only its position is known, and when there is room it is shown the console's output
 * from there, as long as that is known.
 */
export class Viewer implements ConsoleViewer {
  readonly writes: 'shared' | 'exclusive' | undefined
  readonly by: string
  readonly #socket: Socket
  readonly #console: GuestConsole
  readonly #host: ViewerHost
  readonly #isExact: boolean
  /** Of the next byte that it gets (GuestConsole.said). */
  #count: number
  #isBehind = false
  #isEnding = false
  /** It is to come back on another connection. */
  #isAway = false
  /** Read from the socket and not taken by the guest: no more is read, so it is one read's worth. */
  #untaken: Buffer | undefined

  /** Answers the request and shows the console from now on. */
  constructor(socket: Socket, console: GuestConsole, terms: AttachTerms, host: ViewerHost) {
    this.#socket = socket
    this.#console = console
    this.#host = host
    this.#isExact = terms.isExact
    this.writes = terms.writes === 'no' ? undefined : terms.writes
    this.by = terms.by ?? 'somebody'
    const { from, tailBytes } = terms
    const begin = from === undefined ? undefined : beginAgain(console, from, tailBytes)
    const first = begin?.first ?? wholeLines(console, tailBytes)
    const leftOut = begin?.leftOut === undefined ? '' : ` ${begin.leftOut}`
    this.#count = begin?.count ?? console.said
    const shown = this.#count - first.length
    const position = (console.position - (console.said - shown)) >>> 0
    const answer = Buffer.from(`ok ${position}${leftOut}\n`)
    // One system call for most of those who come.
    this.#isBehind = !socket.write(Buffer.concat([answer, first]))
    socket.on('drain', () => this.#catchUp())
    socket.on('close', () => console.removeViewer(this))
    socket.on('data', (bytes: Buffer) => {
      if (this.writes === undefined || this.#isAway) return
      this.#type(this.#untaken === undefined ? bytes : Buffer.concat([this.#untaken, bytes]))
    })
    console.addViewer(this)
    if (first.length === 0) this.#catchUp()
  }

  get isBehind(): boolean {
    return this.#isBehind
  }

  show(bytes: Buffer): void {
    // consoled was killed when it had shown this and not yet taken it from the ring.
    const known = this.#count - (this.#console.said - bytes.length)
    if (known < bytes.length) this.#write(known <= 0 ? bytes : bytes.subarray(known))
  }

  loseCount(): void {
    if (this.#isExact) this.#comeBack()
    else this.#count = Math.min(this.#count, this.#console.said)
  }

  resumeTyping(): void {
    const untaken = this.#untaken
    this.#untaken = undefined
    if (untaken !== undefined) this.#type(untaken)
    if (this.#untaken === undefined) this.#socket.resume()
  }

  end(): void {
    this.#isEnding = true
    if (this.#isBehind) this.#endInTime()
    else this.#socket.destroySoon()
  }

  #endInTime(): void {
    const callOff = this.#host.clock.after(LAST_WORDS_MS, () => this.#socket.destroy())
    this.#socket.on('close', callOff)
  }

  #type(bytes: Buffer): void {
    const taken = this.#console.type(bytes)
    this.#untaken = taken < bytes.length ? bytes.subarray(taken) : undefined
    // Not put back into the socket: while nothing lies there, it is seen when the other end goes.
    if (this.#untaken !== undefined) this.#socket.pause()
  }

  /** The socket has room again. */
  #catchUp(): void {
    this.#isBehind = false
    while (this.#count < this.#console.said) {
      const missed = this.#console.outputFrom(this.#count)
      if (missed !== undefined && missed.length > 0) this.#write(missed)
      else if (this.#isExact) this.#comeBack()
      else this.#leaveOut()
      if (this.#isBehind) return
    }
    if (this.#isEnding) this.#socket.destroySoon()
  }

  /** It comes back and asks for what is left. */
  #comeBack(): void {
    this.#isBehind = true
    this.#isAway = true
    this.#console.removeViewer(this)
    this.#socket.destroySoon()
    this.#endInTime()
  }

  #leaveOut(): void {
    const missed = this.#console.said - this.#count
    const recent = lastOf(this.#console, missed)
    const dropped = missed - recent.length
    this.#host.leftOut(dropped)
    // A log that others write to as well, or that had no room, has the length and not the bytes.
    const what = dropped > 0 ? `${dropped} bytes left out` : 'what follows may not be all'
    this.#socket.write(`\r\n[consoled: ${what}, this reader was too slow]\r\n`)
    this.#count = this.#console.said - recent.length
    this.#write(recent)
  }

  #write(bytes: Buffer): void {
    this.#count += bytes.length
    this.#isBehind = !this.#socket.write(bytes)
  }
}

interface Begin {
  /** Of the byte after `first`. */
  readonly count: number
  readonly first: Buffer
  /** Bytes; `?`: nobody knows; undefined: none. */
  readonly leftOut: number | '?' | undefined
}

/** How somebody goes on who was there before, up to this position. */
function beginAgain(console: GuestConsole, position: number, tailBytes: number): Begin {
  const count = console.countAt(position)
  if (count === undefined) {
    return { count: console.said, first: wholeLines(console, tailBytes), leftOut: '?' }
  }
  const isKnown = count >= console.said || console.outputFrom(count) !== undefined
  if (isKnown) return { count, first: Buffer.alloc(0), leftOut: undefined }
  const missed = console.said - count
  const first = lastOf(console, missed)
  const leftOut = missed - first.length
  // As long as what was missed, but not known to be that: two guests of one name write to one log.
  return { count: console.said, first, leftOut: leftOut > 0 ? leftOut : '?' }
}

/** What somebody missed, or the last of it. */
function lastOf(console: GuestConsole, missed: number): Buffer {
  const most = Math.min(missed, DEFAULT_TAIL_BYTES)
  const recent = console.recentOutput(most)
  return recent.length === missed ? recent : fromWholeLine(recent, most)
}

/** The last output; when something is before it, from the beginning of a line. */
function wholeLines(console: GuestConsole, maxBytes: number): Buffer {
  return fromWholeLine(console.recentOutput(maxBytes), maxBytes)
}

/** @param maxBytes asked for: when it has come to as many, something may be before it */
function fromWholeLine(recent: Buffer, maxBytes: number): Buffer {
  return recent.length < maxBytes ? recent : recent.subarray(recent.indexOf(LF) + 1)
}
