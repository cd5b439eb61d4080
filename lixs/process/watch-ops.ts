import { FEATURE_WATCH_DEPTH } from '../store/features.ts'
import { ALL_LEVELS } from '../store/watches.ts'
import { OK } from '../xs-errno.ts'
import type { Exchange } from './exchange.ts'
import { findNul, parseNumber } from './payload.ts'
import { takePath } from './request-path.ts'
import type { Services } from './services.ts'

/** Whatever is deeper than any path can be is the same. */
const DEPTH_MAX = 0xffff - 1
const NUMBER_MAX = 0x7fffffff
const INVALID = -2

/**
 * WATCH `path|token|` or `path|token|depth|` → OK, and behind it at once the first event, which
 * repeats the first two strings. Bytes behind the last NUL are ignored, a further string is not.
 */
export function watch(services: Services, exchange: Exchange): void {
  const { bytes, start, end, connection } = exchange
  const pathEnd = findNul(bytes, start, end)
  const tokenEnd = pathEnd < 0 ? -1 : findNul(bytes, pathEnd + 1, end)
  const depth = tokenEnd < 0 ? INVALID : takeDepth(services, exchange, tokenEnd + 1)
  if (depth === INVALID || !takePath(services, exchange, start, pathEnd)) {
    exchange.fail('EINVAL')
    return
  }
  const { store, path, events } = services
  const outcome = store.watch(connection, path, bytes, pathEnd + 1, tokenEnd, depth)
  exchange.answer(outcome)
  if (outcome !== OK) return
  const { isSpecial } = path
  events.watchEvent(connection, bytes, start, pathEnd, bytes, pathEnd + 1, tokenEnd, isSpecial)
}

/** UNWATCH `path|token|` → OK; events on their way still arrive. Loose bytes as with WATCH. */
export function unwatch(services: Services, exchange: Exchange): void {
  const { bytes, start, end, connection } = exchange
  const pathEnd = findNul(bytes, start, end)
  const tokenEnd = pathEnd < 0 ? -1 : findNul(bytes, pathEnd + 1, end)
  const isWellFormed = tokenEnd >= 0 && findNul(bytes, tokenEnd + 1, end) < 0
  if (!isWellFormed || !takePath(services, exchange, start, pathEnd)) {
    exchange.fail('EINVAL')
    return
  }
  const { store, path } = services
  exchange.answer(store.unwatch(connection, path, bytes, pathEnd + 1, tokenEnd))
}

/** RESET_WATCHES: payload ignored; drops the connection's watches and all its transactions. */
export function resetWatches({ store }: Services, exchange: Exchange): void {
  store.resetConnection(exchange.connection)
  exchange.answer(OK)
}

/** @returns the watch's depth, ALL_LEVELS without one, INVALID when it may have none or such a one */
function takeDepth({ store }: Services, exchange: Exchange, start: number): number {
  const { bytes, end, who } = exchange
  const depthEnd = findNul(bytes, start, end)
  if (depthEnd < 0) return ALL_LEVELS
  if (findNul(bytes, depthEnd + 1, end) >= 0) return INVALID
  if ((store.settings.featuresOf(who.domid) & FEATURE_WATCH_DEPTH) === 0) return INVALID
  const depth = parseNumber(bytes, start, depthEnd, NUMBER_MAX)
  return depth < 0 ? INVALID : Math.min(depth, DEPTH_MAX)
}
