import { DOM0, type Domid, domidFrom } from '../../native/hypervisor.ts'
import { HARD_QUOTAS, type QuotaName, quotaNamed, SOFT_QUOTAS } from '../quota-names.ts'
import type { Quotas } from '../store/quota.ts'
import type { Store } from '../store/store.ts'
import {
  type ControlAnswer,
  type ControlCommand,
  INVALID,
  linesAnswer,
  OK_ANSWER,
} from './command.ts'

const NAME_COLUMNS = 20
const VALUE_COLUMNS = 8

interface QuotaTargets {
  readonly quotas: Quotas
  readonly store: Pick<Store, 'isIntroduced' | 'accounts' | 'settings'>
  /** Replies and events that wait for a domain to take them. */
  readonly outstandingOf: (domid: Domid) => number
  /** Called after a quota has been changed. */
  readonly quotaChanged: (key: keyof Quotas) => void
}

/** The limits that hold for domains without limits of their own, and what domains use of them. */
export function quotaCommands(targets: QuotaTargets): readonly ControlCommand[] {
  return [
    {
      name: 'quota',
      parameters: '[set <name> <val>|<domid>|max [-r]]',
      run: (words) => hardQuota(targets, words),
    },
    {
      name: 'quota-soft',
      parameters: '[set <name> <val>]',
      run: (words) => quota(targets, SOFT_QUOTAS, words),
    },
  ]
}

function hardQuota(targets: QuotaTargets, words: readonly string[]): ControlAnswer {
  const [first = ''] = words
  if (first === 'max') return most(targets, words)
  return words.length === 1 ? usage(targets, first) : quota(targets, HARD_QUOTAS, words)
}

/** What a domain uses, the most that it has used, and its own limits. */
function usage({ store, outstandingOf }: QuotaTargets, word: string): ControlAnswer {
  const domid = domidFrom(word)
  if (domid === undefined) return INVALID
  if (domid !== DOM0 && !store.isIntroduced(domid)) return { kind: 'error', errno: 'ENOENT' }
  const used = store.accounts.usageOf(domid)
  const max = store.accounts.maximaOf(domid)
  const limit = (key: keyof Quotas): string =>
    domid === DOM0 ? 'none' : String(store.settings.quotaOf(domid, key) || 'none')
  const line = (
    name: string,
    value: number,
    most: number | undefined,
    key: keyof Quotas,
  ): string => {
    const beside = most === undefined ? [] : [`max ${String(most).padStart(VALUE_COLUMNS)}`]
    beside.push(`limit ${limit(key).padStart(VALUE_COLUMNS)}`)
    return `${row(name, value)} (${beside.join(', ')})`
  }
  return linesAnswer([
    `Domain ${domid}:`,
    line('nodes', used.nodes, max.nodes, 'nodes'),
    line('watches', used.watches, max.watches, 'watches'),
    line('transactions', used.transactions, max.transactions, 'transactions'),
    line('memory', used.memoryBytes, max.memoryBytes, 'memoryHard'),
    line('outstanding', outstandingOf(domid), undefined, 'outstanding'),
  ])
}

/** `max`: the most that any guest has used; with `-r` what is used now is all that was. */
function most({ store }: QuotaTargets, words: readonly string[]): ControlAnswer {
  const isReset = words.length === 2 && words[1] === '-r'
  if (words.length > 1 && !isReset) return INVALID
  const { nodes, watches, transactions, memoryBytes } = store.accounts.maximaOf(undefined)
  if (isReset) store.accounts.resetMaxima()
  return linesAnswer([
    'Most that any guest has used:',
    row('nodes', nodes),
    row('watches', watches),
    row('transactions', transactions),
    row('memory', memoryBytes),
  ])
}

function quota(
  { quotas, quotaChanged }: QuotaTargets,
  known: readonly QuotaName[],
  words: readonly string[],
): ControlAnswer {
  if (words.length === 0) {
    return linesAnswer(known.map(({ name, key, help }) => `${row(name, quotas[key])} ${help}`))
  }
  const [verb, name, value = ''] = words
  const chosen = quotaNamed(known, name)
  const number = /^[0-9]{1,10}$/.test(value) ? Number(value) : 0
  if (words.length !== 3 || verb !== 'set' || chosen === undefined || number < 1) return INVALID
  quotas[chosen.key] = number
  quotaChanged(chosen.key)
  return OK_ANSWER
}

function row(name: string, value: number): string {
  return `${name.padEnd(NAME_COLUMNS)}: ${String(value).padStart(VALUE_COLUMNS)}`
}
