/** Writes down all that a successor needs, in upstream's stream format and with our annex behind it. */

import type { Handover } from '../../native/handover.ts'
import { DOM0, type Domid } from '../../native/hypervisor.ts'
import {
  CONNECTION_DOMID,
  CONNECTION_FD,
  CONNECTION_FRESH,
  CONNECTION_KIND,
  CONNECTION_LOCAL_PORT,
  CONNECTION_PAGE_HIGH,
  CONNECTION_PAGE_KIND,
  CONNECTION_PAGE_LOW,
  CONNECTION_REMOTE_PORT,
  CONNECTION_STATE,
  CONNECTION_WORDS,
  type ConnectionId,
  STATE_BROKEN,
  STATE_ENDED,
} from '../../native/ring-set.ts'
import { SERVER_FEATURES } from '../store/features.ts'
import type { Quotas } from '../store/quota.ts'
import type { StoreSnapshot } from '../store/snapshot.ts'
import { ALL_LEVELS } from '../store/watches.ts'
import {
  ANNEX_MAGIC,
  ANNEX_VERSION,
  type Figures,
  writeConnection,
  writeCounters,
  writeDomain,
  writeProcess,
} from './annex.ts'
import { type QuotaValues, quotasLength, STREAM_QUOTAS, writeQuotas } from './quota-records.ts'
import {
  CONNECTION_LENGTH,
  CONNECTION_RING,
  CONNECTION_SOCKET,
  FIELD_MAX,
  GLOBAL_LENGTH,
  NO_TARGET,
  NODE_LENGTH,
  PERM_LENGTH,
  PERM_STALE,
  QUOTA_HEADER_LENGTH,
  RECORD_CONNECTION,
  RECORD_DOMAIN,
  RECORD_GLOBAL,
  RECORD_GLOBAL_QUOTA,
  RECORD_NODE,
  RECORD_WATCH,
  RECORD_WATCH_EXTENDED,
  VERSION_FULL,
  VERSION_PLAIN,
  WATCH_EXTENDED_LENGTH,
  WATCH_LENGTH,
} from './stream-format.ts'
import type { StreamWriter } from './stream-writer.ts'

const KIND_SOCKET = 1
const LETTERS = Buffer.from('nrwb', 'latin1')
const NO_BYTES = new Uint8Array(0)

/** What is written down. */
export interface DumpSource {
  readonly store: StoreSnapshot
  /** Words of all connections (native/ring-set.ts). */
  readonly connections: Int32Array
  readonly handover: Handover
  /** In force for domains without limits of their own. */
  readonly quotas: Quotas
  /** Those that the successor's command line does not give it. */
  readonly changedQuotas: QuotaValues
  readonly counters: Figures
  readonly pidFileFd: number
  readonly stoppedAtMs: number
  uuidOf(domid: Domid): string | undefined
}

/** A message that is to go out behind everything else that waits for the connection. */
export interface LastWord {
  readonly connection: ConnectionId
  /** Header and payload. */
  readonly bytes: Uint8Array
}

/** The oldest version that can tell all there is to tell. */
export function neededVersion({ store, connections, quotas, changedQuotas }: DumpSource): number {
  if (changedQuotas.size > 0) return VERSION_FULL
  for (const domid of [DOM0, ...store.domains()]) {
    if (isSpecial(store, domid, quotas)) return VERSION_FULL
  }
  for (const id of idsIn(connections)) {
    for (let watch = store.firstWatch(id); watch !== 0; watch = store.nextWatch(watch)) {
      if (store.depthOf(watch) !== ALL_LEVELS) return VERSION_FULL
    }
  }
  return VERSION_PLAIN
}

/**
 * @param version an older one than is needed leaves out what it cannot tell
 * @throws Error when something does not fit into the format
 */
