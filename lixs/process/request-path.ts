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

/**
 * Has native code found the node that the path at the front of the payload names? Then the path is as
 * good as parsed, and what is to be done with the node needs no more of it.
 */
export function hasFoundNode({ store, path }: Services, exchange: Exchange): boolean {
  const { node, pathBytes, tx, who } = exchange
  // One that a guest may not name is refused as if it had not been found.
  if (node === 0 || tx !== 0 || !store.exists(node)) return false
  const maxLength = store.pathMaxFor(who)
  if (maxLength !== 0 && pathBytes > maxLength) return false
  path.name(node)
  return true
}

/** For requests whose whole payload is the path of a node. */
export function takeOnlyNodePath(services: Services, exchange: Exchange): boolean {
  const { bytes, start, end } = exchange
  if (hasFoundNode(services, exchange)) return end - start === exchange.pathBytes + 1
  return isOneString(bytes, start, end) && takeNodePath(services, exchange, start, end - 1)
}
