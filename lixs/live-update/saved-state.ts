/**
 * Reads what another daemon has saved. The whole stream is checked before anything is made of it: what is
 * damaged is refused, with nothing half restored.
 */
import { DOM0, type Domid } from '../../native/hypervisor.ts'
import { ParsedPath, parsePath } from '../store/path.ts'
import { isDomid, MAX_ENTRIES } from '../store/perms.ts'
import { ALL_LEVELS } from '../store/watches.ts'
import { XENSTORE_PAYLOAD_MAX } from '../wire/ops.ts'
import { HEADER_BYTES } from '../wire/packet.ts'
import { type Annex, readAnnex } from './annex.ts'
import { globalQuotas, type QuotaValues, readQuotas } from './quota-records.ts'
import {
  CONNECTION_LENGTH,
  CONNECTION_RING,
  CONNECTION_SOCKET,
  NO_TARGET,
  NODE_LENGTH,
  PERM_LENGTH,
  RECORD_CONNECTION,
  RECORD_DOMAIN,
  RECORD_END,
  RECORD_GLOBAL,
  RECORD_GLOBAL_QUOTA,
  RECORD_NODE,
  RECORD_WATCH,
  RECORD_WATCH_EXTENDED,
  STREAM_MAGIC,
  UNLIMITED_DEPTH,
  VERSION_FULL,
  VERSION_PLAIN,
  WATCH_EXTENDED_LENGTH,
  WATCH_LENGTH,
} from './stream-format.ts'
import { RestoreFailure, StreamReader } from './stream-reader.ts'

const LETTERS = Buffer.from('nrwb', 'latin1')
const SLASH = 0x2f
const AT = 0x40

/** A watch as it was registered; the byte rows are views of the stream. */
export interface SavedWatch {
  readonly path: Uint8Array
  readonly token: Uint8Array
  /** Levels; ALL_LEVELS without a limit. */
  readonly depth: number
}

/** Of a connection: where it ends up. */
export type SavedEnd =
  | {
      readonly kind: 'ring'
      readonly domid: Domid
      readonly target: Domid | undefined
      readonly localPort: number
    }
  | { readonly kind: 'socket'; readonly fd: number }

export interface SavedConnection {
  /** Names it in the stream only. */
  readonly id: number
  readonly end: SavedEnd
  /** Arrived and not served. */
  readonly input: Uint8Array
  /** Said and not out; its first `cut` bytes are the rest of a message that is partly out. */
  readonly output: Uint8Array
  readonly cut: number
  readonly watches: readonly SavedWatch[]
}

/** What is set for one domain alone. */
export interface SavedDomain {
  readonly domid: Domid
  /** FEATURE_… bits; undefined: not told. */
  readonly features: number | undefined
  readonly quotas: QuotaValues
}

export interface SavedState {
  /** -1: nobody listens, or the machine's is not inherited. */
  readonly listenerFd: number
  readonly eventsFd: number
  readonly quotas: QuotaValues
  readonly connections: readonly SavedConnection[]
  readonly domains: readonly SavedDomain[]
  readonly annex: Annex | undefined
  /** Nodes, read again one by one. */
  readonly nodes: SavedNodes
}

/** @throws RestoreFailure with one sentence */
export function readSavedState(bytes: Uint8Array): SavedState {
  const reader = new StreamReader(bytes)
  const version = reader.header(STREAM_MAGIC)
  if (version !== VERSION_PLAIN && version !== VERSION_FULL) {
    throw new RestoreFailure(
      `the saved state is of version ${version}; versions 1 and 2 can be read`,
    )
  }
  const found = new Findings()
  for (let type = reader.next(); type !== RECORD_END; type = reader.next()) {
    found.take(reader, type, version)
  }
  return found.state(readAnnex(reader), new SavedNodes(bytes, found.firstNode, found.nodes))
}

