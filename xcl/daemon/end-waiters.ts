/** Who waits for the end of which domain. */
import type { Domid } from '../../native/hypervisor.ts'

export class EndWaiters {
  /** By number, then by uuid: the next domain with the number is another one. */
  readonly #calls = new Map<Domid, Map<string, Set<() => void>>>()

  /** How many wait. */
  get count(): number {
    let count = 0
    for (const byUuid of this.#calls.values()) {
      for (const calls of byUuid.values()) count += calls.size
    }
    return count
  }

  /** Numbers of the domains that somebody waits for. */
  domids(): Domid[] {
    return [...this.#calls.keys()]
  }

  /** The domains of that number that somebody waits for. */
  uuidsOf(domid: Domid): string[] {
    return [...(this.#calls.get(domid)?.keys() ?? [])]
  }

  /** Calls once, when the end is told. @returns takes it back */
  add(domid: Domid, uuid: string, call: () => void): () => void {
    const byUuid = this.#calls.get(domid) ?? new Map<string, Set<() => void>>()
    const calls = byUuid.get(uuid) ?? new Set()
    this.#calls.set(domid, byUuid)
    byUuid.set(uuid, calls)
    calls.add(call)
    return () => {
      calls.delete(call)
      if (calls.size === 0 && this.#calls.get(domid)?.get(uuid) === calls) this.#drop(domid, uuid)
    }
  }

  /** The domain has ended. */
  tell(domid: Domid, uuid: string): void {
    const calls = this.#calls.get(domid)?.get(uuid) ?? []
    this.#drop(domid, uuid)
    for (const call of calls) call()
  }

  #drop(domid: Domid, uuid: string): void {
    const byUuid = this.#calls.get(domid)
    byUuid?.delete(uuid)
    if (byUuid?.size === 0) this.#calls.delete(domid)
  }
}
