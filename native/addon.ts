/**
 * The only place that loads the C++ addon, and the types of what it offers to native/.
 *
 * In a bundle the addon lies beside the bundle (or in the library folder next to it), in development
 * where node-gyp has put it.
 */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { Handover } from './handover.ts'
import type {
  BlockDevice,
  BuiltImage,
  Dom0Devices,
  DomainInfo,
  DomainPorts,
  DomainSpec,
  Domid,
  EvtchnPort,
  HostInfo,
  ImageSpec,
} from './hypervisor.ts'
import type { LeafTables } from './leaf-rows.ts'
import type { MemoryRange } from './os/state-memory.ts'
import type { ConnectionId, PathTables } from './ring-set.ts'
import { XenError } from './xen-error.ts'

/** Where the addon may be, seen from this file or from the bundle that holds it. */
const PLACES = ['./xcl_native.node', './build/Release/xcl_native.node', '../lib/xcl_native.node']

/** Both ends of a pseudo terminal: descriptors, and the path of the slave. */
export interface PtyPair {
  readonly master: number
  readonly slave: number
  readonly path: string
}

/** The master end of a pseudo terminal in the event loop. */
export interface PtyMaster {
  /** Begins to read. No bytes: nobody holds the slave any more, reading has stopped. */
  onReadable(handle: (bytes: Uint8Array) => void): void
  /** Calls once, when the terminal takes bytes again. */
  onWritable(handle: () => void): void
  setReading(isReading: boolean): void
  /** @returns bytes taken, 0 when the terminal is full */
  write(bytes: Uint8Array): number
  /** Sets the terminal's size. */
  resize(columns: number, rows: number): void
  /** Closes the descriptor too; may be called twice. */
  close(): void
}

/** A datagram socket that is connected to one unix address. */
export interface DatagramSocket {
  /**
   * Sends the datagrams from `first` on, up to `last`, without waiting. Datagram `i` ends at byte
   * `ends[i]`; it begins where the one before it ends, the first at 0.
   * @returns how many were taken; when fewer than given, `onWritable` tells when there is room
   * @throws XenError when nobody receives any more
   */
  send(bytes: Uint8Array, ends: Int32Array, first: number, last: number): number
  /** Calls once, when the receiver takes datagrams again. */
  onWritable(handle: () => void): void
  /** May be called twice. */
  close(): void
}

/** What a native set of rings works in: everything is handed over once and reused. */
export interface RingSetConfig {
  readonly isConsole: boolean
  readonly machine: NativeMachine
  readonly records: ArrayBuffer
  readonly maxConnections: number
  readonly blocks: ArrayBuffer
  readonly batch: ArrayBuffer
  readonly output: ArrayBuffer
  /** One word: how many of `output` are in use. */
  readonly outputWords: ArrayBuffer
  /** One 64-bit float: when the last batch was made, in milliseconds of a monotonic clock. */
  readonly clock: ArrayBuffer
  readonly virqs: readonly number[]
  /** -1: none. */
  readonly inheritedFd: number
}

/** The native half of RingSet (native/ring-set.ts). */
export interface NativeRings extends Handover {
  attach(
    domid: Domid,
    isGref: boolean,
    page: number,
    remotePort: EvtchnPort,
    features: number,
  ): ConnectionId
  attachSelf(): ConnectionId
  reattach(id: ConnectionId, remotePort: EvtchnPort): void
  isBound(id: ConnectionId): boolean
  reconnect(id: ConnectionId): void
  reset(id: ConnectionId): void
  resume(id: ConnectionId): void
  drain(id: ConnectionId): void
  detach(id: ConnectionId): void
  listen(path: string): void
  /** @param handle takes the words of the batch */
  findPaths(tables: PathTables): void
  /** @param handle called once per turn, with the length of its first batch; `next` gives the others' */
  serve(handle: (words: number) => void): void
  /**
   * Within `handle`: sends what was said to the last batch and makes the next one.
   * @returns its words; 0: the turn is over
   */
  next(): number
  serveNow(): void
  flush(): void
  expireEvents(id: ConnectionId, olderThanMs: number): number
  close(): void
}

/** Pages and ports inside this process (native/loopback.ts). */
export interface NativeLoopback {
  addPage(domid: Domid, number: number): ArrayBuffer
  addPort(domid: Domid): EvtchnPort
  renewPort(domid: Domid, port: EvtchnPort): void
  removeDomain(domid: Domid): void
  kick(domid: Domid, port: EvtchnPort): void
  fireVirq(virq: number): void
  takeNotifications(domid: Domid, port: EvtchnPort): number
  mappings(): number
  bindings(): number
}

/** DomainInfo with the reason of a shutdown as Xen numbers it. */
export type NativeDomainInfo = Omit<DomainInfo, 'shutdownReason'> & {
  readonly shutdownCode: number
}

/** What a ring set's pages and ports lie on. */
export type NativeMachine =
  | { readonly kind: 'xen' }
  | { readonly kind: 'loopback'; readonly world: NativeLoopback }
  | { readonly kind: 'simulator'; readonly socketPath: string }

/** What a native PathTable works in (native/path-hints.ts). */
interface PathTableConfig extends PathTables {
  readonly batch: ArrayBufferLike
  readonly records: ArrayBufferLike
}

/** The native half of PathHints (native/path-hints.ts). */
export interface NativePathTable {
  /** @param words of the batch in use */
  resolve(words: number): void
}

/** What a native LeafRows works in, and where it says what it did (native/leaf-rows.ts). */
interface LeafRowsConfig extends LeafTables {
  readonly removed: ArrayBufferLike
}

/** The native half of LeafRows (native/leaf-rows.ts). */
export interface NativeLeafRows {
  remove(parent: number, from: number): void
}

