import type { DomainControl } from '../../native/hypervisor.ts'
import { NoRoom } from '../output/errors.ts'

/** What a guest wants is nothing to ask about while there is so many times more. */
const PLENTY = 8

/**
 * Whether there is memory for a guest: Xen itself would find out page by page, which takes seconds.
 *
 * Xen is asked only when it may be getting short of it. Until then an estimate does, which is too low
 * where guests have ended; and where others have taken memory, Xen's own refusal comes later.
 */
export class FreeMemory {
  readonly #domains: Pick<DomainControl, 'host'>
  /** What Xen had when it was asked, less what guests have wanted since. */
  #leftKiB = 0

  constructor(domains: Pick<DomainControl, 'host'>) {
    this.#domains = domains
  }

  /** @throws NoRoom; XenError when Xen does not say */
  check(name: string, memoryKiB: number): void {
    if (this.#leftKiB < memoryKiB * PLENTY) this.#leftKiB = this.#domains.host().freeMemoryKiB
    if (memoryKiB > this.#leftKiB) {
      const [wanted, left] = [memoryKiB, this.#leftKiB].map((KiB) => Math.floor(KiB / 1024))
      throw new NoRoom(`${name} is to have ${wanted} MiB of memory, and Xen has ${left} MiB left`)
    }
    this.#leftKiB -= memoryKiB
  }
}
