/**
 * Rings without Xen, inside one process: for tests, which hold the guest's end.
 *
 * It is no hypervisor: there are no domains to create, only pages and ports that look to a RingSet
 * like those of a domain.
 */
import { addon, type NativeLoopback } from './addon.ts'
import type { Domid, EvtchnPort, Gref, RingSetOptions } from './hypervisor.ts'
import type { RingSet } from './ring-set.ts'
import { NativeRingSet } from './ring-set-native.ts'

/** What the guest has of one ring. */
export interface GuestEnd {
  readonly domid: Domid
  /** The shared page, 4,096 bytes. */
  readonly page: ArrayBuffer
  /** The guest's own port: what INTRODUCE and the console's `port` key name. */
  readonly port: EvtchnPort
  /** Notifies the daemon. */
  kick(): void
  /** The guest closes its port, as one that begins anew does, and gets one of the same number. */
  renewPort(): void
  /** @returns how often the daemon has notified since the last call */
  takeNotifications(): number
}

export interface Loopback {
  rings(kind: 'xenstore' | 'console', options: RingSetOptions): RingSet
  /** Makes a page that can be mapped as grant or as frame `gref`, and a port to go with it. */
  guest(domid: Domid, gref: Gref): GuestEnd
  /** The ring of the domain that the daemon runs in: what `attachSelf` finds. */
  self(): GuestEnd
  /** From now on nothing of the domain can be attached; what is attached stays mapped. */
  removeDomain(domid: Domid): void
  fireVirq(virq: number): void
  /** Pages mapped and ports bound by all sets: 0 when everything was given back. */
  leftovers(): { readonly mappings: number; readonly bindings: number }
}

/** A world of its own: nothing is shared with another one. */
export function openLoopback(): Loopback {
  const native = new addon.Loopback()
  return {
    rings: (kind, options) => new NativeRingSet(kind, { kind: 'loopback', world: native }, options),
    guest: (domid, gref) => guestEnd(native, domid, gref),
    self: () => guestEnd(native, 0 as Domid, 1 as Gref),
    removeDomain: (domid) => native.removeDomain(domid),
    fireVirq: (virq) => native.fireVirq(virq),
    leftovers: () => ({ mappings: native.mappings(), bindings: native.bindings() }),
  }
}

function guestEnd(native: NativeLoopback, domid: Domid, gref: Gref): GuestEnd {
  const page = native.addPage(domid, gref)
  const port = native.addPort(domid)
  return {
    domid,
    page,
    port,
    kick: () => native.kick(domid, port),
    renewPort: () => native.renewPort(domid, port),
    takeNotifications: () => native.takeNotifications(domid, port),
  }
}
