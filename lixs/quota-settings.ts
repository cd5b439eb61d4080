import type { QuotaSettings } from './options.ts'
import { HARD_QUOTAS } from './quota-names.ts'
import { DEFAULT_QUOTAS, type Quotas } from './store/quota.ts'

/** The defaults with what the command line says in place of some. */
export function quotasWith(settings: QuotaSettings, softMemory: number | undefined): Quotas {
  const quotas: Quotas = { ...DEFAULT_QUOTAS }
  for (const { name, key } of HARD_QUOTAS) {
    const value = settings.get(name)
    if (value !== undefined) quotas[key] = value
  }
  if (softMemory !== undefined) quotas.memorySoft = softMemory
  return quotas
}

/** The hard limits by the names that the command line and CONTROL use. */
export function namedQuotas(quotas: Quotas): ReadonlyMap<string, number> {
  return new Map(HARD_QUOTAS.map(({ name, key }) => [name, quotas[key]]))
}
