/**
 * What can be set for one domain: its limits and the features that it is offered. Possible as soon
 * as Xen knows the domain, before anybody introduces it.
 */
import type { Domid } from '../../native/hypervisor.ts'
import { LIMIT } from './domain-limits.ts'
import type { DomainRecords } from './domains.ts'
import { type MemoryWatcher, SCARCE_BYTES } from './memory-watcher.ts'
import { isDomid } from './perms.ts'
import type { Quotas } from './quota.ts'

export class DomainSettings {
  readonly #domains: DomainRecords
  readonly #domainExists: (domid: Domid) => boolean

  /** @param domainExists asked for a domain without record: does Xen know it? */
  constructor(domains: DomainRecords, domainExists: (domid: Domid) => boolean) {
    this.#domains = domains
    this.#domainExists = domainExists
  }

  /** Is there such a domain? One that Xen knows gets a record; the others here are for such only. */
  exists(domid: number): domid is Domid {
    if (!isDomid(domid)) return false
    if (this.#domains.incarnationOf(domid) !== 0) return true
    if (!this.#domainExists(domid)) return false
    this.#domains.ensure(domid)
    return true
  }

  /** FEATURE_… bits. */
  featuresOf(domid: Domid): number {
    return this.#domains.featuresOf(domid)
  }

  setFeatures(domid: Domid, features: number): void {
    this.#domains.setFeatures(domid, features)
  }

  /** 0 = unlimited. */
  quotaOf(domid: Domid, key: keyof Quotas): number {
    return this.#domains.limits.of(domid, LIMIT[key])
  }

  /** Does it use more than it is only warned of? */
  exceedsSoftMemory(domid: Domid): boolean {
    const limit = this.#domains.limits.of(domid, LIMIT.memorySoft)
    if (limit === 0 || this.#domains.memoryOf(domid) + SCARCE_BYTES < limit) return false
    return this.#domains.chargedTo(domid) > limit
  }

  /** How many bytes may wait for a domain to take them; below 0: it uses too much already. */
  memoryRoomOf(domid: Domid): number {
    return this.#domains.memoryRoomOf(domid)
  }

  /** Who acts when the memory of domains is used up. */
  watchMemory(watcher: MemoryWatcher): void {
    this.#domains.watcher = watcher
  }

  /** For this domain alone. @param value below 2^32; 0 = unlimited */
  setQuota(domid: Domid, key: keyof Quotas, value: number): void {
    this.#domains.limits.set(domid, key, value)
  }

  /** Gives a quota as it is now to all domains that have no limit of their own. */
  spreadQuota(key: keyof Quotas): void {
    this.#domains.limits.follow(0, key)
    for (const domid of this.#domains.known()) this.#domains.limits.follow(domid, key)
  }
}
