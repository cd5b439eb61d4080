import type { Domid } from '../../native/hypervisor.ts'

/** Who asks. One object per connection, made once. */
export interface Principal {
  readonly domid: Domid
  /** Sockets, dom0's ring, the ring of --priv-domid: no checks, no quotas. */
  readonly isPrivileged: boolean
}
