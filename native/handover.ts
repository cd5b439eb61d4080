/**
 * From one program to the next in the same process (exec): what a set of rings has to tell of its
 * connections, and how the next program's set takes them up.
 *
 * Descriptors stay open: those of sockets, the listening one, and the machine's own, which keeps the event
 * channels bound. Pages are mapped anew. Nothing that lies in a ring is touched on the way.
 */
import type { Domid, EvtchnPort } from './hypervisor.ts'
import type { ConnectionId } from './ring-set.ts'

/** Where a ring's page is; the numbers are native code's (machine.h, PageKind), where 1 is a gfn. */
export const PAGE_GREF = 0
/** The own domain's. */
export const PAGE_SELF = 2

/** A ring that another program served before. */
export interface AdoptedRing {
  readonly domid: Domid
  /** PAGE_… */
  readonly pageKind: number
  /** gref or gfn. */
  readonly page: number
  /** As it was in the program before; 0: it had none, or it is not known. */
  readonly localPort: number
  /** The guest's own; 0: not known. */
  readonly remotePort: EvtchnPort | 0
  readonly features: number
  /** The guest broke the protocol: the ring stays, and is not served. */
  readonly isBroken: boolean
}

/** Descriptors that have to stay open; -1: there is none. */
export interface InheritableDescriptors {
  readonly listener: number
  /** Of the machine; keeps ports bound. */
  readonly events: number
}

/** The part of a RingSet that live update needs; for xenstore sets only. */
export interface Handover {
  inheritableDescriptors(): InheritableDescriptors
  /** A copy of what arrived and was not served. */
  inputOf(id: ConnectionId): Uint8Array
  /** A copy of what was said and is not out. */
  unsentOf(id: ConnectionId): Uint8Array
  /** Bytes at the front of `unsentOf` that are the rest of a message that is partly out. */
  cutOf(id: ConnectionId): number
  /** Whole messages are to be taken again, before everything else of the connection. */
  putBack(id: ConnectionId, bytes: Uint8Array): void
  /** VIRQs are for one holder only: the next program binds them anew. */
  releaseVirqs(): void
  /** @throws XenError when somebody else has bound one meanwhile */
  bindVirqs(): void

  /** Accepts connections at a socket that listens already. @throws XenError when it is none */
  adoptListener(fd: number): void
  /** @param isEnded nothing more is read from it @throws XenError when it is no socket */
  adoptSocket(fd: number, isEnded: boolean): ConnectionId
  /** Nothing in the page is changed. @throws XenError when it cannot be mapped, or its port not be bound */
  adoptRing(ring: AdoptedRing): ConnectionId
  /** @param cut as `cutOf` */
  restoreOutput(id: ConnectionId, bytes: Uint8Array, cut: number): void
}
