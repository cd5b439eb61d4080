import { DOM0 } from '../../native/hypervisor.ts'
import type { Logger } from '../../native/os/log.ts'
import type { RingSet } from '../../native/ring-set.ts'
import type { Timers } from '../connection/timers.ts'
import type { ControlRequest } from '../control/command.ts'
import type { Counters } from '../counters.ts'
import type { Domains } from '../process/domains.ts'
import type { Quotas } from '../store/quota.ts'
import type { Store } from '../store/store.ts'
import { XS_CONTROL } from '../wire/ops.ts'
import { nulTerminated } from '../wire/text.ts'
import type { HeldRequests } from './held-requests.ts'
import { LiveUpdate } from './live-update.ts'
import { type QuotaValues, STREAM_QUOTAS } from './quota-records.ts'
import type { Succession } from './succession.ts'

/** What of a daemon a live update needs. */
export interface LiveUpdateParts {
  readonly rings: RingSet
  readonly quotas: Quotas
  /** As the command line has them. */
  readonly givenQuotas: Readonly<Quotas>
  readonly timers: Timers
  readonly log: Logger
  readonly succession: Succession | undefined
  readonly store: Store
  readonly domains: Domains
  readonly counters: Counters
  readonly held: HeldRequests
}

/** @returns undefined where no other program can take over */
export function liveUpdateOf(parts: LiveUpdateParts): LiveUpdate | undefined {
  const { rings, quotas, givenQuotas, timers, store, domains, counters, held, succession } = parts
  const { handover, connections } = rings
  if (handover === undefined || succession === undefined) return undefined
  return new LiveUpdate({
    held,
    handover,
    connections,
    succession,
    timers,
    log: parts.log.child({ subsystem: 'live-update' }),
    store,
    flush: () => rings.flush(),
    holders: () => holdersIn(store),
    answer: (request, text) => answer(rings, request, text),
    source: () => ({
      store: store.snapshot(),
      connections,
      handover,
      quotas,
      changedQuotas: changes(givenQuotas, quotas),
      counters: counters.figures(),
      pidFileFd: succession.pidFileFd,
      stoppedAtMs: Number(process.hrtime.bigint()) / 1e6,
      uuidOf: (domid) => domains.uuidOf(domid),
    }),
  })
}

function changes(before: Readonly<Quotas>, now: Readonly<Quotas>): QuotaValues {
  const changed = new Map<keyof Quotas, number>()
  for (const [, key] of STREAM_QUOTAS) if (now[key] !== before[key]) changed.set(key, now[key])
  return changed
}

/** `domain 5 (2), domain 0 (1)` */
function holdersIn(store: Store): string {
  return [DOM0, ...store.knownDomains()]
    .map((domid) => ({ domid, count: store.accounts.usageOf(domid).transactions }))
    .filter(({ count }) => count > 0)
    .map(({ domid, count }) => `domain ${domid} (${count})`)
    .join(', ')
}

function answer(rings: RingSet, request: ControlRequest, text: string): void {
  const { output } = rings
  const payload = nulTerminated(text)
  const at = output.begin(request.connection, XS_CONTROL, request.reqId, request.txId, 0)
  output.bytes.set(payload, at)
  output.end(payload.length)
  rings.flush()
}