/** Domains through libxenctrl and libxenguest, or in a simulated machine (native/xen.ts). */
export interface NativeHypervisor {
  info(domid: Domid): NativeDomainInfo | undefined
  list(first: number): NativeDomainInfo[]
  states(first: number): Int32Array
  changed(): Int32Array | undefined
  host(): HostInfo
  pause(domid: Domid): void
  unpause(domid: Domid): void
  destroy(domid: Domid): Promise<void>
  readConsoleRing(index: number): { readonly bytes: Uint8Array; readonly nextIndex: number }
  create(spec: DomainSpec): Promise<Domid>
  prepare(domid: Domid, spec: DomainSpec): Promise<DomainPorts>
  build(domid: Domid, spec: DomainSpec, ports: DomainPorts, image: ImageSpec): Promise<BuiltImage>
  close(): void
}

/** The native half of LogWriter (native/os/log-writer.ts). */
export interface NativeLogWriter {
  useSource(memory: ArrayBuffer): void
  /** @returns how many entries are not as was expected */
  write(count: number): number
}

interface Addon {
  setErrorClass(errorClass: typeof XenError): void
  /** With a descriptor: that file's memory, shared with whoever maps it. */
  readonly MemoryRange: new (
    bytes: number,
    fd?: number,
  ) => MemoryRange
  readonly LogWriter: new (entries: ArrayBuffer, memory: ArrayBuffer) => NativeLogWriter
  openLog(path: string, facts: ArrayBuffer): number
  readonly PathTable: new (config: PathTableConfig) => NativePathTable
  readonly LeafRows: new (config: LeafRowsConfig) => NativeLeafRows
  readonly RingSet: new (config: RingSetConfig) => NativeRings
  /** Missing in a build without the Xen part. */
  readonly Xen: (new () => NativeHypervisor) | undefined
  readonly Simulator: new (socketPath: string, onGone: () => void) => NativeHypervisor & Dom0Devices
  readonly Loopback: new () => NativeLoopback
  readonly PtyMaster: new (fd: number) => PtyMaster
  readonly DatagramSocket: new (path: string) => DatagramSocket
  openPty(): PtyPair
  joinBridge(interfaceName: string, bridge: string): void
  openDisk(path: string, isReadOnly: boolean): BlockDevice
  closeDisk(major: number, minor: number, path: string): void
  lockFile(path: string): number
  changeLock(fd: number, isOfProcess: boolean): void
  sendNotify(socketPath: string, text: string): void
  raiseFileLimit(wanted: number): number
  closeFd(fd: number): void
  setParentDeathSignal(signal: number): void
  execProgram(
    path: string,
    args: readonly string[],
    env: readonly string[],
    keptOpen: readonly number[],
  ): never
}

/** The loaded addon; everything outside native/ sees only what native/ makes of it. */
export const addon = load()

function load(): Addon {
  const forced = process.env.XCL_ADDON
  const places = forced
    ? [forced]
    : PLACES.map((place) => fileURLToPath(new URL(place, import.meta.url)))
  const file = places.find((place) => existsSync(place))
  if (file === undefined) {
    throw new Error(`the native addon is missing (${places[0]}); run \`npm run build\``)
  }
  const loaded: Addon = createRequire(import.meta.url)(file)
  loaded.setErrorClass(XenError)
  return loaded
}

/** Reserves address space (a multiple of 4,096 bytes); pages cost memory once they are touched. */
export function reserveMemory(bytes: number): MemoryRange {
  return new addon.MemoryRange(bytes)
}

/** The first bytes (a multiple of 4,096) of an open file, shared with whoever maps it; the caller closes the descriptor. */
export function mapFile(fd: number, bytes: number): MemoryRange {
  return new addon.MemoryRange(bytes, fd)
}

/**
 * Opens (and makes, mode 0644) a file and locks it for as long as the descriptor is open.
 * @returns the descriptor
 * @throws XenError with code EAGAIN when another open file holds the lock
 */
export function lockFile(path: string): number {
  return addon.lockFile(path)
}

/**
 * Makes a lock of `lockFile` one that belongs to the process, as stock daemons' do, or the other way round.
 * @throws XenError with code EAGAIN when somebody else was faster
 */
export function changeLock(fd: number, isOfProcess: boolean): void {
  addon.changeLock(fd, isOfProcess)
}

/** Sends one datagram to a service manager's socket; `@name` is an abstract address. */
export function sendNotify(socketPath: string, text: string): void {
  addon.sendNotify(socketPath, text)
}

/** Raises the limit of open files as far as is allowed. @returns the limit now in force */
export function raiseFileLimit(wanted: number): number {
  return addon.raiseFileLimit(wanted)
}

export function closeFd(fd: number): void {
  addon.closeFd(fd)
}

/** A new pseudo terminal: raw, the master non-blocking; the caller closes both ends. */
export function openPty(): PtyPair {
  return addon.openPty()
}

/** Takes over the master's descriptor. */
export function watchPty(master: number): PtyMaster {
  return new addon.PtyMaster(master)
}

/** @throws XenError when nobody receives at the path */
export function connectDatagrams(path: string): DatagramSocket {
  return new addon.DatagramSocket(path)
}

/** This process gets the signal when the process that started it ends; 0: it does not. */
export function setParentDeathSignal(signal: number): void {
  addon.setParentDeathSignal(signal)
}

/**
 * Another program takes this one's place in the same process.
 * @param args argv, its own name included
 * @param env `NAME=value` each
 * @param keptOpen descriptors that it finds open
 * @throws XenError when it cannot be started; this program goes on then
 */
export function execProgram(
  path: string,
  args: readonly string[],
  env: readonly string[],
  keptOpen: readonly number[],
): never {
  return addon.execProgram(path, args, env, keptOpen)
}
