/**
 * What lixs has done since its store was made. Each figure costs one addition where it happens; the
 * figures lie in the state memory, so that a successor counts on.
 */
import type { StateMemory } from '../native/os/state-memory.ts'

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
] as const
type Figure = (typeof FIGURES)[number]

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

export class Counters {
  readonly #values: Float64Array

  constructor(memory: StateMemory) {
    this.#values = memory.float64('lixs.counters', FIGURES.length)
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

  reply(kind: number, domid: number): void {
    this.#add(REPLIES + (kind === RING && domid === 0 ? DOM0_RING : kind), 1)
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
