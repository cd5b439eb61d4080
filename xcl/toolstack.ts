import type { Logger } from 'pino'
import type { Hypervisor } from '../native/hypervisor.ts'
import type { Journal } from './daemon/journal.ts'
import type { LifeCycle } from './daemon/life-cycle.ts'
import type { DomainNames } from './daemon/names.ts'
import type { Remains } from './daemon/remains.ts'
import type { Restarts } from './daemon/restarts.ts'
import type { StoreLink } from './daemon/store-link.ts'
import type { Backends } from './device/backends.ts'
import type { DeviceClaims } from './device/claims.ts'
import type { FreeMemory } from './domain/free-memory.ts'

/** What every command works on: one per xcld. */
export interface Toolstack {
  readonly hypervisor: Pick<Hypervisor, 'domains' | 'builder' | 'devices'>
  readonly store: Pick<StoreLink, 'client'>
  readonly names: DomainNames
  readonly backends: Backends
  readonly claims: DeviceClaims
  readonly freeMemory: FreeMemory
  readonly journal: Journal
  readonly lifeCycle: LifeCycle
  readonly remains: Remains
  readonly restarts: Restarts
  readonly log: Logger
  /** ms, monotonic. */
  readonly clock: () => number
  /** ms since 1970. */
  readonly wallClock: () => number
  /** Calls back after ms. @returns a function that calls it off */
  readonly after: (ms: number, call: () => void) => () => void
  readonly consoledSocket: string
  /** Where a console daemon logs that does not say where. */
  readonly consoleLogDir: string
}
