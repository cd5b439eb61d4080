import { DOM0, type Domid } from '../../native/hypervisor.ts'

/** Who asks. One object per connection, made once. */
export interface Principal {
  readonly domid: Domid
  /** Sockets, dom0's ring, the ring of --priv-domid: no checks, no quotas. */
  readonly isPrivileged: boolean
}

/** Whom the rows count for that `who` makes the store keep; dom0's count for nobody. */
export function payerOf(who: Principal): Domid {
  return who.isPrivileged ? DOM0 : who.domid
}
