/**
 * What lixs tells Prometheus. Nothing is kept for it beside the counters: everything else is looked
 * up when somebody asks. No label names a domain: there may be ten thousand.
 */

import {
  counter,
  expositionText,
  type Family,
  gauge,
  type Sample,
} from '../../native/os/metrics/exposition.ts'
import {
  CONNECTION_KIND,
  CONNECTION_QUEUED_BYTES,
  CONNECTION_QUEUED_EVENTS,
  CONNECTION_QUEUED_REPLIES,
  CONNECTION_WORDS,
} from '../../native/ring-set.ts'
import type { Counters } from '../counters.ts'
import type { Store } from '../store/store.ts'
import { OP_COUNT, opName } from '../wire/ops.ts'
import { RESULTS } from '../xs-errno.ts'

interface MetricsSources {
  readonly counters: Counters
  readonly store: Pick<Store, 'accounts'>
  readonly domains: { readonly count: number }
  /** `highest`: number behind the largest one of a connection that there was. */
  readonly connections: { readonly highest: number }
  readonly rings: { readonly connections: Int32Array }
  readonly memoryUsage: () => { readonly rss: number; readonly heapUsed: number }
}

const SOCKET = 1
const RING = 2

/** The page that a scrape gets. */
export function metricsText(sources: MetricsSources): string {
  return expositionText([
    ...requestFamilies(sources.counters),
    ...connectionFamilies(sources),
    ...storeFamilies(sources),
    ...domainFamilies(sources),
    ...memoryFamilies(sources),
  ])
}

function requestFamilies(counters: Counters): Family[] {
  const figures = new Map(counters.figures())
  const of = (...names: Parameters<typeof figures.get>[0][]): number =>
    names.reduce((sum, name) => sum + (figures.get(name) ?? 0), 0)
  const replies = [...counters.replies()].map(
    ({ type, result, count }): Sample => ({
      value: count,
      labels: { op: type < OP_COUNT ? opName(type) : 'other', result: RESULTS[result] ?? '' },
    }),
  )
  return [
    counter('lixs_requests_total', 'Requests that were answered.', replies),
    counter('lixs_requests_received_total', 'Requests by who sent them.', [
      { value: of('socketRequests'), labels: { from: 'socket' } },
      { value: of('ringRequests'), labels: { from: 'guest' } },
      { value: of('dom0RingRequests'), labels: { from: 'dom0' } },
    ]),
    {
      name: 'lixs_request_duration_seconds',
      help: 'Time from the arrival of a batch until all its replies are made, for each request of it.',
      type: 'histogram',
      histogram: counters.latency,
    },
    {
      name: 'lixs_batch_requests',
      help: 'Requests that were handled together.',
      type: 'histogram',
      histogram: counters.batchRequests,
    },
    counter('lixs_batches_total', 'Wake-ups with something to do.', of('batches')),
    counter('lixs_batch_bytes_total', 'Bytes that came in, with headers.', of('batchBytes')),
    counter('lixs_events_total', 'Watch events by what became of them.', [
      { value: of('events'), labels: { outcome: 'queued' } },
      { value: of('eventsDropped'), labels: { outcome: 'dropped' } },
      { value: of('eventsExpired'), labels: { outcome: 'expired' } },
    ]),
    counter('lixs_transactions_total', 'Transactions that were to be committed.', [
      { value: of('commits'), labels: { outcome: 'committed' } },
      { value: of('conflicts'), labels: { outcome: 'conflict' } },
    ]),
    counter(
      'lixs_requests_deferred_total',
      'Requests that had to wait because they would have spoilt a transaction.',
      of('requestsDeferred'),
    ),
    counter('lixs_broken_rings_total', 'Guests that broke the ring protocol.', of('brokenRings')),
    counter(
      'lixs_quota_warnings_total',
      'Domains that were warned of because of a soft quota.',
      of('quotaWarnings'),
    ),
    counter('lixs_domain_introductions_total', 'Domains introduced.', of('introductions')),
    counter('lixs_domain_removals_total', 'Domains that died or were released.', of('removals')),
    counter('lixs_domain_listings_total', 'Listings of all domains.', of('listings')),
  ]
}

function connectionFamilies({ rings, connections }: MetricsSources): Family[] {
  const words = rings.connections
  const kinds = [0, 0, 0]
  let bytes = 0
  let events = 0
  let replies = 0
  for (let at = 0; at < connections.highest * CONNECTION_WORDS; at += CONNECTION_WORDS) {
    const kind = words[at + CONNECTION_KIND] ?? 0
    if (kind === 0) continue
    kinds[kind] = (kinds[kind] ?? 0) + 1
    bytes += words[at + CONNECTION_QUEUED_BYTES] ?? 0
    events += words[at + CONNECTION_QUEUED_EVENTS] ?? 0
    replies += words[at + CONNECTION_QUEUED_REPLIES] ?? 0
  }
  return [
    gauge('lixs_connections', 'Connections that are served.', [
      { value: kinds[SOCKET] ?? 0, labels: { kind: 'socket' } },
      { value: kinds[RING] ?? 0, labels: { kind: 'ring' } },
    ]),
    gauge('lixs_queued_bytes', 'Bytes that wait for connections to take them.', bytes),
    gauge('lixs_queued_messages', 'Messages that wait for connections to take them.', [
      { value: replies, labels: { kind: 'reply' } },
      { value: events, labels: { kind: 'event' } },
    ]),
  ]
}

function storeFamilies({ store }: MetricsSources): Family[] {
  const { nodes, watches, transactions, accessRecords, permLists } = store.accounts.held()
  return [
    gauge('lixs_nodes', 'Nodes, and rows of nodes that are waited for.', nodes),
    gauge('lixs_watches', 'Watches.', watches),
    gauge('lixs_transactions', 'Open transactions.', transactions),
    gauge('lixs_access_records', 'Nodes that open transactions have touched.', accessRecords),
    gauge('lixs_permission_lists', 'Different permission lists.', permLists),
  ]
}

function domainFamilies({ domains }: MetricsSources): Family[] {
  return [gauge('lixs_domains', 'Domains that are served, dom0 not counted.', domains.count)]
}

function memoryFamilies({ store, memoryUsage }: MetricsSources): Family[] {
  const { rss, heapUsed } = memoryUsage()
  const tables = store.accounts.tableUses().map(
    ({ name, bytes }): Sample => ({
      value: bytes,
      labels: { table: name.replaceAll(' ', '_') },
    }),
  )
  return [
    gauge('lixs_state_memory_bytes', 'Memory that the tables of the store have touched.', tables),
    gauge('lixs_heap_bytes', 'JavaScript heap in use.', heapUsed),
    gauge('lixs_resident_memory_bytes', 'Resident memory of the process.', rss),
  ]
}
