/** An element of `vif`: a network card whose back end is in dom0's kernel, on a bridge. */
import { ConfigError } from '../output/errors.ts'
import { deviceElements, type SpecItem, specItems } from './spec-items.ts'
import { checkFits } from './store-value.ts'
import type { ConfigOption } from './xl-cfg.ts'

/** A network card as it is to be. */
export interface VifSpec {
  /** Number in all its paths and in the name of its interface, `vif<domid>.<devid>`. */
  readonly devid: number
  /** Lower case, with colons; undefined: a random one is taken. */
  readonly mac: string | undefined
  readonly bridge: string
  /** Addresses for whoever reads them in the store; nothing is filtered by them. */
  readonly ip: string | undefined
  /** What the guest may send; undefined: as much as it can. */
  readonly rate: VifRate | undefined
  /** Is the guest told that it may trust the back end? */
  readonly isTrusted: boolean
}

/** A limit as netback keeps it: so many bytes in each interval. */
export interface VifRate {
  readonly bytes: number
  readonly intervalUs: number
}

/** What a spec is built up from, item by item. */
type Draft = { -readonly [Key in keyof VifSpec]: VifSpec[Key] }

const DEFAULT_BRIDGE = 'xenbr0'
const DEFAULT_INTERVAL_US = 50_000
const MAX_DEVID = 65_535
const UINT32_MAX = 2 ** 32 - 1
const XL_CAN = 'stock xl can create this guest, on the same daemons'

const KEYS: Readonly<Record<string, (draft: Draft, item: SpecItem) => void>> = {
  mac: (draft, item) => {
    draft.mac = macOf(item)
  },
  bridge: (draft, item) => {
    draft.bridge = bridgeOf(item)
  },
  ip: (draft, { value, place }) => {
    checkFits('vif: ip', value, place)
    draft.ip = value
  },
  rate: (draft, item) => {
    draft.rate = rateOf(item)
  },
  devid: (draft, item) => {
    draft.devid = devidOf(item)
  },
  type: (_draft, { value, place }) => {
    if (value === 'vif') return
    const hint = 'leave it out, or write type=vif'
    throw new ConfigError(`vif: type=${value}: only type=vif fits a PV or PVH guest`, place, hint)
  },
  script: (_draft, { value, place }) => {
    // What it does is done without it.
    if (/^(\/etc\/xen\/scripts\/)?vif-bridge$/.test(value)) return
    throw new ConfigError(`vif: script=${value}: xcl runs no hotplug scripts`, place, XL_CAN)
  },
  backend: (_draft, { value, place }) => {
    if (/^(0|domain-0)$/i.test(value)) return
    const what = 'back ends in other domains than dom0 are not supported by xcl'
    throw new ConfigError(`vif: backend=${value}: ${what}`, place, XL_CAN)
  },
  vifname: (_draft, { value, place }) => {
    const what = 'xcl does not rename interfaces; they are called vif<domid>.<devid>'
    throw new ConfigError(`vif: vifname=${value}: ${what}`, place, XL_CAN)
  },
  mtu: (_draft, { value, place }) => {
    throw new ConfigError(
      `vif: mtu=${value}: xcl gives an interface the mtu of its bridge`,
      place,
      'leave it out, and set the mtu of the bridge',
    )
  },
  vlan: (_draft, { value, place }) => {
    throw new ConfigError(`vif: vlan=${value}: VLANs are not supported by xcl`, place, XL_CAN)
  },
  gatewaydev: refuseRouting,
  netdev: refuseRouting,
  // Of emulated cards, and of a way to speed them up that is gone: xl does not mind either.
  model: () => undefined,
  accel: () => undefined,
}

const FLAGS: Readonly<Record<string, (draft: Draft) => void>> = {
  trusted: (draft) => {
    draft.isTrusted = true
  },
  untrusted: (draft) => {
    draft.isTrusted = false
  },
}

/**
 * The network cards of a guest; those without a devid are numbered by their position.
 * @throws ConfigError
 */
export function readVifs(option: ConfigOption | undefined): VifSpec[] {
  const vifs: VifSpec[] = []
  for (const [position, { text, place }] of deviceElements(option).entries()) {
    const vif = readVif(specItems(text, place), position)
    const same = vifs.find(({ devid }) => devid === vif.devid)
    if (same !== undefined) {
      throw new ConfigError(`vif: another one has the devid ${vif.devid} already`, place)
    }
    if (vif.mac !== undefined && vifs.some(({ mac }) => mac === vif.mac)) {
      throw new ConfigError(`vif: another one has the mac ${vif.mac} already`, place)
    }
    vifs.push(vif)
  }
  return vifs
}

