import {
  DOMAIN_DYING,
  DOMAIN_REASON_SHIFT,
  DOMAIN_SHUTDOWN,
  type DomainInfo,
  SHUTDOWN_REASONS,
} from '../../native/hypervisor.ts'

/** What `DomainControl.states` says of these domains. */
export function statesOf(infos: Iterable<DomainInfo>): Int32Array {
  const ascending = [...infos].sort((a, b) => a.domid - b.domid)
  return Int32Array.from(
    ascending.flatMap(({ domid, isDying, isShutdown, shutdownReason }) => {
      const reason = shutdownReason === undefined ? 0 : SHUTDOWN_REASONS.indexOf(shutdownReason)
      const shutdown = isShutdown ? DOMAIN_SHUTDOWN | (reason << DOMAIN_REASON_SHIFT) : 0
      return [domid, (isDying ? DOMAIN_DYING : 0) | shutdown]
    }),
  )
}
