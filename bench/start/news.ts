/** What the simulated machine makes known of its guests, handed to whom it concerns. */
import type { Simulator } from '../../native/simulator/control.ts'
import { Counter } from './counter.ts'
import type { Guests } from './guests.ts'

export class News {
  /** Front ends that are Connected, by kind. */
  readonly connected: Readonly<Record<'vif' | 'vbd', Counter>> = {
    vif: new Counter(),
    vbd: new Counter(),
  }
  /** A guest saw a daemon break a protocol, or shut down though nobody had asked it to. */
  readonly troubles: string[] = []
  readonly #rows: Guests[] = []
  readonly #goneHandlers = new Set<(domid: number) => void>()
  /** Domains that are meant to shut down. */
  #areDeathsExpected = false

  /** Settles when nothing is missed any more. */
  listen(simulator: Pick<Simulator, 'onNews'>): Promise<void> {
    return simulator.onNews((words) => this.#take(words))
  }

  follow(guests: Guests): void {
    this.#rows.push(guests)
  }

  /** From now on, guests that shut down are no trouble. */
  expectDeaths(): void {
    this.#areDeathsExpected = true
  }

  /** @returns ends it */
  onGone(handle: (domid: number) => void): () => void {
    this.#goneHandlers.add(handle)
    return () => this.#goneHandlers.delete(handle)
  }

  #take(words: readonly string[]): void {
    const [what, domid = '', first = '', second = '', third = ''] = words
    switch (what) {
      case 'ready':
        for (const guests of this.#rows) guests.isReady(first, second, Number(third))
        return
      case 'connected':
        if (first === 'vif' || first === 'vbd') this.connected[first].add()
        return
      case 'shutdown':
        if (this.#areDeathsExpected) return
        this.troubles.push(`domain ${domid} shut down by itself (${first})`)
        return
      case 'broken':
        this.troubles.push(`domain ${domid}: ${words.slice(2).join(' ')}`)
        return
      case 'gone':
        for (const handle of this.#goneHandlers) handle(Number(domid))
        return
    }
  }
}