function readVif(items: readonly SpecItem[], position: number): VifSpec {
  const draft: Draft = {
    devid: position,
    mac: undefined,
    bridge: DEFAULT_BRIDGE,
    ip: undefined,
    rate: undefined,
    isTrusted: true,
  }
  const seen = new Set<string>()
  for (const item of items) {
    const { key, value, place } = item
    if (key === undefined && value === '') continue
    const name = key ?? value
    if (seen.has(name)) throw new ConfigError(`vif: ${name} is given twice`, place)
    seen.add(name)
    if (key === undefined && Object.hasOwn(FLAGS, value)) FLAGS[value]?.(draft)
    else if (key !== undefined && Object.hasOwn(KEYS, key)) KEYS[key]?.(draft, item)
    else throw unknownItem(item)
  }
  return draft
}

function unknownItem({ key, value, place }: SpecItem): ConfigError {
  const known = [...Object.keys(KEYS).map((name) => `${name}=`), ...Object.keys(FLAGS)]
  const hint = `known are ${known.join(', ')}`
  return new ConfigError(`vif: there is no "${key ?? value}"`, place, hint)
}

function macOf({ value, place }: SpecItem): string {
  const parts = value.toLowerCase().split(':')
  if (parts.length !== 6 || !parts.every((part) => /^[0-9a-f]{1,2}$/.test(part))) {
    const hint = 'six bytes: mac=00:16:3e:12:34:56'
    throw new ConfigError(`vif: mac=${value} is no mac address`, place, hint)
  }
  const bytes = parts.map((part) => Number.parseInt(part, 16))
  if (((bytes[0] ?? 0) & 1) === 1 || bytes.every((byte) => byte === 0)) {
    throw new ConfigError(`vif: mac=${value} is no address of a single card`, place)
  }
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':')
}

function bridgeOf({ value, place }: SpecItem): string {
  // What Linux takes as the name of an interface.
  if (/^[^\s/:]{1,15}$/.test(value) && value !== '.' && value !== '..') return value
  throw new ConfigError(`vif: bridge=${value} is no name of an interface`, place)
}

function devidOf({ value, place }: SpecItem): number {
  if (/^[0-9]{1,5}$/.test(value) && Number(value) <= MAX_DEVID) return Number(value)
  throw new ConfigError(`vif: devid=${value}: expected a number up to ${MAX_DEVID}`, place)
}

const RATE = /^([0-9]+)([GMK]?)([Bb])\/s(?:@([0-9]+)(s|ms|us))?$/
const RATE_FACTORS: Readonly<Record<string, number>> = { G: 1e9, M: 1e6, K: 1e3, '': 1 }
const INTERVAL_FACTORS: Readonly<Record<string, number>> = { s: 1e6, ms: 1e3, us: 1 }

function rateOf({ value, place }: SpecItem): VifRate {
  const hint = 'rate=10Mb/s, or rate=1MB/s@20ms with the interval in which it is kept'
  const [, amount, factor = '', unit, interval, intervalUnit = ''] = RATE.exec(value) ?? []
  if (amount === undefined) throw new ConfigError(`vif: rate=${value} is no rate`, place, hint)
  const perSecond = (Number(amount) * (RATE_FACTORS[factor] ?? 1)) / (unit === 'b' ? 8 : 1)
  const intervalUs =
    interval === undefined
      ? DEFAULT_INTERVAL_US
      : Number(interval) * (INTERVAL_FACTORS[intervalUnit] ?? 1)
  const bytes = Math.floor((perSecond * intervalUs) / 1e6)
  if (bytes < 1 || bytes > UINT32_MAX || intervalUs < 1 || intervalUs > UINT32_MAX) {
    throw new ConfigError(`vif: rate=${value} cannot be kept`, place, hint)
  }
  return { bytes, intervalUs }
}

function refuseRouting(_draft: Draft, { key, value, place }: SpecItem): void {
  const what = 'xcl puts interfaces on bridges and does not route'
  throw new ConfigError(`vif: ${key}=${value}: ${what}`, place, XL_CAN)
}