export function dump(
  source: DumpSource,
  writer: StreamWriter,
  version: number,
  lastWord?: LastWord,
): void {
  const { store, connections, handover, quotas } = source
  const isFull = version >= VERSION_FULL
  writer.begin(version)
  writeGlobal(writer, handover)
  if (isFull && source.changedQuotas.size > 0) writeGlobalQuotas(writer, source.changedQuotas)
  for (const id of idsIn(connections)) {
    writeOneConnection(source, writer, id, lastWord?.connection === id ? lastWord.bytes : NO_BYTES)
    writeWatches(store, writer, id, isFull)
  }
  for (let node = store.firstNode(); node !== 0; node = store.nextNode(node)) {
    writeNode(store, writer, node)
  }
  for (const node of store.specialNodes()) writeNode(store, writer, node)
  for (const domid of isFull ? [DOM0, ...store.domains()] : []) {
    if (isSpecial(store, domid, quotas)) writeDomainRecord(store, writer, domid, quotas)
  }
  writer.end()
  writeAnnex(source, writer)
  writer.flush()
}

function writeGlobal(writer: StreamWriter, handover: Handover): void {
  const { listener, events } = handover.inheritableDescriptors()
  writer.beginRecord(RECORD_GLOBAL, GLOBAL_LENGTH)
  writer.u32(listener)
  writer.u32(events)
  writer.endRecord()
}

function writeGlobalQuotas(writer: StreamWriter, quotas: QuotaValues): void {
  writer.beginRecord(RECORD_GLOBAL_QUOTA, QUOTA_HEADER_LENGTH + quotasLength(quotas))
  writer.u16(quotas.size)
  writer.u16(0)
  writeQuotas(writer, quotas)
  writer.endRecord()
}

function writeOneConnection(
  { store, connections, handover }: DumpSource,
  writer: StreamWriter,
  id: ConnectionId,
  lastWord: Uint8Array,
): void {
  const word = (field: number) => connections[id * CONNECTION_WORDS + field] as number
  const input = handover.inputOf(id)
  const cut = handover.cutOf(id)
  const unsent = handover.unsentOf(id)
  if (input.length > FIELD_MAX || cut > FIELD_MAX) {
    throw new Error(`connection ${id} has ${input.length} bytes that were not served`)
  }
  const length = CONNECTION_LENGTH + input.length + unsent.length + lastWord.length
  writer.beginRecord(RECORD_CONNECTION, length)
  writer.u32(id)
  if (word(CONNECTION_KIND) === KIND_SOCKET) {
    writer.u16(CONNECTION_SOCKET)
    writer.u16(0)
    writer.u32(word(CONNECTION_FD))
    writer.u32(0)
  } else {
    const domid = word(CONNECTION_DOMID) as Domid
    const target = store.targetOf(domid)
    writer.u16(CONNECTION_RING)
    writer.u16(0)
    writer.u16(domid)
    writer.u16(target < 0 ? NO_TARGET : target)
    writer.u32(word(CONNECTION_LOCAL_PORT))
  }
  writer.u16(input.length)
  writer.u16(cut)
  writer.u32(unsent.length + lastWord.length)
  writer.bytes(input)
  writer.bytes(unsent)
  writer.bytes(lastWord)
  writer.endRecord()
}

function writeWatches(
  store: StoreSnapshot,
  writer: StreamWriter,
  id: ConnectionId,
  isFull: boolean,
): void {
  for (let watch = store.firstWatch(id); watch !== 0; watch = store.nextWatch(watch)) {
    store.openWatch(watch)
    const depth = store.depthOf(watch)
    const hasDepth = isFull && depth !== ALL_LEVELS
    const path = store.pathEnd - store.pathStart + 1
    const token = store.end - store.start + 1
    const header = hasDepth ? WATCH_EXTENDED_LENGTH : WATCH_LENGTH
    writer.beginRecord(hasDepth ? RECORD_WATCH_EXTENDED : RECORD_WATCH, header + path + token)
    writer.u32(id)
    writer.u16(path)
    writer.u16(token)
    if (hasDepth) {
      writer.u16(depth)
      writer.u16(0)
    }
    writer.bytes(store.path, store.pathStart, store.pathEnd)
    writer.u8(0)
    writer.bytes(store.bytes, store.start, store.end)
    writer.u8(0)
    writer.endRecord()
  }
}

