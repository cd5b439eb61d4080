/**
 * What xcld knows of its domains, on disk: one file per domain, named by its uuid, which is also
 * its handle in Xen.
 *
 * ```
 * journal/<uuid>.json   being created: at the next start of xcld the domain is undone
 * domains/<uuid>.json   created: its configuration, for on_reboot and its like
 * ```
 *
 * A file moves from one folder to the other by rename. Nothing is flushed to the disk: what survives
 * a crash of the machine is of no use, for no domain survives it.
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
}

const action = v.picklist(END_ACTIONS)
const recordSchema = v.object({
  uuid: v.string(),
  domid: v.optional(v.number()),
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

export class Journal {
  readonly #begun: string
  readonly #done: string

  /** @param stateDir made when it is missing */
  constructor(stateDir: string) {
    this.#begun = join(stateDir, 'journal')
    this.#done = join(stateDir, 'domains')
    mkdirSync(this.#begun, { recursive: true, mode: 0o700 })
    mkdirSync(this.#done, { recursive: true, mode: 0o700 })
  }

  /** Before the domain exists, and again when its domid is known. */
  begin(record: DomainRecord): void {
    writeFileSync(join(this.#begun, fileName(record.uuid)), JSON.stringify(record))
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

  /** Creations that were cut off. */
  halfMade(onBroken: BrokenRecord): DomainRecord[] {
    return readRecords(this.#begun, onBroken)
  }

  /** Domains that were complete. */
  domains(onBroken: BrokenRecord): DomainRecord[] {
    return readRecords(this.#done, onBroken)
  }
}

/** Told of a file that is no record; it is removed. */
export type BrokenRecord = (file: string, error: unknown) => void

function readRecords(folder: string, onBroken: BrokenRecord): DomainRecord[] {
  const records: DomainRecord[] = []
  for (const name of readdirSync(folder)) {
    const file = join(folder, name)
    try {
      const { uuid, domid, config } = v.parse(recordSchema, JSON.parse(readFileSync(file, 'utf8')))
      records.push({
        uuid,
        domid: domid === undefined ? undefined : domidFrom(String(domid)),
        // JSON leaves out what is undefined.
        config: { ...config, uuid, ramdisk: config.ramdisk },
      })
    } catch (error) {
      onBroken(file, error)
      rmSync(file, { force: true })
    }
  }
  return records
}

function fileName(uuid: string): string {
  return `${uuid}.json`
}
