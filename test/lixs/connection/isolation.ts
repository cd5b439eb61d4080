/**
 * Counts whom the daemon serves while a victim waits: from the moment at which its request is visible
 * (published and kicked) to the moment at which its reply is.
 *
 * Everything happens in one thread. The test's hand is in between wherever a reply or an event is
 * begun or ended: there guests look into their rings and put what they like, as they could at any
 * time. A reply is visible from the first such moment on at which it lies in the ring; nobody is
 * served between two of them.
 */
import { OUTPUT_EVENT, type OutputBatch } from '../../../native/ring-set.ts'
import type { RingGuest, RunningDaemon } from '../../support/a-daemon.ts'

/** Random numbers that are the same each time. */
export class Chance {
  #state: number

  constructor(seed: number) {
    this.#state = seed
  }

  /** @returns 0 … below - 1 */
  below(limit: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0
    return Math.floor((this.#state / 2 ** 32) * limit)
  }
}

/** Somebody who acts at every moment. */
export interface Actor {
  act(): void
}

export class Observer {
  /** Replies begun, per connection, since the observer came. */
  readonly served = new Map<number, number>()
  readonly actors: Actor[] = []
  /** Nobody acts before. */
  isOn = false
  #isActing = false

  constructor(daemon: RunningDaemon) {
    const { output } = daemon.rings
    const begin = output.begin.bind(output)
    const end = output.end.bind(output)
    const watched: Pick<OutputBatch, 'begin' | 'end'> = {
      begin: (connection, type, reqId, txId, flags) => {
        this.moment()
        if ((flags & OUTPUT_EVENT) === 0) {
          this.served.set(connection, (this.served.get(connection) ?? 0) + 1)
        }
        return begin(connection, type, reqId, txId, flags)
      },
      end: (len) => {
        end(len)
        this.moment()
      },
    }
    Object.assign(output, watched)
  }

  servedOf(connection: number): number {
    return this.served.get(connection) ?? 0
  }

  /** Lets everybody act. */
  moment(): void {
    if (this.#isActing || !this.isOn) return
    this.#isActing = true
    for (const actor of this.actors) actor.act()
    this.#isActing = false
  }
}

/** Fills its ring with requests and takes every reply out of it, at every moment. */
export class Flooder implements Actor {
  readonly #guest: RingGuest
  readonly #next: () => Uint8Array
  #request: Uint8Array

  /** @param next gives the request that comes next */
  constructor(guest: RingGuest, next: () => Uint8Array) {
    this.#guest = guest
    this.#next = next
    this.#request = next()
  }

  act(): void {
    this.#guest.takeAll()
    while (this.#guest.room >= this.#request.length) {
      this.#guest.put(this.#request)
      this.#request = this.#next()
    }
  }
}

/** Has one request under way at a time; counts, for each, how often each other one was served. */
export class Victim implements Actor {
  /** For each request: the most that any other connection was served meanwhile. */
  readonly most: number[] = []
  readonly #guest: RingGuest
  readonly #connection: number
  readonly #request: Uint8Array
  readonly #observer: Observer
  readonly #pause: () => number
  #before: Map<number, number> | undefined
  #momentsLeft = 0

  /** @param pause moments between a reply and the next request */
  constructor(
    observer: Observer,
    guest: RingGuest,
    connection: number,
    request: Uint8Array,
    pause: () => number,
  ) {
    this.#observer = observer
    this.#guest = guest
    this.#connection = connection
    this.#request = request
    this.#pause = pause
  }

  act(): void {
    if (this.#before !== undefined) {
      if (this.#guest.takeAll().length === 0) return
      this.most.push(this.#mostSince(this.#before))
      this.#before = undefined
      this.#momentsLeft = this.#pause()
    }
    if (this.#momentsLeft-- > 0) return
    this.#before = new Map(this.#observer.served)
    this.#guest.put(this.#request)
  }

  #mostSince(before: Map<number, number>): number {
    let most = 0
    for (const [connection, count] of this.#observer.served) {
      if (connection === this.#connection) continue
      most = Math.max(most, count - (before.get(connection) ?? 0))
    }
    return most
  }
}
