/**
 * The one seam between the programs and the machine they run on.
 *
 * Above it nobody sees a page, a hypercall or the event-channel port of a ring. Real Xen and the
 * embedded simulator stand behind it; the contract suite (test/native/hypervisor-contract.ts) says
 * what both must do, and what it does not say no caller may rely on.
 */
import type { StateMemory } from './os/state-memory.ts'
import type { RingSet } from './ring-set.ts'

/** Number of a domain, 0…32751 (xen/include/public/xen.h, DOMID_FIRST_RESERVED). */
export type Domid = number & { readonly brand: 'Domid' }
/** Event-channel port, as the domain that owns it numbers it; 1 and up. */
export type EvtchnPort = number & { readonly brand: 'EvtchnPort' }
/** Grant reference: an index into the granting domain's grant table. */
export type Gref = number & { readonly brand: 'Gref' }
/** Guest frame number: machine frame for PV, guest-physical frame for PVH. Below 2^53. */
export type Gfn = number & { readonly brand: 'Gfn' }

export const DOMID_FIRST_RESERVED = 0x7ff0
export const DOM0 = 0 as Domid
/** Entries of every grant table that the domain builder fills (public/grant_table.h). */
export const GNTTAB_RESERVED_CONSOLE = 0 as Gref
export const GNTTAB_RESERVED_XENSTORE = 1 as Gref

/** Virtual interrupts that dom0's daemons may bind (public/xen.h). */
export const VIRQ_DOM_EXC = 3
export const VIRQ_CON_RING = 8

/** Why a domain shut down (public/sched.h). */
export const SHUTDOWN_REASONS = [
  'poweroff',
  'reboot',
  'suspend',
  'crash',
  'watchdog',
  'soft-reset',
] as const
export type ShutdownReason = (typeof SHUTDOWN_REASONS)[number]

/** Bits of a domain's state (`DomainControl.states`). */
export const DOMAIN_DYING = 1
export const DOMAIN_SHUTDOWN = 2
/** Only from `DomainControl.changed`. */
export const DOMAIN_GONE = 4
export const DOMAIN_REASON_SHIFT = 8

/** Turns decimal text into a Domid: wholly numeric, without sign, below DOMID_FIRST_RESERVED. */
export function domidFrom(text: string): Domid | undefined {
  if (!/^[0-9]{1,5}$/.test(text)) return undefined
  const value = Number(text)
  return value < DOMID_FIRST_RESERVED ? (value as Domid) : undefined
}

/** What Xen says of one domain (struct xen_domctl_getdomaininfo). */
export interface DomainInfo {
  readonly domid: Domid
  /** Lower case, 8-4-4-4-12. */
  readonly uuid: string
  readonly isDying: boolean
  readonly isShutdown: boolean
  /** Only when isShutdown. */
  readonly shutdownReason: ShutdownReason | undefined
  readonly isPaused: boolean
  readonly isBlocked: boolean
  readonly isRunning: boolean
  /** True for PVH too: the container is what Xen calls HVM. */
  readonly isHvm: boolean
  readonly memoryKiB: number
  readonly outstandingKiB: number
  readonly maxMemoryKiB: number
  readonly vcpus: number
  /** CPU time of all its vcpus. */
  readonly cpuTimeNs: number
  readonly cpupool: number
}

/** What the host has and is (xc_physinfo, xc_version). */
export interface HostInfo {
  /** `4.17.7`-like. */
  readonly version: string
  readonly totalMemoryKiB: number
  readonly freeMemoryKiB: number
  readonly cpus: number
  readonly caps: string
}

/** Life and death of domains. Every failure throws XenError (native/xen-error.ts). */
export interface DomainControl {
  info(domid: Domid): DomainInfo | undefined
  /** All domains from `first` on, in ascending order; one hypercall per 1,024. */
  list(first?: number): DomainInfo[]
  /**
   * The same domains as pairs of domid and state (DOMAIN_DYING, DOMAIN_SHUTDOWN, and the reason of
   * the shutdown from bit DOMAIN_REASON_SHIFT on, an index into SHUTDOWN_REASONS): for whoever looks
   * at all of them again and again.
   */
  states(first?: number): Int32Array
  /**
   * The domains whose state changed since the last call, in pairs like `states`, with DOMAIN_GONE for
   * those that are no more; undefined, then and ever after, on a machine that does not say which. Real
   * Xen could from 4.21 on, by a call of a library (libxenmanage) that this project does not use: there
   * it is always undefined. Only one program may ask: the one that holds VIRQ_DOM_EXC. After the VIRQ is
   * bound every domain counts as changed.
   */
  changed(): Int32Array | undefined
  host(): HostInfo
  pause(domid: Domid): void
  unpause(domid: Domid): void
  /** Frees everything the domain has; may take long, so it runs on a worker thread. */
  destroy(domid: Domid): Promise<void>
  /**
   * Reads Xen's own console log.
   * @param index where the last call ended; 0 at first
   */
  readConsoleRing(index: number): { readonly bytes: Uint8Array; readonly nextIndex: number }
}

