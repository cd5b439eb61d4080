/** The quotas by the names that upstream's tools, options and requests use. */
import type { Quotas } from './store/quota.ts'

/** One quota as it is named outside, and where its value is kept. */
export interface QuotaName {
  readonly name: string
  /** As another version of upstream's calls it. */
  readonly otherName?: string
  readonly key: keyof Quotas
  readonly help: string
}

/** What is refused beyond. */
export const HARD_QUOTAS: readonly QuotaName[] = [
  { name: 'nodes', key: 'nodes', help: 'Nodes per domain' },
  { name: 'watches', key: 'watches', help: 'Watches per domain' },
  { name: 'transactions', key: 'transactions', help: 'Transactions per domain' },
  { name: 'outstanding', key: 'outstanding', help: 'Outstanding requests per domain' },
  { name: 'transaction-nodes', key: 'transactionNodes', help: 'Nodes per transaction' },
  { name: 'memory', key: 'memoryHard', help: 'Memory in bytes per domain' },
  { name: 'node-size', key: 'nodeSize', help: 'Size in bytes of a node' },
  {
    name: 'node-permissions',
    otherName: 'permissions',
    key: 'permissions',
    help: 'Permissions per node',
  },
  { name: 'path-max', key: 'pathMax', help: 'Length of a path' },
]

/** What is only warned of. */
export const SOFT_QUOTAS: readonly QuotaName[] = [
  { name: 'memory', key: 'memorySoft', help: 'Memory in bytes per domain that is warned of' },
]

/** The quota that somebody means; undefined when there is none of that name. */
export function quotaNamed(
  quotas: readonly QuotaName[],
  name: string | undefined,
): QuotaName | undefined {
  return quotas.find((quota) => quota.name === name || quota.otherName === name)
}