/** Goes through the nodes of a stream that was checked. */
export class SavedNodes {
  readonly count: number
  readonly #reader: StreamReader
  readonly #first: number
  #left = 0

  constructor(bytes: Uint8Array, first: number, count: number) {
    this.#reader = new StreamReader(bytes)
    this.#first = first
    this.count = count
  }

  rewind(): void {
    this.#reader.seek(this.#first)
    this.#left = this.count
  }

  /** @returns the record of the next node; undefined behind the last one */
  next(): StreamReader | undefined {
    if (this.#left === 0) return undefined
    this.#left--
    while (this.#reader.next() !== RECORD_NODE || !isCommitted(this.#reader)) {
      // Others stand between them.
    }
    return this.#reader
  }
}

/** What was found so far. */
class Findings {
  firstNode = 0
  nodes = 0
  #hasRoot = false
  #listenerFd: number | undefined
  #eventsFd = -1
  #quotas: QuotaValues = new Map()
  readonly #connections = new Map<number, SavedConnection & { readonly watches: SavedWatch[] }>()
  readonly #ringsOf = new Set<number>()
  readonly #domains = new Map<number, SavedDomain>()
  readonly #path = new ParsedPath()

  take(reader: StreamReader, type: number, version: number): void {
    if (type === RECORD_GLOBAL) {
      this.#listenerFd = reader.i32(0)
      this.#eventsFd = reader.i32(4)
      return
    }
    if (this.#listenerFd === undefined) reader.refuse('comes before the global one')
    if (type === RECORD_GLOBAL_QUOTA) this.#quotas = globalQuotas(reader)
    else if (type === RECORD_CONNECTION) this.#takeConnection(reader)
    else if (type === RECORD_WATCH) this.#takeWatch(reader, WATCH_LENGTH)
    else if (type === RECORD_WATCH_EXTENDED) this.#takeWatch(reader, WATCH_EXTENDED_LENGTH)
    else if (type === RECORD_NODE) this.#takeNode(reader)
    else if (type === RECORD_DOMAIN) this.#takeDomain(reader, version)
  }

  state(annex: Annex | undefined, nodes: SavedNodes): SavedState {
    if (this.#listenerFd === undefined || !this.#hasRoot) {
      throw new RestoreFailure('the saved state holds nothing')
    }
    return {
      listenerFd: this.#listenerFd,
      eventsFd: this.#eventsFd,
      quotas: this.#quotas,
      connections: [...this.#connections.values()],
      domains: [...this.#domains.values()],
      annex,
      nodes,
    }
  }

  #takeConnection(reader: StreamReader): void {
    const id = reader.u32(0)
    if (id === 0 || this.#connections.has(id)) reader.refuse('is a second connection of one number')
    const end = this.#endOf(reader)
    const inputEnd = CONNECTION_LENGTH + reader.u16(16)
    const cut = reader.u16(18)
    const output = reader.bytes(inputEnd, inputEnd + reader.u32(20))
    if (!isRowOfMessages(output, cut)) reader.refuse('holds output that is no row of messages')
    const input = reader.bytes(CONNECTION_LENGTH, inputEnd)
    this.#connections.set(id, { id, end, input, output, cut, watches: [] })
  }

  #endOf(reader: StreamReader): SavedEnd {
    const type = reader.u16(4)
    if (type === CONNECTION_SOCKET) return { kind: 'socket', fd: reader.i32(8) }
    if (type !== CONNECTION_RING) reader.refuse('is a connection of no known kind')
    const domid = reader.u16(8)
    const target = reader.u16(10)
    if (!isDomid(domid)) reader.refuse('is the ring of no domain')
    if (target !== NO_TARGET && !isDomid(target)) reader.refuse('names a target that is no domain')
    if (this.#ringsOf.has(domid)) reader.refuse('is the second ring of a domain')
    this.#ringsOf.add(domid)
    const localPort = reader.u32(12)
    return { kind: 'ring', domid, target: isDomid(target) ? target : undefined, localPort }
  }

  #takeWatch(reader: StreamReader, header: number): void {
    const connection = this.#connections.get(reader.u32(0))
    if (connection === undefined) {
      reader.refuse('is a watch of no connection')
      return
    }
    const pathEnd = header + reader.u16(4)
    const path = reader.string(header, pathEnd)
    const token = reader.string(pathEnd, pathEnd + reader.u16(6))
    const depth = header === WATCH_EXTENDED_LENGTH ? reader.u16(8) : UNLIMITED_DEPTH
    const home = connection.end.kind === 'ring' ? connection.end.domid : DOM0
    if (!parsePath(path, 0, path.length, home, this.#path, 0)) {
      // C xenstored 4.17 lets anybody watch any word behind an "@"; nothing ever happens there.
      if (path[0] === AT) return
      reader.refuse('is a watch of no valid path')
    }
    connection.watches.push({
      path,
      token,
      depth: depth === UNLIMITED_DEPTH ? ALL_LEVELS : depth,
    })
  }

  #takeNode(reader: StreamReader): void {
    if (!isCommitted(reader)) return
    const { perms, pathStart, pathEnd, valueEnd } = nodeParts(reader)
    const path = reader.string(pathStart, pathEnd)
    if (perms === 0 || perms > MAX_ENTRIES) reader.refuse('has no permissions, or too many')
    if (valueEnd - pathEnd > XENSTORE_PAYLOAD_MAX) reader.refuse('has too long a value')
    for (let i = 0; i < perms; i++) {
      if (letterAt(reader, i) < 0) reader.refuse('has a permission without a letter')
    }
    reader.require(valueEnd)
    if (this.nodes++ === 0) this.firstNode = reader.place
    // Special nodes may come before all others: C xenstored 4.17 tells them first.
    if (this.#hasRoot || path[0] === AT) return
    if (path.length !== 1 || path[0] !== SLASH) reader.refuse('is the first node and not the root')
    this.#hasRoot = true
  }

  #takeDomain(reader: StreamReader, version: number): void {
    const domid = reader.u16(0)
    if (!isDomid(domid) || this.#domains.has(domid)) reader.refuse('is a second record of a domain')
    const at = version >= VERSION_FULL ? 8 : 4
    const features = version >= VERSION_FULL ? reader.u32(4) : undefined
    this.#domains.set(domid, { domid, features, quotas: readQuotas(reader, at, reader.u16(2)) })
  }
}

/** Where the parts of a node's record lie in its body. */
interface NodeParts {
  readonly perms: number
  readonly pathStart: number
  readonly pathEnd: number
  readonly valueEnd: number
}

/** The path ends with its NUL. */
export function nodeParts(reader: StreamReader): NodeParts {
  const perms = reader.u16(14)
  const pathStart = NODE_LENGTH + perms * PERM_LENGTH
  const pathEnd = pathStart + reader.u16(8)
  return { perms, pathStart, pathEnd, valueEnd: pathEnd + reader.u16(10) }
}

/** Letter bits of a node's permission; -1: it is none. */
export function letterAt(reader: StreamReader, entry: number): number {
  return LETTERS.indexOf(reader.u8(NODE_LENGTH + entry * PERM_LENGTH))
}

/** Not part of a transaction: those are not taken over. */
function isCommitted(reader: StreamReader): boolean {
  return reader.u32(0) === 0
}

function isRowOfMessages(output: Uint8Array, cut: number): boolean {
  if (cut > output.length) return false
  const view = new DataView(output.buffer, output.byteOffset, output.byteLength)
  let at = cut
  while (at < output.length) {
    if (output.length - at < HEADER_BYTES) return false
    const length = view.getUint32(at + 12, true)
    if (length > XENSTORE_PAYLOAD_MAX || output.length - at - HEADER_BYTES < length) return false
    at += HEADER_BYTES + length
  }
  return true
}