/** What a domain is to be, before it exists. */
export interface DomainSpec {
  readonly type: 'pv' | 'pvh'
  /** Lower case, 8-4-4-4-12: the domain's handle in Xen, by which a half-made one is found again. */
  readonly uuid: string
  readonly vcpus: number
  readonly memoryKiB: number
  readonly maxMemoryKiB: number
  readonly maxEvtchnPort: number
  /** Frames of the grant table and of maptrack; -1 leaves Xen's default. */
  readonly maxGrantFrames: number
  readonly maxMaptrackFrames: number
}

/** The two channels a domain has to dom0's daemons, as the domain numbers them. */
export interface DomainPorts {
  readonly storePort: EvtchnPort
  readonly consolePort: EvtchnPort
}

export interface ImageSpec {
  /** Absolute path of the kernel: ELF for PV and PVH, or a Linux bzImage. */
  readonly kernel: string
  readonly ramdisk: string | undefined
  readonly cmdline: string
}

/** Frames of the two rings, as they go into the store and into INTRODUCE. */
export interface BuiltImage {
  readonly storeGfn: Gfn
  readonly consoleGfn: Gfn
}

/**
 * From a spec to a domain that can be unpaused, in steps that the caller can undo: a failed step
 * leaves nothing but the domain itself, which `DomainControl.destroy` frees.
 */
export interface DomainBuilder {
  /** Makes an empty, paused domain (xc_domain_create). */
  create(spec: DomainSpec): Promise<Domid>
  /** Vcpus, memory limits, paging pool, cpuid policy; allocates the two event channels. */
  prepare(domid: Domid, spec: DomainSpec): Promise<DomainPorts>
  /** Populates memory, loads the image, seeds grants 0 and 1; on a worker thread. */
  build(domid: Domid, spec: DomainSpec, ports: DomainPorts, image: ImageSpec): Promise<BuiltImage>
}

/** What dom0's kernel does for a device besides its back end; the toolstack asks for it. */
export interface Dom0Devices {
  /**
   * Brings a back end's interface (`vif7.0`) up as a port of a bridge, with the bridge's mtu.
   * @throws XenError ENODEV when there is no such interface or no such bridge; EBUSY when it is a port
   *   already, of whichever bridge; EXFULL when the bridge takes no more
   */
  joinBridge(interfaceName: string, bridge: string): void
  /**
   * A block device to serve a disk from: the one at the path, or a loop device over the file there.
   * @throws XenError ENOENT, EACCES, EISDIR, ENOTBLK; EBUSY when dom0 itself uses what is to be written
   */
  openDisk(path: string, isReadOnly: boolean): BlockDevice
  /**
   * Gives a loop device back, once its back end holds it no more; other devices stay as they are, and
   * so does a loop device that serves another file than the one at the path by now.
   * @param path as `openDisk` was given it
   */
  closeDisk(device: BlockDevice, path: string): void
}

export interface BlockDevice {
  readonly major: number
  readonly minor: number
}

export interface Hypervisor {
  readonly domains: DomainControl
  readonly builder: DomainBuilder
  readonly devices: Dom0Devices
  /** A set of rings of one kind; its sockets, if it has any, join the same loop. */
  rings(kind: 'xenstore' | 'console', options: RingSetOptions): RingSet
  close(): void
}

export interface RingSetOptions {
  /** Where connection records and queued bytes lie. */
  readonly memory: StateMemory
  /** Room reserved (not used) for connection records and for queued bytes. */
  readonly maxConnections: number
  readonly maxQueuedBytes: number
  /** Global VIRQs that this set's event-channel handle is to hold. */
  readonly virqs: readonly number[]
  /** The machine's descriptor that another program has left in this process (native/handover.ts). */
  readonly inheritedFd?: number | undefined
}
