/**
 * What consoled has done since it began. A figure costs one addition where it happens, and none is kept
 * per guest: there may be ten thousand.
 */
import { Histogram } from '../../native/os/metrics/histogram.ts'
import type { StateMemory } from '../../native/os/state-memory.ts'

/** In the order in which they lie in memory. */
const FIGURES = [
  'turns',
  'batches',
  'drains',
  'quietEvents',
  'outputBytes',
  'inputBytes',
  'holds',
  'brokenRings',
  'connects',
  'ptys',
  'ttyDropped',
  'journalDropped',
  'typedDropped',
] as const
export type Figure = (typeof FIGURES)[number]

const TURNS = indexOf('turns')
const BATCHES = indexOf('batches')
const DRAINS = indexOf('drains')
const QUIET_EVENTS = indexOf('quietEvents')
const OUTPUT_BYTES = indexOf('outputBytes')
const INPUT_BYTES = indexOf('inputBytes')
const HOLDS = indexOf('holds')
const BROKEN_RINGS = indexOf('brokenRings')
const CONNECTS = indexOf('connects')
const PTYS = indexOf('ptys')
const TTY_DROPPED = indexOf('ttyDropped')
const JOURNAL_DROPPED = indexOf('journalDropped')
const TYPED_DROPPED = indexOf('typedDropped')

/** Seconds; a turn with one guest's line takes some ten microseconds. */
const TURN_BOUNDS = [
  10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3,
  250e-3, 1,
]
const BETWEEN_TURNS = -1

export class Counters {
  /** From the first batch of a turn of the loop until its output is in logs, terminals and viewers. */
  readonly turnTime: Histogram
  readonly #values: Float64Array
  /** When the turn at hand began. In an array: elsewhere such a number can be an object, a new one each time. */
  readonly #sinceMs = new Float64Array([BETWEEN_TURNS])

  constructor(memory: StateMemory) {
    this.#values = memory.float64('consoled.counters', FIGURES.length)
    this.turnTime = new Histogram(memory, 'consoled.turns', TURN_BOUNDS)
  }

  /** A batch came at this time. */
  batch(nowMs: number): void {
    this.#add(BATCHES, 1)
    if (this.#sinceMs[0] === BETWEEN_TURNS) this.#sinceMs[0] = nowMs
  }

  /** There is no other batch for the moment. */
  turnEnded(nowMs: number): void {
    const sinceMs = this.#sinceMs[0] as number
    if (sinceMs === BETWEEN_TURNS) return
    this.#sinceMs[0] = BETWEEN_TURNS
    this.#add(TURNS, 1)
    this.turnTime.observe((nowMs - sinceMs) / 1000, 1)
  }

  /** Output was taken out of a guest's ring. */
  output(bytes: number): void {
    this.#add(DRAINS, 1)
    this.#add(OUTPUT_BYTES, bytes)
  }

  /** A guest has notified so often and had nothing to say. */
  quietEvents(count: number): void {
    this.#add(QUIET_EVENTS, count)
  }

  /** Something was typed. */
  input(bytes: number): void {
    this.#add(INPUT_BYTES, bytes)
  }

  /** A guest is past its allowance. */
  hold(): void {
    this.#add(HOLDS, 1)
  }

  brokenRing(): void {
    this.#add(BROKEN_RINGS, 1)
  }

  connect(): void {
    this.#add(CONNECTS, 1)
  }

  /** @param count 1: a pseudo terminal was made; -1: closed */
  pty(count: number): void {
    this.#add(PTYS, count)
  }

  /** Nobody read a terminal. */
  ttyDropped(bytes: number): void {
    this.#add(TTY_DROPPED, bytes)
  }

  /** The journal did not keep up. */
  journalDropped(bytes: number): void {
    this.#add(JOURNAL_DROPPED, bytes)
  }

  /** There was no memory for what a guest did not read. */
  typedDropped(bytes: number): void {
    this.#add(TYPED_DROPPED, bytes)
  }

  figure(name: Figure): number {
    return this.#values[indexOf(name)] as number
  }

  #add(index: number, count: number): void {
    this.#values[index] = (this.#values[index] as number) + count
  }
}

function indexOf(name: Figure): number {
  return FIGURES.indexOf(name)
}
