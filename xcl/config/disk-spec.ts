/** An element of `disk`: a raw disk whose back end is in dom0's kernel. */
import { diskIdentity } from '../device/disk-identity.ts'
import { ConfigError, type ConfigPlace } from '../output/errors.ts'
import { deviceElements, type SpecItem, specItems } from './spec-items.ts'
import { checkFits } from './store-value.ts'
import { virtualDevice } from './virtual-device.ts'
import type { ConfigOption } from './xl-cfg.ts'

/** A disk as it is to be. */
export interface DiskSpec {
  /** As the guest's administrator calls it: `xvda`. */
  readonly vdev: string
  /** The number that stands for it, in all its paths. */
  readonly devid: number
  /** Absolute: a block device, or a file of raw content. */
  readonly target: string
  readonly isReadOnly: boolean
  /** May the guest say which blocks it does not need any more? */
  readonly isDiscardEnabled: boolean
  /** Are direct I/O's pages safe to use? */
  readonly isDirectIoSafe: boolean
  /** Is the guest told that it may trust the back end? */
  readonly isTrusted: boolean
}

/** What a spec is built up from, item by item. */
interface Draft {
  target: string | undefined
  format: string | undefined
  vdev: string | undefined
  access: string | undefined
  isDiscardEnabled: boolean | undefined
  isDirectIoSafe: boolean
  isTrusted: boolean
  /** Of the item that said which vdev. */
  vdevPlace: ConfigPlace
}

/** Items without a key fill these, one after the other. */
const POSITIONS = ['target', 'format', 'vdev', 'access'] as const
type Position = (typeof POSITIONS)[number]

const XL_CAN = 'stock xl can create this guest, on the same daemons'
const ACCESS: Readonly<Record<string, boolean>> = { r: true, ro: true, w: false, rw: false }

const KEYS: Readonly<Record<string, (draft: Draft, item: SpecItem) => void>> = {
  target: (draft, item) => set(draft, 'target', item),
  format: (draft, item) => set(draft, 'format', item),
  vdev: (draft, item) => set(draft, 'vdev', item),
  access: (draft, item) => set(draft, 'access', item),
  backendtype: (_draft, { value, place }) => {
    if (value === 'phy') return
    const what = 'disks are served by the kernel of dom0 (phy) and by nobody else'
    throw new ConfigError(`disk: backendtype=${value}: ${what}`, place, XL_CAN)
  },
  backend: (_draft, { value, place }) => {
    if (/^(0|domain-0)$/i.test(value)) return
    const what = 'back ends in other domains than dom0 are not supported by xcl'
    throw new ConfigError(`disk: backend=${value}: ${what}`, place, XL_CAN)
  },
  script: (_draft, { value, place }) => {
    // What it does is done without it.
    if (/^(\/etc\/xen\/scripts\/)?block$/.test(value)) return
    throw new ConfigError(`disk: script=${value}: xcl runs no hotplug scripts`, place, XL_CAN)
  },
  devtype: (_draft, { value, place }) => {
    if (value === 'disk') return
    if (value === 'cdrom') throw cdromRefused(place)
    throw new ConfigError(`disk: devtype=${value}: expected disk`, place)
  },
  specification: (_draft, { value, place }) => {
    if (value === 'xen') return
    throw new ConfigError(
      `disk: specification=${value}: only specification=xen is supported by xcl`,
      place,
      XL_CAN,
    )
  },
}

const FLAGS: Readonly<Record<string, (draft: Draft, place: ConfigPlace) => void>> = {
  cdrom: (_draft, place) => {
    throw cdromRefused(place)
  },
  'direct-io-safe': (draft) => {
    draft.isDirectIoSafe = true
  },
  discard: (draft) => {
    draft.isDiscardEnabled = true
  },
  'no-discard': (draft) => {
    draft.isDiscardEnabled = false
  },
  trusted: (draft) => {
    draft.isTrusted = true
  },
  untrusted: (draft) => {
    draft.isTrusted = false
  },
}

/**
 * The disks of a guest.
 * @throws ConfigError
 */
export function readDisks(option: ConfigOption | undefined): DiskSpec[] {
  const disks: DiskSpec[] = []
  const identities: string[] = []
  for (const { text, place } of deviceElements(option)) {
    const disk = readDisk(specItems(text, place, 'target'), place)
    const same = disks.find(({ devid }) => devid === disk.devid)
    if (same !== undefined) {
      throw new ConfigError(`disk: ${disk.vdev} is taken by ${same.target} already`, place)
    }
    const identity = diskIdentity(disk.target)
    const shared = disks.find((_, i) => identities[i] === identity)
    if (shared !== undefined && !(shared.isReadOnly && disk.isReadOnly)) {
      const what = `${disk.target} is ${shared.vdev} already, and one of them may be written to`
      throw new ConfigError(`disk: ${what}`, place)
    }
    disks.push(disk)
    identities.push(identity)
  }
  return disks
}

