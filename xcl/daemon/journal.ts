/**
 * What xcld knows of its domains, on disk: one file per domain, named by its uuid, which is also
 * its handle in Xen.
 *
 * ```
 * journal/<uuid>.json    being created: at the next start of xcld the domain is undone
 * domains/<uuid>.json    created: its configuration, for on_reboot and its like
 * restarts/<uuid>.json   to be created (again): kept from before its predecessor goes until it is there
 * ```
 *
 * A file is written beside its place and then renamed, and moves from one folder to the other by
 * rename: a kill leaves the old content or the new, never a part. Nothing is flushed to the disk:
 * what survives a crash of the machine is of no use, for no domain survives it.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as v from 'valibot'
import { type Domid, domidFrom } from '../../native/hypervisor.ts'
import { type DomainConfig, END_ACTIONS } from '../config/domain-config.ts'

/** Content of a file. */
export interface DomainRecord {
  readonly uuid: string
  /** Undefined until Xen has given it a number. */
  readonly domid: Domid | undefined
  readonly config: DomainConfig
  /** Whoever created it wanted it paused: that it never ran does not mean it was cut off. */
  readonly isLeftPaused: boolean
  /** Ends in a row that came too soon, before this start. */
  readonly quickDeaths: number
}

/** A file that cannot be read; the uuid is the one its name says. */
export interface BrokenRecord {
  readonly file: string
  readonly uuid: string
  readonly error: unknown
}

/** What a folder held. */
export interface Records {
  readonly records: readonly DomainRecord[]
  readonly broken: readonly BrokenRecord[]
}

const action = v.picklist(END_ACTIONS)
const recordSchema = v.object({
  uuid: v.string(),
  domid: v.optional(v.number()),
  isLeftPaused: v.optional(v.boolean(), false),
  quickDeaths: v.optional(v.number(), 0),
  config: v.object({
    name: v.string(),
    uuid: v.optional(v.string()),
    type: v.picklist(['pv', 'pvh']),
    kernel: v.string(),
    ramdisk: v.optional(v.string()),
    cmdline: v.string(),
    memoryKiB: v.number(),
    maxMemoryKiB: v.number(),
    vcpus: v.number(),
    maxVcpus: v.number(),
    maxGrantFrames: v.number(),
    maxMaptrackFrames: v.number(),
    maxEvtchnPort: v.number(),
    onPoweroff: action,
    onReboot: action,
    onCrash: action,
    onWatchdog: action,
    onSoftReset: action,
  }),
})

const FILE_NAME = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.json$/
/** Ends the name of a file that is being written. */
const UNFINISHED = '.new'

export class Journal {
  readonly #begun: string
  readonly #done: string
  readonly #restarts: string

  /** @param stateDir made when it is missing */
  constructor(stateDir: string) {
    this.#begun = join(stateDir, 'journal')
    this.#done = join(stateDir, 'domains')
    this.#restarts = join(stateDir, 'restarts')
    for (const folder of [this.#begun, this.#done, this.#restarts]) {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
    }
  }

  /** Before the domain exists, and again when its domid is known. */
  begin(record: DomainRecord): void {
    writeRecord(this.#begun, record)
  }

  /** The domain is complete. */
  complete(uuid: string): void {
    renameSync(join(this.#begun, fileName(uuid)), join(this.#done, fileName(uuid)))
  }

  /** Nothing is left of the domain. */
  remove(uuid: string): void {
    rmSync(join(this.#begun, fileName(uuid)), { force: true })
    rmSync(join(this.#done, fileName(uuid)), { force: true })
  }

  /** From now on a domain of this uuid is to be created, by a later xcld if need be. */
  beginRestart(record: DomainRecord): void {
    writeRecord(this.#restarts, record)
  }

  /** It is there, or is not wanted any more. */
  endRestart(uuid: string): void {
    rmSync(join(this.#restarts, fileName(uuid)), { force: true })
  }

  /** Creations that were cut off. */
  halfMade(): Records {
    return readRecords(this.#begun)
  }

  /** Domains that were complete. */
  domains(): Records {
    return readRecords(this.#done)
  }

  /** Domains that are to be created. */
  restarts(): Records {
    return readRecords(this.#restarts)
  }
}

function writeRecord(folder: string, record: DomainRecord): void {
  const file = join(folder, fileName(record.uuid))
  writeFileSync(file + UNFINISHED, JSON.stringify(record))
  renameSync(file + UNFINISHED, file)
}

/** Files that are none of ours stay where they are. */
function readRecords(folder: string): Records {
  const records: DomainRecord[] = []
  const broken: BrokenRecord[] = []
  for (const name of readdirSync(folder)) {
    const file = join(folder, name)
    if (name.endsWith(UNFINISHED)) rmSync(file, { force: true, recursive: true })
    const uuid = FILE_NAME.exec(name)?.[1]
    if (uuid === undefined) continue
    try {
      records.push(readRecord(file, uuid))
    } catch (error) {
      broken.push({ file, uuid, error })
    }
  }
  return { records, broken }
}

function readRecord(file: string, uuid: string): DomainRecord {
  const record = v.parse(recordSchema, JSON.parse(readFileSync(file, 'utf8')))
  if (record.uuid !== uuid) throw new Error(`a record of ${record.uuid}`)
  return {
    ...record,
    domid: record.domid === undefined ? undefined : domidFrom(String(record.domid)),
    // JSON leaves out what is undefined.
    config: { ...record.config, uuid, ramdisk: record.config.ramdisk },
  }
}

function fileName(uuid: string): string {
  return `${uuid}.json`
}
