import { closeSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Logger } from '../../native/os/log.ts'
import type { Counters } from '../counters.ts'
import type { Accounts } from '../store/accounts.ts'
import type { Trace } from '../trace.ts'
import { openAppending } from '../trace-file.ts'
import {
  type ControlAnswer,
  type ControlCommand,
  INVALID,
  LIB_DIR,
  linesAnswer,
  OK_ANSWER,
} from './command.ts'

interface ReportTargets {
  readonly store: { readonly accounts: Pick<Accounts, 'held' | 'tableUses' | 'check'> }
  readonly counters: Counters
  readonly connections: { readonly count: number }
  readonly domains: { readonly count: number }
  readonly trace: Trace
  readonly log: Logger
  readonly memoryUsage: () => NodeJS.MemoryUsage
}

/** An answer has to fit into one message; the log has all that was found. */
const ANSWER_BYTES_MAX = 3500

/** What the daemon did and holds, and whether it is in order. */
export function reportCommands(targets: ReportTargets): readonly ControlCommand[] {
  return [
    { name: 'check', parameters: '', run: (words) => check(targets, words) },
    { name: 'memreport', parameters: '[<file>]', run: (words) => memreport(targets, words) },
    { name: 'stats', parameters: '', run: (words) => stats(targets, words) },
  ]
}

/** Nobody else is served meanwhile: about a second for half a million nodes. */
function check({ store, log }: ReportTargets, words: readonly string[]): ControlAnswer {
  if (words.length !== 0) return INVALID
  const { count, sentences } = store.accounts.check()
  if (count === 0) return OK_ANSWER
  log.error({ count, sentences }, 'the store is not in order')
  const lines = [`${count} things are wrong:`]
  let bytes = 0
  for (const sentence of sentences) {
    bytes += sentence.length + 1
    if (bytes > ANSWER_BYTES_MAX) break
    lines.push(sentence)
  }
  return linesAnswer(lines)
}

/** Into the file, or, without one, into the trace. */
function memreport(targets: ReportTargets, words: readonly string[]): ControlAnswer {
  const [file] = words
  if (words.length > 1 || file === '') return INVALID
  const lines = memoryLines(targets)
  const { trace, log } = targets
  // Upstream's EBADF is none of the protocol's errors, and so sent as EINVAL.
  if (file === undefined) return trace.report(lines) ? OK_ANSWER : INVALID
  try {
    const fd = openAppending(resolve(LIB_DIR, file))
    try {
      writeFileSync(fd, `${lines.join('\n')}\n`)
    } finally {
      closeSync(fd)
    }
    return OK_ANSWER
  } catch (error) {
    log.warn({ err: error, file }, 'cannot write a report there')
    return { kind: 'error', errno: 'EIO' }
  }
}

function memoryLines({ store, memoryUsage }: ReportTargets): string[] {
  const { rss, heapUsed, heapTotal, external } = memoryUsage()
  const cells = (name: string, ...values: readonly (number | string)[]): string =>
    [name.padEnd(16), ...values.map((value) => String(value).padStart(12))].join(' ')
  return [
    cells('memory', 'bytes'),
    cells('resident', rss),
    cells('heap', heapTotal),
    cells('heap in use', heapUsed),
    cells('reserved', external),
    cells('table', 'in use', 'ever used', 'capacity', 'bytes'),
    ...store.accounts
      .tableUses()
      .map(({ name, inUse, everUsed, capacity, bytes }) =>
        cells(name, inUse, everUsed, capacity, bytes),
      ),
  ]
}

/** Lines of a name and a number: what was done so far, then what there is now. */
function stats(targets: ReportTargets, words: readonly string[]): ControlAnswer {
  if (words.length !== 0) return INVALID
  const { counters, connections, domains, store } = targets
  const { nodes, watches, transactions, accessRecords, permLists, blocks } = store.accounts.held()
  const figures: readonly (readonly [string, number])[] = [
    ...counters.figures(),
    ['domains', domains.count],
    ['connections', connections.count],
    ['nodes', nodes],
    ['watches', watches],
    ['transactions', transactions],
    ['accessRecords', accessRecords],
    ['permLists', permLists],
    ['blocks', blocks],
  ]
  return linesAnswer(figures.map(([name, value]) => `${name} ${value}`))
}
