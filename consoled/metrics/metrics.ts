/**
 * What consoled tells Prometheus. Everything but the counters is looked up when somebody asks, and no
 * label names a domain: there may be ten thousand.
 */
import {
  counter,
  expositionText,
  type Family,
  gauge,
  type Sample,
} from '../../native/os/metrics/exposition.ts'
import type { Counters, Figure } from './counters.ts'

interface MetricsSources {
  readonly counters: Counters
  readonly consoles: { readonly size: number; readonly withoutConsole: number }
  readonly rings: { readonly held: number; readonly events: number }
  readonly logs: { readonly openCount: number; readonly dropped: number }
  readonly attach: { readonly viewers: number; readonly leftOutBytes: number }
  /** Undefined: nothing goes to the journal. */
  readonly journal: { readonly waitingBytes: number } | undefined
  readonly memoryUsage: () => { readonly rss: number; readonly heapUsed: number }
}

/** The page that a scrape gets. */
export function metricsText(sources: MetricsSources): string {
  const { counters, rings, memoryUsage } = sources
  const of = (name: Figure): number => counters.figure(name)
  const { rss, heapUsed } = memoryUsage()
  return expositionText([
    counter('consoled_output_bytes_total', 'Bytes that guests have printed.', of('outputBytes')),
    counter('consoled_input_bytes_total', 'Bytes that were typed.', of('inputBytes')),
    counter('consoled_drains_total', 'Times that a ring was emptied.', of('drains')),
    counter('consoled_events_total', 'Events of all channels; begins anew at 2^32.', rings.events),
    counter(
      'consoled_quiet_events_total',
      'Those that brought no output, by eights of a guest.',
      of('quietEvents'),
    ),
    counter('consoled_batches_total', 'Batches of drained rings.', of('batches')),
    counter('consoled_turns_total', 'Turns of the loop with something to do.', of('turns')),
    {
      name: 'consoled_turn_duration_seconds',
      help: 'Time from the first batch of a turn until all of its output is where it belongs.',
      type: 'histogram',
      histogram: counters.turnTime,
    },
    counter('consoled_dropped_bytes_total', 'Bytes left out, by where.', dropped(sources)),
    counter('consoled_holds_total', 'Times that a guest printed past its allowance.', of('holds')),
    counter('consoled_broken_rings_total', 'Rings that were given up.', of('brokenRings')),
    counter('consoled_connects_total', 'Rings that were connected.', of('connects')),
    ...stateFamilies(sources),
    gauge('consoled_ptys', 'Pseudo terminals that are open.', of('ptys')),
    gauge('consoled_heap_bytes', 'JavaScript heap in use.', heapUsed),
    gauge('consoled_resident_memory_bytes', 'Resident memory of the process.', rss),
  ])
}

function dropped({ counters, logs, attach }: MetricsSources): readonly Sample[] {
  return [
    { value: logs.dropped, labels: { where: 'log' } },
    { value: counters.figure('ttyDropped'), labels: { where: 'tty' } },
    { value: attach.leftOutBytes, labels: { where: 'viewer' } },
    { value: counters.figure('journalDropped'), labels: { where: 'journal' } },
    { value: counters.figure('typedDropped'), labels: { where: 'typed' } },
  ]
}

function stateFamilies({ consoles, rings, logs, attach, journal }: MetricsSources): Family[] {
  const { size, withoutConsole } = consoles
  return [
    gauge('consoled_domains', 'Domains that are there, dom0 not counted.', [
      { value: size - withoutConsole, labels: { console: 'yes' } },
      { value: withoutConsole, labels: { console: 'not_yet' } },
    ]),
    gauge('consoled_held_consoles', 'Consoles that are past their allowance now.', rings.held),
    gauge('consoled_viewers', 'Viewers that are attached.', attach.viewers),
    gauge('consoled_open_logs', 'Log files that are open.', logs.openCount),
    gauge(
      'consoled_journal_waiting_bytes',
      'Bytes that wait for the journal.',
      journal?.waitingBytes ?? 0,
    ),
  ]
}
