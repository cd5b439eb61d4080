import { parsePath } from '../store/path.ts'
import type { Exchange } from './exchange.ts'
import { isOneString } from './payload.ts'
import type { Services } from './services.ts'

/**
 * Parses bytes of the request into `services.path`.
 *
 * @returns false when they are no valid path for this connection
 */
export function takePath(
  services: Services,
  exchange: Exchange,
  start: number,
  end: number,
): boolean {
  const { who } = exchange
  const maxLength = services.store.pathMaxFor(who)
  return parsePath(exchange.bytes, start, end, who.domid, services.path, maxLength)
}

/** The same for the path of a node: special paths (`@…`) are none. */
export function takeNodePath(
  services: Services,
  exchange: Exchange,
  start: number,
  end: number,
): boolean {
  return takePath(services, exchange, start, end) && !services.path.isSpecial
}

/** For requests whose whole payload is the path of a node. */
export function takeOnlyNodePath(services: Services, exchange: Exchange): boolean {
  const { bytes, start, end } = exchange
  return isOneString(bytes, start, end) && takeNodePath(services, exchange, start, end - 1)
}
