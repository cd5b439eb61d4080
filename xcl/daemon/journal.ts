/**
 * What xcld knows of its domains, on disk: one file per domain, named by its uuid, which is also
 * its handle in Xen.
 *
 * ```
 * journal/<uuid>.json    being created: at the next start of xcld the domain is undone
 * domains/<uuid>.json    created: its configuration, for on_reboot and its like
 * restarts/<uuid>.json   to be created (again): kept from before its predecessor goes until it is there
 * spare/<number>         files of domains that are no more, and whatever a kill cut off
 * ```
 *
 * A file is written as a spare one and then renamed, and moves from folder to folder by rename: a
 * kill leaves the old content or the new, never a part. Only the domid is written in place: a few
 * bytes of one page, which no kill divides. Nothing is flushed to the disk: what survives a crash of
 * the machine is of no use, for no domain survives it.
 *
 * Files are used again, because ext4 passes over every inode that was freed in the last seconds
 * before it gives a new file one: with a thousand guests a second coming and going, writing a new
 * file took 960 us, an old one takes 9.
 */
import {
  closeSync,
  constants,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import * as v from 'valibot'
import { type Domid, domidFrom } from '../../native/hypervisor.ts'
import { type DomainConfig, END_ACTIONS } from '../config/domain-config.ts'
import type { OpenDisk } from '../device/vbd.ts'
import { JournalFailed } from '../output/errors.ts'

/** Content of a file. */
export interface DomainRecord {
  readonly uuid: string
  /** Undefined until Xen has given it a number. */
  readonly domid: Domid | undefined
  readonly config: DomainConfig
  /** What was opened for its disks, in their order. */
  readonly openDisks: readonly OpenDisk[]
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
const vifSchema = v.object({
  devid: v.number(),
  mac: v.optional(v.string()),
  bridge: v.string(),
  ip: v.optional(v.string()),
  rate: v.optional(v.object({ bytes: v.number(), intervalUs: v.number() })),
  isTrusted: v.boolean(),
})
const diskSchema = v.object({
  vdev: v.string(),
  devid: v.number(),
  target: v.string(),
  isReadOnly: v.boolean(),
  isDiscardEnabled: v.boolean(),
  isDirectIoSafe: v.boolean(),
  isTrusted: v.boolean(),
})
const recordSchema = v.object({
  uuid: v.string(),
  domid: v.nullable(v.number()),
  openDisks: v.optional(
    v.array(v.object({ path: v.string(), major: v.number(), minor: v.number() })),
    [],
  ),
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
    vifs: v.optional(v.array(vifSchema), []),
    disks: v.optional(v.array(diskSchema), []),
    onPoweroff: action,
    onReboot: action,
    onCrash: action,
    onWatchdog: action,
    onSoftReset: action,
  }),
})

const FILE_NAME = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.json$/
/** So many files are kept to be used again. */
const SPARES_MAX = 4096
/** Begins every record; what stands for the domid has always the same width. */
const DOMID_KEY = '{"domid":'
const DOMID_WIDTH = 5

export class Journal {
  readonly #begun: string
  readonly #done: string
  readonly #restarts: string
  readonly #spare: string
  /** Names of spare files. */
  readonly #spares: string[]
  readonly #stateDir: string
  #lastSpare: number

  /** @param stateDir made when it is missing */
  constructor(stateDir: string) {
    this.#stateDir = stateDir
    this.#begun = join(stateDir, 'journal')
    this.#done = join(stateDir, 'domains')
    this.#restarts = join(stateDir, 'restarts')
    this.#spare = join(stateDir, 'spare')
    for (const folder of [this.#begun, this.#done, this.#restarts, this.#spare]) {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
    }
    this.#spares = readdirSync(this.#spare).filter((name) => /^[0-9]{1,15}$/.test(name))
    this.#lastSpare = Math.max(0, ...this.#spares.map(Number))
  }

  /**
   * Before the domain exists.
   * @throws JournalFailed, as all that write
   */
  begin(record: DomainRecord): void {
    this.#put(this.#begun, record)
  }

  /** Xen has given the domain that was begun a number. */
  assign(uuid: string, domid: Domid): void {
    this.#write(() => writeDomid(join(this.#begun, fileName(uuid)), domid))
  }

  /** The domain is complete. */
  complete(uuid: string): void {
    this.#write(() =>
      renameSync(join(this.#begun, fileName(uuid)), join(this.#done, fileName(uuid))),
    )
  }

  /** Nothing is left of the domain. */
  remove(uuid: string): void {
    this.#drop(this.#begun, uuid)
    this.#drop(this.#done, uuid)
  }

  /** From now on a domain of this uuid is to be created, by a later xcld if need be. */
  beginRestart(record: DomainRecord): void {
    this.#put(this.#restarts, record)
  }

  /** It is there, or is not wanted any more. */
  endRestart(uuid: string): void {
    this.#drop(this.#restarts, uuid)
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

  #put(folder: string, record: DomainRecord): void {
    const name = this.#spares.pop() ?? String(++this.#lastSpare)
    const file = join(this.#spare, name)
    this.#write(() => {
      writeRecord(file, record)
      renameSync(file, join(folder, fileName(record.uuid)))
    })
  }

  #drop(folder: string, uuid: string): void {
    const file = join(folder, fileName(uuid))
    const name = String(++this.#lastSpare)
    try {
      if (this.#spares.length < SPARES_MAX) {
        renameSync(file, join(this.#spare, name))
        this.#spares.push(name)
        return
      }
    } catch (error) {
      // Most likely there is no such record; but it may also be the folder for it that is missing.
      if (!isMissing(error)) throw new JournalFailed(this.#stateDir, error)
    }
    this.#write(() => rmSync(file, { force: true }))
  }

  #write(work: () => void): void {
    try {
      work()
    } catch (error) {
      throw new JournalFailed(this.#stateDir, error)
    }
  }
}

function writeRecord(file: string, { domid, ...record }: DomainRecord): void {
  const text = `${DOMID_KEY}${domidText(domid)},${JSON.stringify(record).slice(1)}`
  const bytes = Buffer.from(text)
  const fd = openSync(file, constants.O_WRONLY | constants.O_CREAT, 0o600)
  try {
    // In parts only when the disk becomes full: then the next part says so.
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at)
    ftruncateSync(fd, bytes.length)
  } finally {
    closeSync(fd)
  }
}

function writeDomid(file: string, domid: Domid): void {
  const fd = openSync(file, 'r+')
  try {
    writeSync(fd, domidText(domid), DOMID_KEY.length)
  } finally {
    closeSync(fd)
  }
}

function domidText(domid: Domid | undefined): string {
  return String(domid ?? null).padEnd(DOMID_WIDTH)
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

/** Files that are none of ours stay where they are. */
function readRecords(folder: string): Records {
  const records: DomainRecord[] = []
  const broken: BrokenRecord[] = []
  for (const name of readdirSync(folder)) {
    const file = join(folder, name)
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
    domid: record.domid === null ? undefined : domidFrom(String(record.domid)),
    // JSON leaves out what is undefined.
    config: {
      ...record.config,
      uuid,
      ramdisk: record.config.ramdisk,
      vifs: record.config.vifs.map((vif) => ({
        ...vif,
        mac: vif.mac,
        ip: vif.ip,
        rate: vif.rate,
      })),
    },
  }
}

function fileName(uuid: string): string {
  return `${uuid}.json`
}
