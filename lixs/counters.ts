/**
 * What lixs has done since its store was made. Each figure costs one addition where it happens; the
 * figures lie in the state memory, so that a successor counts on.
 */
import type { StateMemory } from '../native/os/state-memory.ts'

/** In the order in which they lie in memory; requests and replies by the kind of their connection. */
const FIGURES = [
  'batches',
  'batchBytes',
  'socketRequests',
  'ringRequests',
  'socketReplies',
  'ringReplies',
  'events',
  'eventsDropped',
  'introductions',
  'removals',
  'listings',
] as const
type Figure = (typeof FIGURES)[number]

const BATCHES = indexOf('batches')
const BATCH_BYTES = indexOf('batchBytes')
/** CONNECTION_KIND is 1 for a socket, 2 for a ring. */
const REQUESTS = indexOf('socketRequests') - 1
const REPLIES = indexOf('socketReplies') - 1
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

  /** @param kind CONNECTION_KIND of who asks */
  request(kind: number): void {
    this.#add(REQUESTS + kind, 1)
  }

  reply(kind: number): void {
    this.#add(REPLIES + kind, 1)
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
