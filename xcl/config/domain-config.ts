/**
 * From the options of an xl.cfg to what is to be created: types, bounds, defaults, and a clear no
 * to everything that this version cannot do. Options it does not know are ignored, as xl does.
 */
import { resolve } from 'node:path'
import * as v from 'valibot'
import { ConfigError } from '../output/errors.ts'
import { type DiskSpec, readDisks } from './disk-spec.ts'
import { checkFits } from './store-value.ts'
import { readVifs, type VifSpec } from './vif-spec.ts'
import { type ConfigOption, type ConfigText, parseXlCfg, type Value } from './xl-cfg.ts'

/** What is done with a domain that has shut down. */
export const END_ACTIONS = [
  'destroy',
  'restart',
  'rename-restart',
  'preserve',
  'coredump-destroy',
  'coredump-restart',
] as const
export type EndAction = (typeof END_ACTIONS)[number]

/** A domain as it is to be created. */
export interface DomainConfig {
  readonly name: string
  /** Lower case, 8-4-4-4-12; undefined: a random one is made. */
  readonly uuid: string | undefined
  readonly type: 'pv' | 'pvh'
  /** Absolute. */
  readonly kernel: string
  readonly ramdisk: string | undefined
  readonly cmdline: string
  readonly memoryKiB: number
  readonly maxMemoryKiB: number
  /** Those online at the start; the others, up to maxVcpus, can be plugged in by the guest. */
  readonly vcpus: number
  readonly maxVcpus: number
  readonly maxGrantFrames: number
  readonly maxMaptrackFrames: number
  readonly maxEvtchnPort: number
  readonly vifs: readonly VifSpec[]
  readonly disks: readonly DiskSpec[]
  readonly onPoweroff: EndAction
  readonly onReboot: EndAction
  readonly onCrash: EndAction
  readonly onWatchdog: EndAction
  readonly onSoftReset: EndAction
}

/** A configuration, and what in it has no effect. */
export interface ReadConfig {
  readonly config: DomainConfig
  readonly ignored: readonly string[]
}

const KIB_PER_MIB = 1024
const DEFAULT_MEMORY_MIB = 32
/** What xl gives a guest unless told. */
const DEFAULT_MAX_EVTCHN_PORT = 1023
const MAX_MEMORY_MIB = 16 * 1024 * 1024
/** Xen's own default, which the host's administrator set. */
const XEN_DEFAULT = -1

/** Options whose absence nobody would notice until it hurts: refused unless empty. */
const UNSUPPORTED: Readonly<Record<string, string>> = {
  pci: 'PCI passthrough',
  vfb: 'framebuffers',
  vkb: 'keyboards',
  vtpm: 'TPMs',
  usbctrl: 'USB controllers',
  usbdev: 'USB devices',
  p9: '9pfs',
  pvcalls: 'PV calls',
  channel: 'channels',
  vdispl: 'displays',
  vsnd: 'sound',
  virtio: 'virtio devices',
  dtdev: 'device-tree passthrough',
  iomem: 'I/O memory',
  ioports: 'I/O ports',
  irqs: 'interrupt passthrough',
  bootloader: 'boot loaders (name the kernel itself)',
  pool: 'cpu pools',
  cpus: 'pinning of vcpus',
  cpus_soft: 'soft affinity of vcpus',
  cpu_weight: 'scheduler weights',
  cap: 'scheduler caps',
  seclabel: 'security labels',
  device_tree: 'device trees',
}

/** Lists in languages of their own. */
const DEVICE_OPTIONS: readonly string[] = ['vif', 'disk']

const text = v.string('expected a string in quotes')
const nonEmpty = v.pipe(text, v.minLength(1, 'must not be empty'))

/** Numbers as C's strtoul reads them with base 0: 0x… hexadecimal, 0… octal, else decimal. */
function whole(min: number, max: number) {
  return v.pipe(
    v.string('expected a number'),
    v.regex(/^(0x[0-9a-f]+|0[0-7]*|[1-9][0-9]*)$/i, 'expected a whole number'),
    v.transform((digits) =>
      /^0[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number(digits),
    ),
    v.minValue(min, `must be at least ${min}`),
    v.maxValue(max, `must be at most ${max}`),
  )
}

const action = v.picklist(END_ACTIONS, `expected one of ${END_ACTIONS.join(', ')}`)

const schema = v.object({
  name: v.pipe(
    nonEmpty,
    v.maxBytes(255, 'must be at most 255 bytes long'),
    v.check((name) => !/[\p{Cc}/]/u.test(name), 'must not contain "/" or control characters'),
    v.check(
      (name) => !/^[0-9]+$/.test(name),
      'must not be a number: that would be taken for a domid',
    ),
  ),
  uuid: v.optional(
    v.pipe(
      text,
      v.transform((uuid) => uuid.toLowerCase()),
      v.regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'expected a uuid (8-4-4-4-12 digits)'),
    ),
  ),
  type: v.optional(text),
  builder: v.optional(text),
  kernel: v.optional(nonEmpty),
  ramdisk: v.optional(text),
  cmdline: v.optional(text),
  root: v.optional(text),
  extra: v.optional(text),
  memory: v.optional(whole(1, MAX_MEMORY_MIB)),
  maxmem: v.optional(whole(1, MAX_MEMORY_MIB)),
  vcpus: v.optional(whole(1, 512)),
  maxvcpus: v.optional(whole(1, 512)),
  max_grant_frames: v.optional(whole(1, 2 ** 20)),
  max_maptrack_frames: v.optional(whole(0, 2 ** 20)),
  max_event_channels: v.optional(whole(1, 131072)),
  on_poweroff: v.optional(action),
  on_reboot: v.optional(action),
  on_crash: v.optional(action),
  on_watchdog: v.optional(action),
  on_soft_reset: v.optional(action),
})
type Options = v.InferOutput<typeof schema>

