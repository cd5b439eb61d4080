/**
 * What xcld knows of its domains, on disk: a record for each, by its uuid, which is also its handle in
 * Xen. A record says where the domain stands:
 *
 * ```
 * begun     being created: at the next start of xcld the domain is undone
 * done      created: its configuration, for on_reboot and its like
 * wanted    to be created (again): kept from before its predecessor goes until it is there
 * ```
 *
 * From one to the next is a write of one byte, and so few are those of the domid and of each disk's
 * device, too: no kill divides them. Nothing is flushed to the disk: what survives a crash of the machine is of no use, for no
 * domain survives it.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import * as v from 'valibot'
import { type BlockDevice, type Domid, domidFrom } from '../../native/hypervisor.ts'
import { type DomainConfig, END_ACTIONS } from '../config/domain-config.ts'
import type { OpenDisk } from '../device/vbd.ts'
import { JournalFailed } from '../output/errors.ts'
import { type Place, RecordFile } from './record-file.ts'

export interface DomainRecord {
  readonly uuid: string
  /** Undefined until Xen has given it a number. */
  readonly domid: Domid | undefined
  readonly config: DomainConfig
  /** Of its disks, in their order: see disk-identity.ts. */
  readonly diskIdentities: readonly string[]
  /** What was opened for its disks, in their order, as far as that has come. */
  readonly openDisks: readonly OpenDisk[]
  /** Whoever created it wanted it paused: that it never ran does not mean it was cut off. */
  readonly isLeftPaused: boolean
  /** Ends in a row that came too soon, before this start. */
  readonly quickDeaths: number
}

/** A record that cannot be understood. */
export interface BrokenRecord {
  readonly uuid: string
  readonly error: unknown
}

/** What stood in the journal when it was opened, or was written since. */
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
  devices: v.optional(v.array(v.nullable(v.number())), []),
  diskIdentities: v.optional(v.array(v.string()), []),
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

/** Letters of the states in the file. */
const BEGUN = 'b'
const DONE = 'd'
const WANTED = 'w'
/** Begins every record; what stands for the domid, and for a device, has always the same width. */
const DOMID_KEY = '{"domid":'
const DOMID_WIDTH = 5
/** Behind the domid: the number of each disk's device, once that is open. */
const DEVICES_KEY = ',"devices":['
const DEVICE_WIDTH = 10
/** Linux has room for so many minor numbers under each major one. */
const MINORS = 2 ** 20

export class Journal {
  readonly #path: string
  readonly #file: RecordFile
  readonly #begun = new Map<string, Place>()
  readonly #done = new Map<string, Place>()
  readonly #wanted = new Map<string, Place>()

  /**
   * @param stateDir made when it is missing
   * @throws NodeJS.ErrnoException when the file in it cannot be opened
   */
  constructor(stateDir: string) {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 })
    this.#path = join(stateDir, 'domains.journal')
    const places: Readonly<Record<string, Map<string, Place>>> = {
      [BEGUN]: this.#begun,
      [DONE]: this.#done,
      [WANTED]: this.#wanted,
    }
    this.#file = new RecordFile(this.#path, ({ place, state, uuid }) => {
      places[state]?.set(uuid, place)
    })
  }

  /**
   * Before the domain exists.
   * @throws JournalFailed, as all that write
   */
  begin(record: DomainRecord): void {
    this.#add(this.#begun, BEGUN, record)
  }

  /** Xen has given the domain that was begun a number. */
  assign(uuid: string, domid: Domid): void {
    const place = this.#begun.get(uuid)
    if (place === undefined) return
    this.#write(() => this.#file.patch(place, DOMID_KEY.length, domidText(domid)))
  }

  /** A disk of the domain that was begun is open. @param index among its disks */
  opened(uuid: string, index: number, device: BlockDevice): void {
    const place = this.#begun.get(uuid)
    if (place === undefined) return
    const at = DOMID_KEY.length + DOMID_WIDTH + DEVICES_KEY.length + index * (DEVICE_WIDTH + 1)
    this.#write(() => this.#file.patch(place, at, deviceText(device)))
  }

  /** The domain that was begun is complete. */
  complete(uuid: string): void {
    const place = this.#begun.get(uuid)
    if (place === undefined) return
    this.#write(() => this.#file.setState(place, DONE))
    // Of a domain that had the uuid before, and has gone without a word.
    this.#remove(this.#done, uuid)
    this.#begun.delete(uuid)
    this.#done.set(uuid, place)
  }

  /** Nothing is left of the domain. */
  remove(uuid: string): void {
    this.#remove(this.#begun, uuid)
    this.#remove(this.#done, uuid)
  }

  /** From now on a domain of this uuid is to be created, by a later xcld if need be. */
  beginRestart(record: DomainRecord): void {
    this.#add(this.#wanted, WANTED, record)
  }

  /** It is there, or is not wanted any more. */
  endRestart(uuid: string): void {
    this.#remove(this.#wanted, uuid)
  }

  /** Creations that were cut off. */
  halfMade(): Records {
    return this.#read(this.#begun)
  }

  /** Domains that were complete. */
  domains(): Records {
    return this.#read(this.#done)
  }

  /** Domains that are to be created. */
  restarts(): Records {
    return this.#read(this.#wanted)
  }

  close(): void {
    this.#file.close()
  }

  #add(places: Map<string, Place>, state: string, record: DomainRecord): void {
    const { uuid } = record
    const place = this.#write(() => this.#file.add(state, uuid, textOf(record)))
    this.#remove(places, uuid)
    places.set(uuid, place)
  }

  #remove(places: Map<string, Place>, uuid: string): void {
    const place = places.get(uuid)
    if (place === undefined) return
    this.#write(() => this.#file.remove(place))
    places.delete(uuid)
  }

  #write<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw new JournalFailed(this.#path, error)
    }
  }

  #read(places: ReadonlyMap<string, Place>): Records {
    const records: DomainRecord[] = []
    const broken: BrokenRecord[] = []
    for (const [uuid, place] of places) {
      try {
        records.push(recordFrom(this.#file.textAt(place), uuid))
      } catch (error) {
        broken.push({ uuid, error })
      }
    }
    return { records, broken }
  }
}

function textOf({ domid, openDisks, ...record }: DomainRecord): string {
  const devices = record.config.disks.map((_, i) => deviceText(openDisks[i]))
  const text = JSON.stringify(record).slice(1)
  return `${DOMID_KEY}${domidText(domid)}${DEVICES_KEY}${devices.join(',')}],${text}`
}

function domidText(domid: Domid | undefined): string {
  return String(domid ?? null).padEnd(DOMID_WIDTH)
}

function deviceText(device: BlockDevice | undefined): string {
  const number = device === undefined ? null : device.major * MINORS + device.minor
  return String(number).padEnd(DEVICE_WIDTH)
}

function recordFrom(text: string, uuid: string): DomainRecord {
  const { devices, ...record } = v.parse(recordSchema, JSON.parse(text))
  if (record.uuid !== uuid) throw new Error(`a record of ${record.uuid}`)
  return {
    ...record,
    domid: record.domid === null ? undefined : domidFrom(String(record.domid)),
    openDisks: record.config.disks.flatMap(({ target }, i) => {
      const device = devices[i] ?? undefined
      if (device === undefined) return []
      return [{ path: target, major: Math.floor(device / MINORS), minor: device % MINORS }]
    }),
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
