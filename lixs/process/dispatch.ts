import {
  opName,
  XS_CONTROL,
  XS_DIRECTORY,
  XS_DIRECTORY_PART,
  XS_GET_DOMAIN_PATH,
  XS_GET_FEATURE,
  XS_GET_PERMS,
  XS_GET_QUOTA,
  XS_INTRODUCE,
  XS_IS_DOMAIN_INTRODUCED,
  XS_MKDIR,
  XS_READ,
  XS_RELEASE,
  XS_RESET_WATCHES,
  XS_RESUME,
  XS_RM,
  XS_SET_FEATURE,
  XS_SET_PERMS,
  XS_SET_QUOTA,
  XS_SET_TARGET,
  XS_TRANSACTION_END,
  XS_TRANSACTION_START,
  XS_UNWATCH,
  XS_WATCH,
  XS_WRITE,
} from '../wire/ops.ts'
import { control } from './control-ops.ts'
import {
  getDomainPath,
  introduce,
  isDomainIntroduced,
  release,
  resume,
  setTarget,
} from './domain-ops.ts'
import { getFeature, getQuota, setFeature, setQuota } from './domain-settings-ops.ts'
import type { Exchange } from './exchange.ts'
import { directory, directoryPart, getPerms, mkdir, read, rm, setPerms, write } from './node-ops.ts'
import type { Services } from './services.ts'
import { transactionEnd, transactionStart } from './transaction-ops.ts'
import { resetWatches, unwatch, watch } from './watch-ops.ts'

type Handler = (services: Services, exchange: Exchange) => void

/** One kind of request. Every path through a handler answers exactly once. */
interface Operation {
  readonly name: string
  readonly handler: Handler
  readonly isPrivileged: boolean
  /** Is a transaction id looked up, so that an unknown one is an error? */
  readonly inTransaction: boolean
}

/** By number; what is missing is not served (ENOSYS). */
const OPERATIONS: readonly (Operation | undefined)[] = table([
  [XS_CONTROL, control, 'privileged'],
  [XS_DIRECTORY, directory],
  [XS_READ, read],
  [XS_GET_PERMS, getPerms],
  [XS_WATCH, watch, 'no transaction'],
  [XS_UNWATCH, unwatch, 'no transaction'],
  [XS_TRANSACTION_START, transactionStart],
  [XS_TRANSACTION_END, transactionEnd],
  [XS_INTRODUCE, introduce, 'privileged'],
  [XS_RELEASE, release, 'privileged'],
  [XS_GET_DOMAIN_PATH, getDomainPath],
  [XS_WRITE, write],
  [XS_MKDIR, mkdir],
  [XS_RM, rm],
  [XS_SET_PERMS, setPerms],
  [XS_IS_DOMAIN_INTRODUCED, isDomainIntroduced, 'privileged'],
  [XS_RESUME, resume, 'privileged'],
  [XS_SET_TARGET, setTarget, 'privileged'],
  [XS_RESET_WATCHES, resetWatches],
  [XS_DIRECTORY_PART, directoryPart],
  // Everybody may ask for the features offered to himself.
  [XS_GET_FEATURE, getFeature],
  [XS_SET_FEATURE, setFeature, 'privileged'],
  [XS_GET_QUOTA, getQuota, 'privileged'],
  [XS_SET_QUOTA, setQuota, 'privileged'],
])

/** Checks what is common to all requests, in the order that guests can observe, and handles one. */
export function dispatch(services: Services, exchange: Exchange): void {
  const operation = OPERATIONS[exchange.type]
  if (operation === undefined) {
    exchange.fail('ENOSYS')
    return
  }
  if (operation.isPrivileged && !exchange.who.isPrivileged) {
    exchange.fail('EACCES')
    return
  }
  if (exchange.txId !== 0 && operation.inTransaction) {
    exchange.tx = services.store.findTransaction(exchange.connection, exchange.txId >>> 0)
    if (exchange.tx === 0) {
      exchange.fail('ENOENT')
      return
    }
  }
  operation.handler(services, exchange)
}

function table(
  rows: readonly (readonly [number, Handler, ('privileged' | 'no transaction')?])[],
): (Operation | undefined)[] {
  const size = Math.max(...rows.map(([type]) => type)) + 1
  const operations = new Array<Operation | undefined>(size).fill(undefined)
  for (const [type, handler, note] of rows) {
    operations[type] = {
      name: opName(type),
      handler,
      isPrivileged: note === 'privileged',
      inTransaction: note !== 'no transaction',
    }
  }
  return operations
}
