/**
 * What each guest holds of dom0 by its devices, by the uuid of the guest: block devices that serve its
 * disks, mac addresses. So that no two guests write to one disk, a random address is nobody else's, and
 * what was opened for a guest is closed when it goes, once.
 *
 * Guests of other toolstacks are not in it.
 */
import { randomBytes } from 'node:crypto'
import type { Logger } from 'pino'
import type { BlockDevice, Dom0Devices } from '../../native/hypervisor.ts'
import type { DiskSpec } from '../config/disk-spec.ts'
import type { VifSpec } from '../config/vif-spec.ts'
import { Refused } from '../output/errors.ts'
import { deviceIdentity, diskIdentity } from './disk-identity.ts'
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

interface ClaimedDisk {
  readonly path: string
  /** See disk-identity.ts. */
  readonly identity: string
  readonly isReadOnly: boolean
  /** Once it is open. */
  device: BlockDevice | undefined
}

interface Claim {
  readonly macs: readonly string[]
  readonly disks: readonly ClaimedDisk[]
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
  /** By identity: of what is behind the path, and of the device that serves it. */
  readonly #users = new Map<string, Users>()

  constructor({ devices, log, random = randomBytes }: DeviceClaimsOptions) {
    this.#devices = devices
    this.#log = log
    this.#random = random
  }

  /**
   * Gives the cards of a guest their addresses, and keeps its disks for it: all or nothing. Nothing is
   * open yet.
   * @returns identities: of the disks, in their order
   * @throws Refused when a disk is another guest's
   */
  claim(
    uuid: string,
    specs: DeviceSpecs,
  ): { readonly vifs: readonly Vif[]; readonly identities: readonly string[] } {
    // Of a guest with this uuid that has gone without a word.
    this.release(uuid)
    const vifs: Vif[] = []
    for (const vif of specs.vifs) vifs.push({ ...vif, mac: vif.mac ?? this.#randomMac(vifs) })
    const identities: string[] = []
    for (const { target, isReadOnly } of specs.disks) {
      const identity = diskIdentity(target)
      this.#checkFree(identity, target, isReadOnly)
      identities.push(identity)
    }
    this.adopt(uuid, { ...specs, vifs }, identities, [])
    return { vifs, identities }
  }

  /**
   * Opens the disks that were claimed.
   * @param opened told of each at once: what is not noted before xcld is killed stays open for ever
   * @returns in their order
   * @throws Refused when the device is another guest's disk; XenError; what `opened` throws
   */
  open(uuid: string, opened: (index: number, device: BlockDevice) => void): OpenDisk[] {
    const disks: OpenDisk[] = []
    for (const [index, disk] of (this.#claims.get(uuid)?.disks ?? []).entries()) {
      const { path, isReadOnly } = disk
      const { major, minor } = this.#devices.openDisk(path, isReadOnly)
      const device = { major, minor }
      const identity = deviceIdentity(device)
      try {
        if (identity !== disk.identity) this.#checkFree(identity, path, isReadOnly)
        opened(index, device)
      } catch (error) {
        this.#close({ path, ...device })
        throw error
      }
      disk.device = device
      if (identity !== disk.identity) this.#use(identity, uuid, isReadOnly)
      disks.push({ path, ...device })
    }
    return disks
  }

  /**
   * What a guest has that an earlier xcld created.
   * @param identities of its disks, in their order
   * @param openDisks those that were opened: the first ones
   */
  adopt(
    uuid: string,
    specs: DeviceSpecs,
    identities: readonly string[],
    openDisks: readonly OpenDisk[],
  ): void {
    if (this.#claims.has(uuid) || (specs.vifs.length === 0 && specs.disks.length === 0)) return
    const claim: Claim = {
      macs: specs.vifs.flatMap(({ mac }) => mac ?? []),
      disks: specs.disks.map(({ target, isReadOnly }, i) => ({
        path: target,
        identity: identities[i] ?? diskIdentity(target),
        isReadOnly,
        device: openDisks[i],
      })),
    }
    this.#claims.set(uuid, claim)
    for (const mac of claim.macs) this.#macs.set(mac, (this.#macs.get(mac) ?? 0) + 1)
    for (const disk of claim.disks) {
      for (const identity of identitiesOf(disk)) this.#use(identity, uuid, disk.isReadOnly)
    }
  }

  /** Closes what was opened for the guest; its disks stay claimed. */
  close(uuid: string): void {
    for (const disk of this.#claims.get(uuid)?.disks ?? []) {
      const { path, identity, isReadOnly, device } = disk
      if (device === undefined) continue
      for (const other of identitiesOf(disk)) {
        if (other !== identity) this.#unuse(other, uuid, isReadOnly)
      }
      disk.device = undefined
      this.#close({ path, ...device })
    }
  }

  /** The guest has gone, and its back ends with it: closes what was opened for it. */
  release(uuid: string): void {
    this.close(uuid)
    this.forget(uuid)
  }

  /** Addresses and disks, of which none is open, are for others again. */
  forget(uuid: string): void {
    const claim = this.#claims.get(uuid)
    if (claim === undefined) return
    this.#claims.delete(uuid)
    for (const mac of claim.macs) {
      const others = (this.#macs.get(mac) ?? 1) - 1
      if (others > 0) this.#macs.set(mac, others)
      else this.#macs.delete(mac)
    }
    for (const disk of claim.disks) {
      for (const identity of identitiesOf(disk)) this.#unuse(identity, uuid, disk.isReadOnly)
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

  #checkFree(identity: string, target: string, isReadOnly: boolean): void {
    const users = this.#users.get(identity)
    if (users === undefined || (isReadOnly && users.writer === undefined)) return
    const who = users.writer === undefined ? 'others read' : `guest ${users.writer} writes to`
    throw new Refused(
      `${target} cannot be ${isReadOnly ? 'read' : 'written to'} by this guest, for ${who} it`,
      'two guests on one disk destroy what is on it',
    )
  }

  #use(identity: string, uuid: string, isReadOnly: boolean): void {
    const users = this.#users.get(identity) ?? { readers: 0, writer: undefined }
    this.#users.set(identity, users)
    if (isReadOnly) users.readers++
    else users.writer = uuid
  }

  #unuse(identity: string, uuid: string, isReadOnly: boolean): void {
    const users = this.#users.get(identity)
    if (users === undefined) return
    if (isReadOnly) users.readers--
    else if (users.writer === uuid) users.writer = undefined
    if (users.readers === 0 && users.writer === undefined) this.#users.delete(identity)
  }
}

/** Under which the disk is in use; one, when the path leads to the device itself. */
function identitiesOf({ identity, device }: ClaimedDisk): readonly string[] {
  const served = device === undefined ? identity : deviceIdentity(device)
  return served === identity ? [identity] : [identity, served]
}
