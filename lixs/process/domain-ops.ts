import type { Gfn } from '../../native/hypervisor.ts'
import { DOM0, DOMID_FIRST_RESERVED, type Domid, type EvtchnPort } from '../../native/hypervisor.ts'
import { writeDecimal } from './decimal.ts'
import type { Exchange } from './exchange.ts'
import { findNul, isOneString, parseNumber } from './payload.ts'
import type { Services } from './services.ts'

const HOME = Buffer.from('/local/domain/', 'latin1')
const DOMID_MAX = 0xffff
/** A frame number comes as a signed long; C's own is 64 bits, ours exact up to 2^53. */
const GFN_MAX = Number.MAX_SAFE_INTEGER
const PORT_MAX = 0x7fffffff

/** INTRODUCE `domid|gfn|port|…` → OK; the domain's ring is mapped and served. */
export function introduce({ domains }: Services, exchange: Exchange): void {
  const { bytes, start, end } = exchange
  const domidEnd = findNul(bytes, start, end)
  const gfnEnd = domidEnd < 0 ? -1 : findNul(bytes, domidEnd + 1, end)
  const portEnd = gfnEnd < 0 ? -1 : findNul(bytes, gfnEnd + 1, end)
  if (portEnd < 0) {
    exchange.fail('EINVAL')
    return
  }
  const domid = parseNumber(bytes, start, domidEnd, DOMID_FIRST_RESERVED - 1)
  const port = parseNumber(bytes, gfnEnd + 1, portEnd, PORT_MAX)
  if (domid < 0 || port <= 0) {
    exchange.fail('EINVAL')
    return
  }
  // -1, and anything else that is no frame, is what tools send for "use the grant".
  const gfn = parseNumber(bytes, domidEnd + 1, gfnEnd, GFN_MAX)
  exchange.answer(domains.introduce(domid as Domid, gfn as Gfn, port as EvtchnPort))
}

/** RELEASE `domid|` → OK; as if the domain had died. */
export function release({ domains }: Services, exchange: Exchange): void {
  const domid = takeDomid(exchange, DOMID_FIRST_RESERVED - 1)
  if (domid < 0) exchange.fail('EINVAL')
  else exchange.answer(domains.release(domid as Domid))
}

/** RESUME `domid|` → OK; the next shutdown of the domain is news again. */
export function resume({ domains }: Services, exchange: Exchange): void {
  const domid = takeDomid(exchange, DOMID_FIRST_RESERVED - 1)
  if (domid < 0) exchange.fail('EINVAL')
  else exchange.answer(domains.resume(domid as Domid))
}

/** IS_DOMAIN_INTRODUCED `domid|` → `T|` or `F|`; DOMID_SELF always is. */
export function isDomainIntroduced({ store }: Services, exchange: Exchange): void {
  const domid = takeDomid(exchange, DOMID_MAX)
  if (domid < 0) {
    exchange.fail('EINVAL')
    return
  }
  const isIntroduced =
    domid === DOM0 || domid === DOMID_FIRST_RESERVED || store.isIntroduced(domid as Domid)
  exchange.answerText(isIntroduced ? 'T' : 'F')
}

/** GET_DOMAIN_PATH `domid|` → `/local/domain/<domid>|`, whether there is such a domain or not. */
export function getDomainPath(_: Services, exchange: Exchange): void {
  const domid = takeDomid(exchange, DOMID_MAX)
  if (domid < 0) {
    exchange.fail('EINVAL')
    return
  }
  const at = exchange.beginReply()
  exchange.replyBytes.set(HOME, at)
  const end = writeDecimal(exchange.replyBytes, at + HOME.length, domid)
  exchange.replyBytes[end] = 0
  exchange.endReply(end + 1 - at)
}

/** SET_TARGET `domid|target|` → OK; the domain may do what its target may. */
export function setTarget({ store }: Services, exchange: Exchange): void {
  const { bytes, start, end } = exchange
  const domidEnd = findNul(bytes, start, end)
  const targetEnd = domidEnd < 0 ? -1 : findNul(bytes, domidEnd + 1, end)
  if (targetEnd < 0) {
    exchange.fail('EINVAL')
    return
  }
  const domid = parseNumber(bytes, start, domidEnd, DOMID_FIRST_RESERVED - 1)
  const target = parseNumber(bytes, domidEnd + 1, targetEnd, DOMID_FIRST_RESERVED - 1)
  if (domid < 0 || target < 0) exchange.fail('EINVAL')
  else exchange.answer(store.setTarget(domid as Domid, target as Domid))
}

/** The payload as the number of a domain; -1 when it is none. */
function takeDomid({ bytes, start, end }: Exchange, max: number): number {
  return isOneString(bytes, start, end) ? parseNumber(bytes, start, end - 1, max) : -1
}
