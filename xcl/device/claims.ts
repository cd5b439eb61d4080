/**
 * What each guest holds of dom0 by its devices, by the uuid of the guest: block devices that serve its
 * disks, mac addresses. So that no two guests write to one disk, a random address is nobody else's, and
 * what was opened for a guest is closed when it goes, once.
 *
 * Guests of other toolstacks are not in it.
 */
import { randomBytes } from 'node:crypto'
import type { Logger } from 'pino'
import type { Dom0Devices } from '../../native/hypervisor.ts'
import type { DiskSpec } from '../config/disk-spec.ts'
import type { VifSpec } from '../config/vif-spec.ts'
import { Refused } from '../output/errors.ts'
import type { OpenDisk } from './vbd.ts'
import type { Vif } from './vif.ts'

/** Xen's own part of the address space, of which half is for addresses that toolstacks make up. */
const RANDOM_PREFIX = '00:16:3e'
const RANDOM_MASK = 0x7f

/** A guest's devices as its configuration has them. */
interface DeviceSpecs {
  readonly vifs: readonly VifSpec[]
  readonly disks: readonly DiskSpec[]
}

interface Claim {
  readonly macs: readonly string[]
  readonly disks: readonly (OpenDisk & { readonly isReadOnly: boolean })[]
}

/** Who uses a disk: many that read, or one that writes. */
interface Users {
  readers: number
  writer: string | undefined
}

export interface DeviceClaimsOptions {
  readonly devices: Pick<Dom0Devices, 'openDisk' | 'closeDisk'>
  readonly log: Logger
  /** So many bytes by chance. */
  readonly random?: (count: number) => Uint8Array
}

export class DeviceClaims {
  readonly #devices: DeviceClaimsOptions['devices']
  readonly #log: Logger
  readonly #random: (count: number) => Uint8Array
  readonly #claims = new Map<string, Claim>()
  /** How many have the address: one that is written down may be several guests'. */
  readonly #macs = new Map<string, number>()
  /** By path, and by device number. */
  readonly #users = new Map<string, Users>()

  constructor({ devices, log, random = randomBytes }: DeviceClaimsOptions) {
    this.#devices = devices
    this.#log = log
    this.#random = random
  }

  /**
   * Opens the disks of a guest, in their order, and gives its cards their addresses: all or nothing.
   * @throws Refused when a disk is another guest's; XenError of a disk that cannot be opened
   */
  claim(
    uuid: string,
    specs: DeviceSpecs,
  ): { readonly vifs: readonly Vif[]; readonly disks: readonly OpenDisk[] } {
    // Of a guest with this uuid that has gone without a word.
    this.release(uuid)
    const vifs: Vif[] = []
    for (const vif of specs.vifs) vifs.push({ ...vif, mac: vif.mac ?? this.#randomMac(vifs) })
    const disks: OpenDisk[] = []
    try {
      for (const { target, isReadOnly } of specs.disks) {
        this.#checkFree(target, target, isReadOnly)
        const device = { path: target, ...this.#devices.openDisk(target, isReadOnly) }
        disks.push(device)
        this.#checkFree(numberOf(device), target, isReadOnly)
      }
    } catch (error) {
      for (const disk of disks) this.#close(disk)
      throw error
    }
    this.adopt(uuid, { ...specs, vifs }, disks)
    return { vifs, disks }
  }

  /** What a guest has that an earlier xcld created. @param disks in the order of the specs */
  adopt(uuid: string, specs: DeviceSpecs, disks: readonly OpenDisk[]): void {
    if (this.#claims.has(uuid) || (specs.vifs.length === 0 && disks.length === 0)) return
    const claim: Claim = {
      macs: specs.vifs.flatMap(({ mac }) => mac ?? []),
      disks: disks.map((disk, i) => ({ ...disk, isReadOnly: specs.disks[i]?.isReadOnly ?? false })),
    }
    this.#claims.set(uuid, claim)
    for (const mac of claim.macs) this.#macs.set(mac, (this.#macs.get(mac) ?? 0) + 1)
    for (const disk of claim.disks) {
      for (const key of [disk.path, numberOf(disk)]) this.#use(key, uuid, disk.isReadOnly)
    }
  }

  /** The guest has gone, and its back ends with it: closes what was opened for it. */
  release(uuid: string): void {
    const claim = this.#claims.get(uuid)
    if (claim === undefined) return
    this.#claims.delete(uuid)
    for (const mac of claim.macs) {
      const others = (this.#macs.get(mac) ?? 1) - 1
      if (others > 0) this.#macs.set(mac, others)
      else this.#macs.delete(mac)
    }
    for (const disk of claim.disks) {
      for (const key of [disk.path, numberOf(disk)]) this.#unuse(key, uuid, disk.isReadOnly)
      this.#close(disk)
    }
  }

  #close(disk: OpenDisk): void {
    try {
      this.#devices.closeDisk(disk, disk.path)
    } catch (error) {
      this.#log.warn({ disk, err: error }, 'a disk of a guest that has gone stays open')
    }
  }

  #randomMac(taken: readonly Vif[]): string {
    for (;;) {
      const [first = 0, ...rest] = this.#random(3)
      const bytes = [first & RANDOM_MASK, ...rest]
      const mac = [RANDOM_PREFIX, ...bytes.map((byte) => byte.toString(16).padStart(2, '0'))].join(
        ':',
      )
      if (!this.#macs.has(mac) && !taken.some((vif) => vif.mac === mac)) return mac
    }
  }

  #checkFree(key: string, target: string, isReadOnly: boolean): void {
    const users = this.#users.get(key)
    if (users === undefined || (isReadOnly && users.writer === undefined)) return
    const who = users.writer === undefined ? 'others read' : `guest ${users.writer} writes to`
    throw new Refused(
      `${target} cannot be ${isReadOnly ? 'read' : 'written to'} by this guest, for ${who} it`,
      'two guests on one disk destroy what is on it',
    )
  }

  #use(key: string, uuid: string, isReadOnly: boolean): void {
    const users = this.#users.get(key) ?? { readers: 0, writer: undefined }
    this.#users.set(key, users)
    if (isReadOnly) users.readers++
    else users.writer = uuid
  }

  #unuse(key: string, uuid: string, isReadOnly: boolean): void {
    const users = this.#users.get(key)
    if (users === undefined) return
    if (isReadOnly) users.readers--
    else if (users.writer === uuid) users.writer = undefined
    if (users.readers === 0 && users.writer === undefined) this.#users.delete(key)
  }
}

function numberOf({ major, minor }: OpenDisk): string {
  return `${major}:${minor}`
}
