/**
 * What lixs has done since its store was made. Each figure costs one addition where it happens; the
 * figures lie in the state memory, so that a successor counts on.
 */

import { Histogram } from '../native/os/metrics/histogram.ts'
import type { StateMemory } from '../native/os/state-memory.ts'
import { OP_COUNT } from './wire/ops.ts'
import { RESULTS } from './xs-errno.ts'

/** In the order in which they lie in memory; requests and replies by who asks. */
const FIGURES = [
  'batches',
  'batchBytes',
  'socketRequests',
  'ringRequests',
  'dom0RingRequests',
  'socketReplies',
  'ringReplies',
  'dom0RingReplies',
  'events',
  'eventsDropped',
  'introductions',
  'removals',
  'listings',
  'eventsExpired',
  'brokenRings',
  'commits',
  'conflicts',
  'quotaWarnings',
  'requestsDeferred',
] as const
type Figure = (typeof FIGURES)[number]
const NAMES: readonly string[] = FIGURES

const BATCHES = indexOf('batches')
const BATCH_BYTES = indexOf('batchBytes')
/** CONNECTION_KIND is 1 for a socket, 2 for a ring; dom0's own ring is a kind apart. */
const REQUESTS = indexOf('socketRequests') - 1
const REPLIES = indexOf('socketReplies') - 1
const RING = 2
const DOM0_RING = 3
const EVENTS = indexOf('events')
const EVENTS_DROPPED = indexOf('eventsDropped')
const INTRODUCTIONS = indexOf('introductions')
const REMOVALS = indexOf('removals')
const LISTINGS = indexOf('listings')
const EVENTS_EXPIRED = indexOf('eventsExpired')
const BROKEN_RINGS = indexOf('brokenRings')
const COMMITS = indexOf('commits')
const CONFLICTS = indexOf('conflicts')
const QUOTA_WARNINGS = indexOf('quotaWarnings')
const REQUESTS_DEFERRED = indexOf('requestsDeferred')

/** Seconds; a batch of one request takes some ten microseconds. */
const LATENCY_BOUNDS = [
  25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 1,
]
const BATCH_BOUNDS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
/** Numbers that no operation has are counted together, behind those that one has. */
const OTHER_OPS = OP_COUNT
const RESULT_OK = RESULTS.indexOf('OK')
const RESULT_EAGAIN = RESULTS.indexOf('EAGAIN')

export class Counters {
  /** From the arrival of a batch until its replies are out, or wait for others, once for each of its requests. */
  readonly latency: Histogram
  /** Requests in a batch; batches without any are not counted. */
  readonly batchRequests: Histogram
  readonly #values: Float64Array
  /** Per operation, per result. */
  readonly #results: Float64Array
  #answered = 0
  /** When the batch at hand came. In an array: elsewhere such a number can be an object, a new one each time. */
  readonly #sinceMs = new Float64Array(1)

  constructor(memory: StateMemory) {
    this.#values = memory.float64('lixs.counters', FIGURES.length)
    this.#results = memory.float64('lixs.results', (OP_COUNT + 1) * RESULTS.length)
    this.latency = new Histogram(memory, 'lixs.latency', LATENCY_BOUNDS)
    this.batchRequests = new Histogram(memory, 'lixs.batch-requests', BATCH_BOUNDS)
  }

  /** @param bytes of all its records, headers included */
  batch(bytes: number): void {
    this.#add(BATCHES, 1)
    this.#add(BATCH_BYTES, bytes)
  }

  /**
   * @param kind CONNECTION_KIND of who asks
   * @param domid of who asks
   */
  request(kind: number, domid: number): void {
    this.#add(REQUESTS + (kind === RING && domid === 0 ? DOM0_RING : kind), 1)
  }

  /**
   * @param type number of the operation, as it was asked for
   * @param result index in RESULTS
   */
  reply(kind: number, domid: number, type: number, result: number): void {
    this.#add(REPLIES + (kind === RING && domid === 0 ? DOM0_RING : kind), 1)
    const op = type >= 0 && type < OP_COUNT ? type : OTHER_OPS
    const at = op * RESULTS.length + result
    this.#results[at] = (this.#results[at] as number) + 1
    this.#answered++
  }

  /**
   * So late it is when a batch comes, and when the last one of a turn is done: what was answered since has
   * taken so long.
   */
  time(nowMs: number): void {
    const seconds = (nowMs - (this.#sinceMs[0] as number)) / 1000
    this.#sinceMs[0] = nowMs
    if (this.#answered === 0) return
    this.latency.observe(seconds, this.#answered)
    this.batchRequests.observe(this.#answered, 1)
    this.#answered = 0
  }

  event(): void {
    this.#add(EVENTS, 1)
  }

  /** Too many wait for the connection, or it is too long. */
  eventDropped(): void {
    this.#add(EVENTS_DROPPED, 1)
  }

  introduction(): void {
    this.#add(INTRODUCTIONS, 1)
  }

  /** A domain went: died, or was released. */
  removal(): void {
    this.#add(REMOVALS, 1)
  }

  /** All domains were listed. */
  listing(): void {
    this.#add(LISTINGS, 1)
  }

  /** Nobody took them in time. */
  eventsExpired(count: number): void {
    this.#add(EVENTS_EXPIRED, count)
  }

  /** A guest broke the protocol of its ring. */
  brokenRing(): void {
    this.#add(BROKEN_RINGS, 1)
  }

  /** A transaction was to be committed. @param result index in RESULTS */
  commit(result: number): void {
    if (result === RESULT_OK) this.#add(COMMITS, 1)
    else if (result === RESULT_EAGAIN) this.#add(CONFLICTS, 1)
  }

  /** A domain uses more than it is only warned of. */
  quotaWarning(): void {
    this.#add(QUOTA_WARNINGS, 1)
  }

  /** A request has to wait, since it would spoil somebody's transaction. */
  deferral(): void {
    this.#add(REQUESTS_DEFERRED, 1)
  }

  /** Replies per operation and result: those that there were. @param type OP_COUNT: unknown ones */
  *replies(): IterableIterator<{ type: number; result: number; count: number }> {
    for (const [at, count] of this.#results.entries()) {
      if (count === 0) continue
      yield { type: Math.floor(at / RESULTS.length), result: at % RESULTS.length, count }
    }
  }

  /** Counts on from what another daemon had; names that are none are passed over. */
  restore(figures: readonly (readonly [string, number])[]): void {
    for (const [name, value] of figures) {
      const index = NAMES.indexOf(name)
      if (index >= 0) this.#values[index] = value
    }
  }

  /** All of them by name. */
  figures(): readonly (readonly [Figure, number])[] {
    return FIGURES.map((name, index) => [name, this.#values[index] as number])
  }

  #add(index: number, count: number): void {
    this.#values[index] = (this.#values[index] as number) + count
  }
}

function indexOf(name: Figure): number {
  return FIGURES.indexOf(name)
}
