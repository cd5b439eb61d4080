/**
 * What lixs tells the next lixs beyond upstream's stream: a second one behind its END, where upstream's
 * readers have stopped. Without it (after a stock daemon) what is missing is asked of Xen, or begins anew.
 */
import type { Domid } from '../../native/hypervisor.ts'
import { isDomid } from '../store/perms.ts'
import { RECORD_END } from './stream-format.ts'
import type { StreamReader } from './stream-reader.ts'
import type { StreamWriter } from './stream-writer.ts'

export const ANNEX_MAGIC = 'lixs-ext'
export const ANNEX_VERSION = 1

const ANNEX_PROCESS = 1
const ANNEX_CONNECTION = 2
const ANNEX_DOMAIN = 3
const ANNEX_COUNTERS = 4

const PROCESS_LENGTH = 24
const CONNECTION_LENGTH = 24
const DOMAIN_LENGTH = 20
const UUID_BYTES = 16

/** Of a connection: its guest broke the ring, or nothing more is read from the socket. */
const IS_BROKEN = 1
const IS_ENDED = 2
/** Of a domain. */
const IS_INTRODUCED = 1
const IS_SHUTDOWN_REPORTED = 2

/** The process as it was when it stopped to serve. */
export interface ProcessNote {
  /** Locked; -1: there is none. */
  readonly pidFileFd: number
  /** Number of the last change in the store. */
  readonly generation: number
  /** Monotonic clock of the host. */
  readonly stoppedAtMs: number
}

export interface ConnectionNote {
  readonly connection: number
  readonly isBroken: boolean
  readonly isEnded: boolean
  readonly lastTxId: number
  readonly remotePort: number
  /** PAGE_… of native/handover.ts. */
  readonly pageKind: number
  readonly page: number
}

export interface DomainNote {
  readonly domid: Domid
  readonly isIntroduced: boolean
  readonly isShutdownReported: boolean
  /** Lower case, 8-4-4-4-12; undefined: Xen was not asked. */
  readonly uuid: string | undefined
}

export interface Annex {
  readonly process: ProcessNote
  readonly connections: ReadonlyMap<number, ConnectionNote>
  readonly domains: readonly DomainNote[]
  /** What was counted. */
  readonly counters: Figures
}

/** By name. */
export type Figures = readonly (readonly [string, number])[]

export function writeProcess(writer: StreamWriter, note: ProcessNote): void {
  writer.beginRecord(ANNEX_PROCESS, PROCESS_LENGTH)
  writer.u32(note.pidFileFd)
  writer.u32(0)
  writer.f64(note.generation)
  writer.f64(note.stoppedAtMs)
  writer.endRecord()
}

export function writeConnection(writer: StreamWriter, note: ConnectionNote): void {
  writer.beginRecord(ANNEX_CONNECTION, CONNECTION_LENGTH)
  writer.u32(note.connection)
  writer.u16((note.isBroken ? IS_BROKEN : 0) | (note.isEnded ? IS_ENDED : 0))
  writer.u16(note.pageKind)
  writer.u32(note.lastTxId)
  writer.u32(note.remotePort)
  writer.f64(note.page)
  writer.endRecord()
}

export function writeDomain(writer: StreamWriter, note: DomainNote): void {
  writer.beginRecord(ANNEX_DOMAIN, DOMAIN_LENGTH)
  writer.u16(note.domid)
  writer.u16(
    (note.isIntroduced ? IS_INTRODUCED : 0) | (note.isShutdownReported ? IS_SHUTDOWN_REPORTED : 0),
  )
  writer.bytes(Buffer.from((note.uuid ?? '0'.repeat(32)).replaceAll('-', ''), 'hex'))
  writer.endRecord()
}

export function writeCounters(writer: StreamWriter, counters: Figures): void {
  const names = counters.map(([name]) => name)
  writer.beginRecord(ANNEX_COUNTERS, 8 + counters.length * 8 + `${names.join(' ')} `.length)
  writer.u32(counters.length)
  writer.u32(0)
  for (const [, value] of counters) writer.f64(value)
  writer.text(names.join(' '))
  writer.endRecord()
}

/** @returns undefined when there is none, or one of another version */
export function readAnnex(reader: StreamReader): Annex | undefined {
  if (!reader.hasHeader(ANNEX_MAGIC)) return undefined
  if (reader.header(ANNEX_MAGIC) !== ANNEX_VERSION) return undefined
  let process: ProcessNote | undefined
  const connections = new Map<number, ConnectionNote>()
  const domains: DomainNote[] = []
  let counters: Figures = []
  for (;;) {
    const type = reader.next()
    if (type === RECORD_END) break
    if (type === ANNEX_PROCESS) process = processNote(reader)
    else if (type === ANNEX_DOMAIN) domains.push(domainNote(reader))
    else if (type === ANNEX_COUNTERS) counters = figures(reader)
    else if (type === ANNEX_CONNECTION) {
      const note = connectionNote(reader)
      connections.set(note.connection, note)
    }
  }
  if (process === undefined) reader.refuse('tells nothing of the process before')
  return { process, connections, domains, counters }
}

function processNote(reader: StreamReader): ProcessNote {
  reader.require(PROCESS_LENGTH)
  return { pidFileFd: reader.i32(0), generation: reader.f64(8), stoppedAtMs: reader.f64(16) }
}

function figures(reader: StreamReader): Figures {
  const count = reader.u32(0)
  reader.require(8 + count * 8)
  const text = reader.bytes(8 + count * 8, reader.length)
  const end = text.indexOf(0)
  if (end < 0) reader.refuse('names no figures')
  const names = Buffer.from(text.subarray(0, end)).toString('latin1').split(' ')
  return names.slice(0, count).map((name, i) => [name, reader.f64(8 + i * 8)])
}

function connectionNote(reader: StreamReader): ConnectionNote {
  reader.require(CONNECTION_LENGTH)
  const flags = reader.u16(4)
  return {
    connection: reader.u32(0),
    isBroken: (flags & IS_BROKEN) !== 0,
    isEnded: (flags & IS_ENDED) !== 0,
    pageKind: reader.u16(6),
    lastTxId: reader.u32(8),
    remotePort: reader.u32(12),
    page: reader.f64(16),
  }
}

function domainNote(reader: StreamReader): DomainNote {
  reader.require(DOMAIN_LENGTH)
  const domid = reader.u16(0)
  if (!isDomid(domid)) reader.refuse('speaks of no domain')
  const flags = reader.u16(2)
  const hex = Buffer.from(reader.bytes(4, 4 + UUID_BYTES)).toString('hex')
  const uuid = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  return {
    domid,
    isIntroduced: (flags & IS_INTRODUCED) !== 0,
    isShutdownReported: (flags & IS_SHUTDOWN_REPORTED) !== 0,
    uuid: /[1-9a-f]/.test(uuid) ? uuid : undefined,
  }
}