/**
 * Reads a configuration and the assignments that were typed after it.
 * @param cwd what relative paths in it begin at: the caller's working directory, as with xl
 * @throws ConfigError
 */
export function readDomainConfig(texts: readonly ConfigText[], cwd: string): ReadConfig {
  const file = texts[0]?.file ?? 'command line'
  const options = parseXlCfg(texts)
  refuseUnsupported(options)
  const values = checked(options, file)
  return {
    config: configFrom(values, options, file, cwd),
    ignored: [...options.keys()].filter(
      (name) =>
        !(name in schema.entries) && !(name in UNSUPPORTED) && !DEVICE_OPTIONS.includes(name),
    ),
  }
}

function refuseUnsupported(options: ReadonlyMap<string, ConfigOption>): void {
  for (const [name, what] of Object.entries(UNSUPPORTED)) {
    const option = options.get(name)
    if (option === undefined || isEmpty(option.value)) continue
    throw new ConfigError(
      `${name}: ${what} are not supported by this version of xcl`,
      option.place,
      'stock xl can create this guest, on the same daemons',
    )
  }
}

function isEmpty(value: Value): boolean {
  return value.kind === 'list' ? value.items.length === 0 : value.text === ''
}

function checked(options: ReadonlyMap<string, ConfigOption>, file: string): Options {
  const raw: Record<string, unknown> = {}
  for (const { name, value } of options.values()) raw[name] = plain(value)
  const result = v.safeParse(schema, raw)
  if (result.success) return result.output
  const issue = result.issues[0]
  const name = String(issue.path?.[0].key)
  const option = options.get(name)
  if (option === undefined) {
    throw new ConfigError(`${file}: no ${name} is given`, undefined, `add a line ${name} = "…"`)
  }
  throw new ConfigError(`${name}: ${issue.message}`, option.place)
}

function plain(value: Value): unknown {
  return value.kind === 'list' ? value.items.map(plain) : value.text
}

function configFrom(
  values: Options,
  options: ReadonlyMap<string, ConfigOption>,
  file: string,
  cwd: string,
): DomainConfig {
  const type = domainType(values, options)
  if (values.kernel === undefined) {
    throw new ConfigError(`${file}: no kernel is given`, undefined, 'add a line kernel = "/path"')
  }
  const memory = values.memory ?? values.maxmem ?? DEFAULT_MEMORY_MIB
  const maxMemory = values.maxmem ?? memory
  if (maxMemory < memory) {
    const place = options.get('maxmem')?.place
    throw new ConfigError(`maxmem: must be at least memory (${memory})`, place)
  }
  const vcpus = values.vcpus ?? 1
  const maxVcpus = values.maxvcpus ?? vcpus
  if (maxVcpus < vcpus) {
    const place = options.get('maxvcpus')?.place
    throw new ConfigError(`maxvcpus: must be at least vcpus (${vcpus})`, place)
  }
  const kernel = resolve(cwd, values.kernel)
  const ramdisk = values.ramdisk ? resolve(cwd, values.ramdisk) : undefined
  const cmdline = cmdlineFrom(values)
  checkFits('kernel', kernel, options.get('kernel')?.place)
  checkFits('ramdisk', ramdisk ?? '', options.get('ramdisk')?.place)
  // Of `root` and `extra` together, the longer one is mostly the latter.
  const long = ['cmdline', 'extra', 'root'].find((name) => options.has(name)) ?? 'cmdline'
  checkFits(long, cmdline, options.get(long)?.place)
  return {
    name: values.name,
    uuid: values.uuid,
    type,
    kernel,
    ramdisk,
    cmdline,
    memoryKiB: memory * KIB_PER_MIB,
    maxMemoryKiB: maxMemory * KIB_PER_MIB,
    vcpus,
    maxVcpus,
    maxGrantFrames: values.max_grant_frames ?? XEN_DEFAULT,
    maxMaptrackFrames: values.max_maptrack_frames ?? XEN_DEFAULT,
    maxEvtchnPort: values.max_event_channels ?? DEFAULT_MAX_EVTCHN_PORT,
    vifs: readVifs(options.get('vif')),
    disks: readDisks(options.get('disk')),
    onPoweroff: values.on_poweroff ?? 'destroy',
    onReboot: values.on_reboot ?? 'restart',
    onCrash: values.on_crash ?? 'destroy',
    onWatchdog: values.on_watchdog ?? 'destroy',
    onSoftReset: values.on_soft_reset ?? 'destroy',
  }
}

function domainType(
  values: Options,
  options: ReadonlyMap<string, ConfigOption>,
): DomainConfig['type'] {
  if (values.type === 'pv' || values.type === 'pvh') return values.type
  const isHvm = values.type === 'hvm' || (values.type === undefined && values.builder === 'hvm')
  if (isHvm) {
    throw new ConfigError(
      'type: hvm guests (with a device model) are not supported by xcl',
      options.get(values.type === undefined ? 'builder' : 'type')?.place,
      'use type = "pvh", or create it with stock xl',
    )
  }
  if (values.type !== undefined) {
    throw new ConfigError('type: expected "pv" or "pvh"', options.get('type')?.place)
  }
  return 'pv'
}

function cmdlineFrom(values: Options): string {
  if (values.cmdline !== undefined) return values.cmdline
  const root = values.root === undefined ? [] : [`root=${values.root}`]
  const extra = values.extra === undefined ? [] : [values.extra]
  return [...root, ...extra].join(' ')
}
