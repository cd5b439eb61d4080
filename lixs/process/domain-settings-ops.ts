/**
 * Requests about what single domains may use and are offered; all rare.
 *
 * @see docs/misc/xenstore.txt, GET_FEATURE … SET_QUOTA
 */
import { DOM0, type Domid } from '../../native/hypervisor.ts'
import { HARD_QUOTAS, SOFT_QUOTAS } from '../quota-names.ts'
import { SERVER_FEATURES } from '../store/features.ts'
import type { Quotas } from '../store/quota.ts'
import type { Exchange } from './exchange.ts'
import { findNul, parseNumber } from './payload.ts'
import type { Services } from './services.ts'

const SOFT = 'soft-'
const DOMID_MAX = 0xffff
/** The largest u32 stands for "no quota" inside upstream's daemons and cannot be set. */
const VALUE_MAX = 0xfffffffe
const QUOTA_KEYS: ReadonlyMap<string, keyof Quotas> = new Map([
  ...HARD_QUOTAS.map(({ name, key }) => [name, key] as const),
  ...SOFT_QUOTAS.map(({ name, key }) => [`${SOFT}${name}`, key] as const),
])

/** GET_FEATURE [`domid|`] → mask; without a domid that of the asker's own domain. */
export function getFeature({ store }: Services, exchange: Exchange): void {
  const { who } = exchange
  const [domid, ...more] = takeStrings(exchange)
  if (domid === undefined) {
    exchange.answerText(String(store.settings.featuresOf(who.domid)))
  } else if (!who.isPrivileged) {
    exchange.fail('EACCES')
  } else if (more.length > 0 || numberIn(domid, DOMID_MAX) < 0) {
    exchange.fail('EINVAL')
  } else {
    const asked = numberIn(domid, DOMID_MAX)
    if (!store.settings.exists(asked)) exchange.fail('ENOENT')
    else exchange.answerText(String(store.settings.featuresOf(asked)))
  }
}

/** SET_FEATURE `domid|mask|` → OK; before the domain is introduced, as its page tells it then. */
export function setFeature({ store }: Services, exchange: Exchange): void {
  const strings = takeStrings(exchange)
  const domid = numberIn(strings[0], DOMID_MAX)
  const mask = numberIn(strings[1], VALUE_MAX)
  if (strings.length !== 2 || domid < 0 || mask < 0) exchange.fail('EINVAL')
  else if (!store.settings.exists(domid)) exchange.fail('ENOENT')
  else if (domid === DOM0 || store.isIntroduced(domid)) exchange.fail('EBUSY')
  else if ((mask & ~SERVER_FEATURES) !== 0) exchange.fail('EINVAL')
  else {
    store.settings.setFeatures(domid, mask)
    exchange.answer('OK')
  }
}

/** GET_QUOTA → all names; `name|` → what new domains get; `domid|name|` → what one has. */
export function getQuota({ store, quotas }: Services, exchange: Exchange): void {
  const strings = takeStrings(exchange)
  if (strings.length === 0) {
    exchange.answerText([...QUOTA_KEYS.keys()].join(' '))
    return
  }
  const key = QUOTA_KEYS.get(textOf(strings.at(-1)))
  const domid = strings.length === 1 ? DOM0 : numberIn(strings[0], DOMID_MAX)
  if (strings.length > 2 || key === undefined || domid < 0) exchange.fail('EINVAL')
  else if (strings.length === 1) exchange.answerText(String(quotas[key]))
  else if (!store.settings.exists(domid)) exchange.fail('ENOENT')
  else exchange.answerText(String(store.settings.quotaOf(domid, key)))
}

/** SET_QUOTA `name|value|` → OK, for domains to come; `domid|name|value|` for one. 0 = unlimited. */
export function setQuota({ store, quotas, domains }: Services, exchange: Exchange): void {
  const strings = takeStrings(exchange)
  const key = QUOTA_KEYS.get(textOf(strings.at(-2)))
  const value = numberIn(strings.at(-1), VALUE_MAX)
  const domid = strings.length === 2 ? DOM0 : numberIn(strings[0], DOMID_MAX)
  const isWellFormed = strings.length === 2 || strings.length === 3
  if (!isWellFormed || key === undefined || value < 0 || domid < 0) {
    exchange.fail('EINVAL')
  } else if (strings.length === 2) {
    quotas[key] = value
    exchange.answer('OK')
  } else if (!store.settings.exists(domid)) {
    exchange.fail('ENOENT')
  } else {
    store.settings.setQuota(domid as Domid, key, value)
    domains.limitsChanged(domid as Domid)
    exchange.answer('OK')
  }
}

/** The strings of the payload; bytes behind the last NUL are ignored. */
function takeStrings({ bytes, start, end }: Exchange): Uint8Array[] {
  const strings: Uint8Array[] = []
  let at = start
  for (let nul = findNul(bytes, at, end); nul >= 0; nul = findNul(bytes, at, end)) {
    strings.push(bytes.subarray(at, nul))
    at = nul + 1
  }
  return strings
}

function numberIn(string: Uint8Array | undefined, max: number): number {
  return string === undefined ? -1 : parseNumber(string, 0, string.length, max)
}

function textOf(string: Uint8Array | undefined): string {
  return Buffer.from(string ?? []).toString('latin1')
}
