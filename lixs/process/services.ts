import type { Control } from '../control/control.ts'
import type { ParsedPath } from '../store/path.ts'
import type { Quotas } from '../store/quota.ts'
import type { EventSink, Store } from '../store/store.ts'
import type { Domains } from './domains.ts'

/** What the handlers of requests work on. */
export interface Services {
  readonly store: Store
  /** Where the first event of a watch goes. */
  readonly events: EventSink
  readonly domains: Domains
  readonly control: Control
  readonly quotas: Quotas
  /** The path of the request at hand; filled again by each. */
  readonly path: ParsedPath
}
