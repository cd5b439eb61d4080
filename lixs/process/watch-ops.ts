import { OK } from '../xs-errno.ts'
import type { Exchange } from './exchange.ts'
import { findNul } from './payload.ts'
import { takePath } from './request-path.ts'
import type { Services } from './services.ts'

/**
 * WATCH `path|token|` → OK, and behind it at once the first event, which repeats the two strings.
 * Bytes behind the last NUL are ignored, a third string is not.
 */
export function watch(services: Services, exchange: Exchange): void {
  const { bytes, start, end, connection } = exchange
  const pathEnd = findNul(bytes, start, end)
  const tokenEnd = pathEnd < 0 ? -1 : findNul(bytes, pathEnd + 1, end)
  if (
    tokenEnd < 0 ||
    findNul(bytes, tokenEnd + 1, end) >= 0 ||
    !takePath(services, exchange, start, pathEnd)
  ) {
    exchange.fail('EINVAL')
    return
  }
  const { store, path, events } = services
  const outcome = store.watch(connection, path, bytes, pathEnd + 1, tokenEnd)
  exchange.answer(outcome)
  if (outcome !== OK) return
  const { isSpecial } = path
  events.watchEvent(connection, bytes, start, pathEnd, bytes, pathEnd + 1, tokenEnd, isSpecial)
}

/** UNWATCH `path|token|` → OK; events on their way still arrive. */
export function unwatch(services: Services, exchange: Exchange): void {
  const { bytes, start, end, connection } = exchange
  const pathEnd = findNul(bytes, start, end)
  const tokenEnd = pathEnd < 0 ? -1 : findNul(bytes, pathEnd + 1, end)
  if (tokenEnd !== end - 1 || tokenEnd < 0 || !takePath(services, exchange, start, pathEnd)) {
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