function readDisk(items: readonly SpecItem[], place: ConfigPlace): DiskSpec {
  const draft: Draft = {
    target: undefined,
    format: undefined,
    vdev: undefined,
    access: undefined,
    isDiscardEnabled: undefined,
    isDirectIoSafe: false,
    isTrusted: true,
    vdevPlace: place,
  }
  let position = 0
  const seen = new Set<string>()
  for (const item of items) {
    const { key, value } = item
    const isFlag = key === undefined && Object.hasOwn(FLAGS, value)
    const name = key ?? (isFlag ? value : undefined)
    if (name !== undefined && seen.has(name)) {
      throw new ConfigError(`disk: ${name} is given twice`, item.place)
    }
    if (name !== undefined) seen.add(name)
    if (isFlag) FLAGS[value]?.(draft, item.place)
    else if (key === undefined) position = setNext(draft, item, position)
    else if (Object.hasOwn(KEYS, key)) KEYS[key]?.(draft, item)
    else throw unknownKey(item)
  }
  return diskFrom(draft, place)
}

/** @returns the position that the next item without a key is for */
function setNext(draft: Draft, item: SpecItem, from: number): number {
  let at = from
  for (let slot = POSITIONS[at]; slot !== undefined; slot = POSITIONS[at]) {
    at++
    if (draft[slot] !== undefined) continue
    // Left empty: the default.
    if (item.value !== '') set(draft, slot, slot === 'target' ? withoutPrefix(draft, item) : item)
    return at
  }
  if (item.value === '') return at
  throw new ConfigError(
    `disk: "${item.value}" is one item too many`,
    item.place,
    'target, format, vdev and access stand first',
  )
}

function set(draft: Draft, position: Position, item: SpecItem): void {
  if (draft[position] !== undefined) {
    throw new ConfigError(`disk: ${position} is given twice`, item.place)
  }
  checkFits(`disk: ${position}`, item.value, item.place)
  draft[position] = item.value
  if (position === 'vdev') draft.vdevPlace = item.place
  if (position === 'vdev' && item.value.endsWith(':cdrom')) throw cdromRefused(item.place)
  if (position === 'format' && item.value !== 'raw') throw formatRefused(item.value, item.place)
  if (position === 'access' && !Object.hasOwn(ACCESS, item.value)) {
    throw new ConfigError(`disk: access=${item.value}: expected r, ro, w or rw`, item.place)
  }
}

/** `phy:` and its like: they say nothing any more, but that the format is not said. */
function withoutPrefix(draft: Draft, item: SpecItem): SpecItem {
  const [, prefix = '', rest = ''] = /^([a-z0-9-]+):(.*)$/.exec(item.value) ?? []
  switch (prefix) {
    case 'phy':
    case 'file':
    case 'raw':
    case 'tap':
    case 'tap2':
    case 'tapdisk':
    case 'aio':
    case 'ioemu':
      draft.format ??= 'raw'
      return withoutPrefix(draft, { ...item, value: rest })
    case 'qcow':
    case 'qcow2':
    case 'vhd':
    case 'qed':
      throw formatRefused(prefix, item.place)
    case 'iscsi':
    case 'nbd':
    case 'enbd':
    case 'drbd':
      throw new ConfigError(
        `disk: ${prefix}: needs the hotplug script block-${prefix}, and xcl runs no hotplug scripts`,
        item.place,
        XL_CAN,
      )
    default:
      return item
  }
}

function diskFrom(draft: Draft, place: ConfigPlace): DiskSpec {
  const { target, vdev, isDirectIoSafe, isTrusted } = draft
  if (!target) throw new ConfigError('disk: no target is given', place, EXAMPLE)
  if (!vdev) throw new ConfigError('disk: no vdev is given', place, EXAMPLE)
  const devid = virtualDevice(vdev.replace(/:disk$/, ''))
  if (devid === undefined) {
    const hint = 'xvda, xvdb1, hda, sda, d0p1 or a number'
    throw new ConfigError(`disk: ${vdev} is no virtual device`, draft.vdevPlace, hint)
  }
  const isReadOnly = ACCESS[draft.access ?? 'rw'] ?? false
  return {
    vdev: vdev.replace(/:disk$/, ''),
    devid,
    target: target.startsWith('/') ? target : `/dev/${target}`,
    isReadOnly,
    isDiscardEnabled: draft.isDiscardEnabled ?? !isReadOnly,
    isDirectIoSafe,
    isTrusted,
  }
}

const EXAMPLE = 'disk = [ "/dev/vg/demo,raw,xvda,rw" ]'

function unknownKey({ key, place }: SpecItem): ConfigError {
  const known = [...Object.keys(KEYS).map((name) => `${name}=`), ...Object.keys(FLAGS)]
  return new ConfigError(`disk: there is no "${key}"`, place, `known are ${known.join(', ')}`)
}

function cdromRefused(place: ConfigPlace): ConfigError {
  const what = 'drives for removable media need a device model, which PV and PVH guests have not'
  return new ConfigError(`disk: ${what}`, place, 'give it as a read-only disk: access=r')
}

function formatRefused(format: string, place: ConfigPlace): ConfigError {
  const what = 'the kernel of dom0 serves raw disks only'
  const hint = `turn it into one: qemu-img convert -f ${format} -O raw …`
  if (!/^(qcow2?|vhd|qed|empty)$/.test(format)) {
    return new ConfigError(`disk: there is no format "${format}"`, place, 'expected raw')
  }
  return format === 'empty'
    ? cdromRefused(place)
    : new ConfigError(`disk: format=${format}: ${what}`, place, hint)
}
