/**
 * A Xen or system call that failed. The addon throws it with the fields set; callers add what they
 * know and pass it on.
 */
export class XenError extends Error {
  override readonly name = 'XenError'
  /** The call, named as the library names it: `evtchn_bind_interdomain`. */
  readonly op: string
  /** Positive number from errno.h. */
  readonly errno: number
  /** Symbolic name of errno: `EINVAL`. */
  readonly code: string
  readonly domid: number | undefined

  constructor(
    op: string,
    code: string,
    errno: number,
    message: string,
    domid?: number,
    options?: { cause: unknown },
  ) {
    super(message, options)
    this.op = op
    this.code = code
    this.errno = errno
    this.domid = domid
  }
}
