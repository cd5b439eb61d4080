import { opName } from '../wire/ops.ts'
import type { XsErrno } from '../xs-errno.ts'

/** The daemon answered a request with an error. */
export class XenstoreError extends Error {
  override readonly name = 'XenstoreError'
  readonly errno: XsErrno
  /** The request, named as in Xen's headers: `TRANSACTION_END`. */
  readonly op: string
  /** What the request was about: a path, or the number of a domain; undefined when neither. */
  readonly path: string | undefined

  constructor(errno: XsErrno, op: string, path: string | undefined) {
    super(path === undefined ? `XenStore ${op}: ${errno}` : `XenStore ${op} ${path}: ${errno}`)
    this.errno = errno
    this.op = op
    this.path = path
  }
}

/** No daemon answers at the socket; `code` is the system's reason, `ENOENT` or `ECONNREFUSED`. */
export class XenstoreUnreachable extends Error {
  override readonly name = 'XenstoreUnreachable'
  readonly socketPath: string
  readonly code: string

  constructor(socketPath: string, code: string, options?: { cause: unknown }) {
    super(`XenStore does not answer at ${socketPath} (${code}); ${hint(code)}`, options)
    this.socketPath = socketPath
    this.code = code
  }
}

/** The connection ended, or spoke nonsense, while answers were still to come or before a request. */
export class XenstoreConnectionLost extends Error {
  override readonly name = 'XenstoreConnectionLost'

  constructor(reason: string, options?: { cause: unknown }) {
    super(`the connection to XenStore has ended: ${reason}`, options)
  }
}

/** A reply that is neither of the request's type nor an error: the stream cannot be followed. */
export class UnexpectedReply extends XenstoreConnectionLost {
  constructor(type: number, requestType: number) {
    super(`${opName(type)} as the answer to ${opName(requestType)}`)
  }
}

function hint(code: string): string {
  return code === 'EACCES' || code === 'EPERM'
    ? 'only root may connect'
    : 'is lixs or another xenstored running?'
}
