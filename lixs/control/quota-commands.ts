import { DOM0, domidFrom } from '../../native/hypervisor.ts'
import { HARD_QUOTAS, type QuotaName, SOFT_QUOTAS } from '../quota-names.ts'
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
  readonly store: Pick<Store, 'isIntroduced' | 'usageOf'>
  /** Called after a quota has been changed. */
  readonly quotaChanged: (key: keyof Quotas) => void
}

/** The limits that hold for domains without limits of their own, and what domains use of them. */
export function quotaCommands(targets: QuotaTargets): readonly ControlCommand[] {
  return [
    {
      name: 'quota',
      parameters: '[set <name> <val>|<domid>]',
      run: (words) =>
        words.length === 1 ? usage(targets, words) : quota(targets, HARD_QUOTAS, words),
    },
    {
      name: 'quota-soft',
      parameters: '[set <name> <val>]',
      run: (words) => quota(targets, SOFT_QUOTAS, words),
    },
  ]
}

function usage({ store }: QuotaTargets, [word = '']: readonly string[]): ControlAnswer {
  const domid = domidFrom(word)
  if (domid === undefined) return INVALID
  if (domid !== DOM0 && !store.isIntroduced(domid)) return { kind: 'error', errno: 'ENOENT' }
  const { nodes, watches, transactions, memoryBytes } = store.usageOf(domid)
  return linesAnswer([
    `Domain ${domid}:`,
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
  const chosen = known.find((candidate) => candidate.name === name)
  const number = /^[0-9]{1,10}$/.test(value) ? Number(value) : 0
  if (words.length !== 3 || verb !== 'set' || chosen === undefined || number < 1) return INVALID
  quotas[chosen.key] = number
  quotaChanged(chosen.key)
  return OK_ANSWER
}

function row(name: string, value: number): string {
  return `${name.padEnd(NAME_COLUMNS)}: ${String(value).padStart(VALUE_COLUMNS)}`
}
