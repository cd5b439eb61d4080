import { XS_ERRNOS, type XsErrno } from '../xs-errno.ts'

const KNOWN: ReadonlySet<string> = new Set(XS_ERRNOS)

function isXsErrno(name: string): name is XsErrno {
  return KNOWN.has(name)
}

/** The error that a name stands for; a name that is not in xs_wire.h is EINVAL, as in libxenstore. */
export function xsErrnoFrom(name: string): XsErrno {
  return isXsErrno(name) ? name : 'EINVAL'
}

/** The error in the payload of an ERROR reply: a name and its NUL. */
export function decodeErrno(payload: Uint8Array): XsErrno {
  const end = payload.indexOf(0)
  return xsErrnoFrom(
    Buffer.from(payload.subarray(0, end === -1 ? undefined : end)).toString('latin1'),
  )
}
