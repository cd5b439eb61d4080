/**
 * Another program takes this one's place, without a moment in which anything is lost.
 *
 * ```
 * idle ── -f, -c ──► told what ── -s ──► pending: no new transaction starts
 *   ▲                    │                  │ no transaction is open any more
 *   │◄─────── -a ────────┘                  ▼
 *   │◄── -a, timeout, failure: ◄─────── state written, program exec'd
 *         a sentence, all goes on           │
 *                                           ▼ the next program reads it and answers the -s
 * ```
 */
import { closeSync, constants, openSync, rmSync, statSync, writeSync } from 'node:fs'
import type { Handover } from '../../native/handover.ts'
import type { Logger } from '../../native/os/log.ts'
import {
  CONNECTION_FD,
  CONNECTION_FRESH,
  CONNECTION_KIND,
  CONNECTION_WORDS,
  type ConnectionId,
} from '../../native/ring-set.ts'
import type { Timers } from '../connection/timers.ts'
import type { ControlRequest } from '../control/command.ts'
import { encodePacket } from '../wire/encoder.ts'
import { XS_CONTROL } from '../wire/ops.ts'
import { type DumpSource, dump, type LastWord, neededVersion } from './dump.ts'
import type { HeldRequests } from './held-requests.ts'
import { VERSION_FULL, VERSION_PLAIN } from './stream-format.ts'
import { StreamWriter } from './stream-writer.ts'
import type { Succession } from './succession.ts'

/** How often is looked whether the last transaction has ended, beside the end of each batch. */
const LOOK_EVERY_MS = 20
const KIND_SOCKET = 1
const OK_TEXT = 'OK'

/** What `-s` may say. */
export interface StartOptions {
  /** Transactions that are still open in the end are given up. */
  readonly isForced: boolean
  readonly timeoutMs: number
  /** Of the stream; undefined: the oldest that tells everything. */
  readonly version: number | undefined
}

/** What a live update reaches. */
export interface LiveUpdateTargets {
  readonly held: HeldRequests
  readonly handover: Handover
  /** Words of all connections (native/ring-set.ts). */
  readonly connections: Int32Array
  readonly succession: Succession
  readonly timers: Timers
  readonly log: Logger
  readonly store: {
    readonly openTransactions: number
    hasTransaction(connection: ConnectionId): boolean
  }
  /** Who has transactions open, in words. */
  holders(): string
  /** Sends what was said and is held back for a better moment. */
  flush(): void
  /** All that is to be written down, as it is now. */
  source(): DumpSource
  /** Sends the reply to a CONTROL request that was not answered at once. */
  answer(request: ControlRequest, text: string): void
}

interface Pending {
  readonly request: ControlRequest
  readonly options: StartOptions
  readonly untilMs: number
}

export class LiveUpdate {
  readonly #targets: LiveUpdateTargets
  #program: string | undefined
  #commandLine: string | undefined
  #isOpen = false
  #pending: Pending | undefined
  #cancelLook: (() => void) | undefined
  #isLookDue = false

  constructor(targets: LiveUpdateTargets) {
    this.#targets = targets
  }

  get isPending(): boolean {
    return this.#pending !== undefined
  }

  /** The program to become. @returns `OK`, or why not */
  useProgram(path: string): string {
    if (this.isPending) return 'a live update is pending already'
    const reason = reasonNotToRun(path)
    if (reason !== undefined) return reason
    this.#isOpen = true
    this.#program = path
    return OK_TEXT
  }

  /** Its arguments in place of ours. @returns `OK`, or why not */
  useCommandLine(text: string): string {
    if (this.isPending) return 'a live update is pending already'
    this.#isOpen = true
    this.#commandLine = text
    return OK_TEXT
  }

