/**
 * Requests about nodes. Errors come in the order in which Xen's documents list the checks.
 *
 * @see docs/misc/xenstore.txt
 */
import { XENSTORE_PAYLOAD_MAX } from '../wire/ops.ts'
import type { Exchange } from './exchange.ts'
import { countNuls, findNul, isOneString, parseOffset } from './payload.ts'
import { hasFoundNode, takeNodePath, takeOnlyNodePath, takePath } from './request-path.ts'
import type { Services } from './services.ts'

/** READ `path|` → value, without a NUL of ours. */
export function read(services: Services, exchange: Exchange): void {
  if (!takeOnlyNodePath(services, exchange)) {
    exchange.fail('EINVAL')
    return
  }
  const { who, tx, replyBytes } = exchange
  const at = exchange.beginReply()
  exchange.endReply(
    services.store.read(who, tx, services.path, replyBytes, at, XENSTORE_PAYLOAD_MAX),
  )
}

/** DIRECTORY `path|` → names of the children, each with its NUL. */
export function directory(services: Services, exchange: Exchange): void {
  if (!takeOnlyNodePath(services, exchange)) {
    exchange.fail('EINVAL')
    return
  }
  const { who, tx, replyBytes } = exchange
  const at = exchange.beginReply()
  exchange.endReply(
    services.store.directory(who, tx, services.path, replyBytes, at, XENSTORE_PAYLOAD_MAX),
  )
}

/**
 * DIRECTORY_PART `path|offset|` → `generation|`, then names from that byte of the list on; and an
 * empty one behind the last.
 */
export function directoryPart(services: Services, exchange: Exchange): void {
  const { bytes, start, end, who, tx, replyBytes } = exchange
  const pathEnd = findNul(bytes, start, end)
  if (countNuls(bytes, start, end) !== 2 || !takeNodePath(services, exchange, start, pathEnd)) {
    exchange.fail('EINVAL')
    return
  }
  const offsetEnd = findNul(bytes, pathEnd + 1, end)
  const offset = parseOffset(bytes, pathEnd + 1, offsetEnd)
  const at = exchange.beginReply()
  const { store, path } = services
  exchange.endReply(
    store.directoryPart(who, tx, path, offset, replyBytes, at, XENSTORE_PAYLOAD_MAX),
  )
}

/** GET_PERMS `path|` → permissions as text, each with its NUL. */
export function getPerms(services: Services, exchange: Exchange): void {
  const { bytes, start, end, who, tx, replyBytes } = exchange
  if (!isOneString(bytes, start, end) || !takePath(services, exchange, start, end - 1)) {
    exchange.fail('EINVAL')
    return
  }
  const at = exchange.beginReply()
  exchange.endReply(
    services.store.getPerms(who, tx, services.path, replyBytes, at, XENSTORE_PAYLOAD_MAX),
  )
}

/** WRITE `path|value…` → OK; the value is whatever follows the path's NUL. */
export function write(services: Services, exchange: Exchange): void {
  const { bytes, start, end, who, tx } = exchange
  const isFound = hasFoundNode(services, exchange)
  const pathEnd = isFound ? start + exchange.pathBytes : findNul(bytes, start, end)
  const isValid = isFound || (pathEnd >= 0 && takeNodePath(services, exchange, start, pathEnd))
  if (!isValid) exchange.fail('EINVAL')
  else exchange.answer(services.store.write(who, tx, services.path, bytes, pathEnd + 1, end))
}

/** MKDIR `path|` → OK, also when the node is there. */
export function mkdir(services: Services, exchange: Exchange): void {
  if (!takeOnlyNodePath(services, exchange)) exchange.fail('EINVAL')
  else exchange.answer(services.store.mkdir(exchange.who, exchange.tx, services.path))
}

/** RM `path|` → OK; the node and all below. */
export function rm(services: Services, exchange: Exchange): void {
  if (!takeOnlyNodePath(services, exchange)) exchange.fail('EINVAL')
  else exchange.answer(services.store.rm(exchange.who, exchange.tx, services.path))
}

/** SET_PERMS `path|perm|…` → OK; what follows the last NUL is ignored. */
export function setPerms(services: Services, exchange: Exchange): void {
  const { bytes, start, end, who, tx } = exchange
  const strings = countNuls(bytes, start, end)
  if (strings < 2) {
    exchange.fail('EINVAL')
    return
  }
  if (!services.store.allowsPermissions(who, strings - 1)) {
    exchange.fail('ENOSPC')
    return
  }
  const pathEnd = findNul(bytes, start, end)
  // The permissions are looked at before the path: what is wrong with both is answered with theirs.
  const path = takePath(services, exchange, start, pathEnd) ? services.path : undefined
  const permsEnd = bytes.subarray(start, end).lastIndexOf(0) + start + 1
  exchange.answer(services.store.setPerms(who, tx, path, bytes, pathEnd + 1, permsEnd))
}
