/**
 * The errors XenStore can answer with: the strings of xsd_errors in xs_wire.h, no others. They are
 * results, not exceptions: store functions return them beside their value.
 */
export const XS_ERRNOS = [
  'EINVAL',
  'EACCES',
  'EEXIST',
  'EISDIR',
  'ENOENT',
  'ENOMEM',
  'ENOSPC',
  'EIO',
  'ENOTEMPTY',
  'ENOSYS',
  'EROFS',
  'EBUSY',
  'EAGAIN',
  'EISCONN',
  'E2BIG',
  'EPERM',
] as const
export type XsErrno = (typeof XS_ERRNOS)[number]
/** What a store operation without a value of its own gives back when it worked. */
export const OK = 'OK'
export type Outcome = typeof OK | XsErrno
/** What a request can end with. */
export const RESULTS = [OK, ...XS_ERRNOS] as const