  /** @returns `OK`, or why not */
  abort(): string {
    if (!this.#isOpen && !this.isPending) return 'no live update has begun'
    this.#giveUp('the live update was aborted')
    return OK_TEXT
  }

  /** @returns undefined: the answer comes later; otherwise why not */
  start(request: ControlRequest, options: StartOptions): string | undefined {
    const { timers, held, store, connections } = this.#targets
    if (this.isPending) return 'a live update is pending already'
    const { version = VERSION_FULL } = options
    if (version !== VERSION_PLAIN && version !== VERSION_FULL) {
      return `version ${version} of the stream is not known; versions 1 and 2 are`
    }
    if (store.hasTransaction(request.connection)) {
      return 'this connection has a transaction open itself'
    }
    // Copied: the request at hand is an object that the next one uses again.
    const { connection, reqId, txId } = request
    const untilMs = timers.nowMs() + options.timeoutMs
    this.#pending = { request: { connection, reqId, txId }, options, untilMs }
    held.begin()
    // Replies of a socket come in order. Who shares dom0's ring tells replies by their number, and has
    // perhaps transactions to end there.
    const kind = connections[connection * CONNECTION_WORDS + CONNECTION_KIND]
    if (kind === KIND_SOCKET) held.hold(connection)
    this.#lookSoon(0)
    return undefined
  }

  /** To be called behind each batch while one is pending. */
  afterBatch(): void {
    // Not at once: what the batch has said is to go out first. And once: batch may follow on batch.
    if (!this.#isLookDue && this.#targets.store.openTransactions === 0) this.#lookSoon(0)
  }

  stop(): void {
    this.#cancelLook?.()
    this.#cancelLook = undefined
  }

  #lookSoon(ms: number): void {
    this.stop()
    this.#isLookDue = ms === 0
    this.#cancelLook = this.#targets.timers.after(ms, () => {
      this.#cancelLook = undefined
      this.#isLookDue = false
      this.#look()
    })
  }

  #look(): void {
    const { store, timers, holders } = this.#targets
    const pending = this.#pending
    if (pending === undefined) return
    const isLate = timers.nowMs() >= pending.untilMs
    if (store.openTransactions === 0 || (isLate && pending.options.isForced)) {
      this.#go(pending)
    } else if (isLate) {
      this.#giveUp(`transactions are still open: ${holders()}`)
    } else {
      this.#lookSoon(LOOK_EVERY_MS)
    }
  }

  #go({ request, options }: Pending): void {
    const { handover, succession, flush, log } = this.#targets
    try {
      flush()
      this.#writeState(lastWordTo(request), options.version)
      handover.releaseVirqs()
      log.info({ program: this.#program, file: succession.stateFile }, 'another program takes over')
      succession.become(this.#program, this.#commandLine, this.#keptOpen())
    } catch (error) {
      log.error({ err: error }, 'live update failed')
      this.#takeBack()
      this.#giveUp(error instanceof Error ? error.message : String(error))
    }
  }

  #takeBack(): void {
    const { handover, succession, log } = this.#targets
    rmSync(succession.stateFile, { force: true })
    try {
      handover.bindVirqs()
    } catch (error) {
      log.error({ err: error }, 'deaths of domains are not told any more')
    }
  }

  #writeState(lastWord: LastWord, version: number | undefined): void {
    const { succession, source } = this.#targets
    const { O_CREAT, O_EXCL, O_WRONLY } = constants
    // Whatever is there is of a try before; never follow where it leads.
    rmSync(succession.stateFile, { force: true })
    const fd = openSync(succession.stateFile, O_WRONLY | O_CREAT | O_EXCL, 0o600)
    try {
      const state = source()
      const writer = new StreamWriter((piece) => {
        for (let at = 0; at < piece.length; ) at += writeSync(fd, piece, at)
      })
      dump(state, writer, version ?? neededVersion(state), lastWord)
    } finally {
      closeSync(fd)
    }
  }

  #keptOpen(): number[] {
    const { connections, handover, succession } = this.#targets
    const { listener, events } = handover.inheritableDescriptors()
    const fds = [listener, events, succession.pidFileFd].filter((fd) => fd >= 0)
    const end = connections[CONNECTION_FRESH] as number
    for (let id = 1; id < end; id++) {
      const at = id * CONNECTION_WORDS
      if (connections[at + CONNECTION_KIND] === KIND_SOCKET) {
        fds.push(connections[at + CONNECTION_FD] as number)
      }
    }
    return fds
  }

  /** @param why for whoever waits for the start */
  #giveUp(why: string): void {
    const pending = this.#pending
    this.stop()
    this.#isOpen = false
    this.#pending = this.#program = this.#commandLine = undefined
    if (pending === undefined) return
    this.#targets.answer(pending.request, why)
    this.#targets.held.end()
  }
}

function lastWordTo({ connection, reqId, txId }: ControlRequest): LastWord {
  const bytes = encodePacket(XS_CONTROL, reqId, txId, Buffer.from(`${OK_TEXT}\0`))
  return { connection, bytes }
}

function reasonNotToRun(path: string): string | undefined {
  if (!path.startsWith('/')) return `${path} is not an absolute path`
  const facts = statSync(path, { throwIfNoEntry: false })
  if (facts === undefined) return `there is no ${path}`
  if (!facts.isFile() || (facts.mode & 0o111) === 0) return `${path} is not executable`
  return undefined
}