function writeNode(store: StoreSnapshot, writer: StreamWriter, node: number): void {
  store.openNode(node)
  const perms = store.permCount()
  const path = store.pathEnd - store.pathStart + 1
  const value = store.end - store.start
  writer.beginRecord(RECORD_NODE, NODE_LENGTH + perms * PERM_LENGTH + path + value)
  writer.u32(0)
  writer.u32(0)
  writer.u16(path)
  writer.u16(value)
  writer.u16(0)
  writer.u16(perms)
  for (let i = 0; i < perms; i++) {
    writer.u8(LETTERS[store.letterOf(i)] as number)
    writer.u8(store.isStale(i) ? PERM_STALE : 0)
    writer.u16(store.domidOf(i))
  }
  writer.bytes(store.path, store.pathStart, store.pathEnd)
  writer.u8(0)
  writer.bytes(store.bytes, store.start, store.end)
  writer.endRecord()
}

function writeDomainRecord(
  store: StoreSnapshot,
  writer: StreamWriter,
  domid: Domid,
  quotas: Quotas,
): void {
  const own = ownLimits(store, domid, quotas)
  writer.beginRecord(RECORD_DOMAIN, 8 + quotasLength(own))
  writer.u16(domid)
  writer.u16(own.size)
  writer.u32(store.featuresOf(domid))
  writeQuotas(writer, own)
  writer.endRecord()
}

function writeAnnex(source: DumpSource, writer: StreamWriter): void {
  const { store, connections } = source
  writer.begin(ANNEX_VERSION, ANNEX_MAGIC)
  const { pidFileFd, stoppedAtMs } = source
  writeProcess(writer, { pidFileFd, stoppedAtMs, generation: store.generation })
  for (const id of idsIn(connections)) {
    const word = (field: number) => connections[id * CONNECTION_WORDS + field] as number
    const state = word(CONNECTION_STATE)
    writeConnection(writer, {
      connection: id,
      isBroken: (state & STATE_BROKEN) !== 0,
      isEnded: (state & STATE_ENDED) !== 0,
      lastTxId: store.lastTxIdOf(id),
      remotePort: word(CONNECTION_REMOTE_PORT),
      pageKind: word(CONNECTION_PAGE_KIND),
      page: (word(CONNECTION_PAGE_HIGH) >>> 0) * 2 ** 32 + (word(CONNECTION_PAGE_LOW) >>> 0),
    })
  }
  for (const domid of store.domains()) {
    const isIntroduced = store.isIntroduced(domid)
    const isShutdownReported = store.isShutdownReported(domid)
    writeDomain(writer, { domid, isIntroduced, isShutdownReported, uuid: source.uuidOf(domid) })
  }
  writeCounters(writer, source.counters)
  writer.end()
}

/** Has it limits or features of its own? */
function isSpecial(store: StoreSnapshot, domid: Domid, quotas: Quotas): boolean {
  return (
    store.featuresOf(domid) !== SERVER_FEATURES ||
    STREAM_QUOTAS.some(([, key]) => store.limitOf(domid, key) !== quotas[key])
  )
}

function ownLimits(store: StoreSnapshot, domid: Domid, quotas: Quotas): QuotaValues {
  const own = new Map<keyof Quotas, number>()
  for (const [, key] of STREAM_QUOTAS) {
    const limit = store.limitOf(domid, key)
    if (limit !== quotas[key]) own.set(key, limit)
  }
  return own
}

/** Connections that there are, lowest first. */
function* idsIn(connections: Int32Array): Iterable<ConnectionId> {
  const end = connections[CONNECTION_FRESH] as number
  for (let id = 1; id < end; id++) {
    const kind = connections[id * CONNECTION_WORDS + CONNECTION_KIND]
    if (kind !== 0) yield id as ConnectionId
  }
}
