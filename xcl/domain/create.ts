/**
 * Creates a domain: steps as data, each with its undo. A console is attached while everything can
 * still be undone without a trace; after `record` only what cannot take long is left.
 *
 * Three rounds to the store: START, which goes while the image is built; then tree, permissions,
 * console, devices and END in one write; INTRODUCE. With devices, as many waits more as their back
 * ends have states to reach: one. Only unpause has to be last.
 */
import { randomUUID } from 'node:crypto'
import { accessSync, constants } from 'node:fs'
import type { XenstoreClient } from '../../lixs/client/client.ts'
import { XenstoreError } from '../../lixs/client/errors.ts'
import type { BuiltImage, DomainPorts, DomainSpec, Domid } from '../../native/hypervisor.ts'
import { XenError } from '../../native/xen-error.ts'
import type { DomainConfig } from '../config/domain-config.ts'
import type { DomainRecord } from '../daemon/journal.ts'
import type { Reservation } from '../daemon/names.ts'
import { bringUpDevices } from '../device/bring-up.ts'
import { removeDevices } from '../device/removal.ts'
import type { OpenDisk } from '../device/vbd.ts'
import type { Vif } from '../device/vif.ts'
import { ConfigError, Interrupted } from '../output/errors.ts'
import type { Toolstack } from '../toolstack.ts'
import { explainedFailure } from './create-failure.ts'
import { runSteps, type Step, type StepTimes } from './steps.ts'
import { removeStoreTree, vmPath, writeStoreTree } from './store-tree.ts'

export interface CreateOptions {
  /** Aborted: what was done is undone. */
  readonly signal?: AbortSignal
  readonly isLeftPaused?: boolean
  /** Runs when the domain is complete and not yet unpaused: a console is attached there. */
  readonly beforeUnpause?: (domid: Domid) => Promise<void>
  /** When it was asked for, by the toolstack's clock; else it was now. */
  readonly requestedAtMs?: number
  /** Ends in a row that came too soon, when this is a restart. */
  readonly quickDeaths?: number
}

export interface Created {
  readonly domid: Domid
  readonly uuid: string
  readonly name: string
  /** ms from the request to the unpause. */
  readonly totalMs: number
  /** `request`: from the request to the first step; `build` and `store-start` overlap. */
  readonly stepMs: StepTimes
}

/** A creation on its way: what the steps have found out so far. */
export interface Creation {
  readonly toolstack: Toolstack
  readonly store: XenstoreClient
  /** Once the devices are claimed, with the addresses that its network cards have got. */
  config: DomainConfig
  readonly uuid: string
  readonly spec: DomainSpec
  readonly reservation: Reservation
  readonly options: CreateOptions
  /** Aborted when nobody wants the domain any more; then `check` throws. */
  readonly stop: AbortSignal
  /** @throws Interrupted */
  readonly check: () => void
  /** Set when an undo failed: the journal then keeps the domain, and what is left is tried again. */
  isUndoFailed: boolean
  /** The store daemon has heard of it, or may have. */
  isIntroduced: boolean
  vifs: readonly Vif[]
  diskIdentities: readonly string[]
  openDisks: readonly OpenDisk[]
  domid: Domid | undefined
  ports: DomainPorts | undefined
  building: Promise<BuiltImage> | undefined
  /** How long the image took, by the build's own promise. */
  buildMs: number
  /** How long the transaction took to begin, and to be written and committed. */
  storeTimes: StepTimes
  image: BuiltImage | undefined
}

/** In the order in which they are done. */
export const CREATE_STEPS: readonly Step<Creation>[] = [
  {
    name: 'name',
    do: ({ toolstack, reservation }) => toolstack.names.reserve(reservation),
    undo: ({ toolstack, reservation }) => toolstack.names.settle(reservation, undefined),
  },
  {
    name: 'claim',
    do: (creation) => {
      const { toolstack, uuid, config } = creation
      const { vifs, identities } = toolstack.claims.claim(uuid, config)
      creation.config = { ...config, vifs }
      creation.vifs = vifs
      creation.diskIdentities = identities
    },
    undo: ({ toolstack, uuid, isUndoFailed }) => {
      if (!isUndoFailed) toolstack.claims.forget(uuid)
    },
  },
  {
    name: 'journal',
    do: (creation) => {
      const { toolstack, config } = creation
      checkFile('kernel', config.kernel)
      if (config.ramdisk !== undefined) checkFile('ramdisk', config.ramdisk)
      toolstack.journal.begin(recordOf(creation))
    },
    undo: ({ toolstack, uuid, isUndoFailed }) => {
      if (!isUndoFailed) toolstack.journal.remove(uuid)
    },
  },
  {
    // Each goes into the journal as soon as it is open: what a kill leaves open the next xcld closes.
    name: 'disks',
    do: (creation) => {
      const { toolstack, uuid } = creation
      creation.openDisks = toolstack.claims.open(uuid, (index, device) => {
        toolstack.journal.opened(uuid, index, device)
      })
    },
    undo: ({ toolstack, uuid, isUndoFailed }) => {
      if (!isUndoFailed) toolstack.claims.close(uuid)
    },
  },
  {
    name: 'domain',
    do: async (creation) => {
      const { toolstack, reservation, spec, uuid, config } = creation
      toolstack.freeMemory.check(config.name, config.memoryKiB)
      const domid = await toolstack.hypervisor.builder.create(spec)
      creation.domid = domid
      toolstack.names.expect(reservation, domid)
      toolstack.journal.assign(uuid, domid)
    },
    undo: async ({ toolstack, domid, isIntroduced }) => {
      if (domid === undefined) return
      await destroyInXen(toolstack, domid)
      // A console daemon that has taken it up lets go of it only when it is dying already.
      if (isIntroduced) await releaseDomain(toolstack, domid)
    },
  },
  {
    name: 'prepare',
    do: async (creation) => {
      const { toolstack, spec } = creation
      creation.ports = await toolstack.hypervisor.builder.prepare(known(creation.domid), spec)
    },
    // Vcpus, limits and ports are the domain's and go with it.
    undo: () => undefined,
  },
  {
    name: 'image',
    do: (creation) => {
      const { toolstack, spec, config } = creation
      const { kernel, ramdisk, cmdline } = config
      const image = { kernel, ramdisk, cmdline }
      const begin = toolstack.clock()
      creation.building = toolstack.hypervisor.builder
        .build(known(creation.domid), spec, known(creation.ports), image)
        .finally(() => {
          creation.buildMs = toolstack.clock() - begin
        })
      // Awaited, and its time told, by the next step, while the store opens the transaction.
      creation.building.catch(() => undefined)
    },
    times: () => ({}),
    // A domain must not be destroyed under the thread that fills it; its failure is known.
    undo: async ({ building }) => {
      await building?.catch(() => undefined)
    },
  },
  {
    name: 'store',
    do: async (creation) => {
      const { toolstack, store, uuid, config, vifs, openDisks } = creation
      const { clock } = toolstack
      const begin = clock()
      let startedAtMs = begin
      let writtenAtMs: number | undefined
      await store.pipelinedTransaction(async (tx) => {
        // Tried again when somebody interferes: that belongs to the commit.
        if (writtenAtMs === undefined) startedAtMs = clock()
        creation.image = await known(creation.building)
        writtenAtMs ??= clock()
        writeStoreTree(tx, {
          domid: known(creation.domid),
          uuid,
          config,
          vifs,
          openDisks,
          ports: known(creation.ports),
          image: creation.image,
          startTimeMs: toolstack.wallClock(),
        })
      })
      creation.storeTimes = {
        'store-start': startedAtMs - begin,
        'store-commit': clock() - (writtenAtMs ?? begin),
      }
    },
    times: ({ buildMs, storeTimes }) => ({ build: buildMs, ...storeTimes }),
    undo: async ({ toolstack, domid, uuid, config }) => {
      if (domid === undefined) return
      if (hasDevices(config)) await removeDevices(toolstack, domid)
      await removeStoreTree(await toolstack.store.client(), domid, vmPath(uuid))
    },
  },
  {
    name: 'introduce',
    do: async (creation) => {
      const { store, domid, image, ports } = creation
      creation.isIntroduced = true
      await store.introduce(known(domid), known(image).storeGfn, known(ports).storePort)
    },
    // With the domain.
    undo: () => undefined,
  },
  {
    name: 'devices',
    do: async (creation) => {
      const { toolstack, store, config, vifs, stop, check } = creation
      if (!hasDevices(config)) return
      const devices = { domid: known(creation.domid), name: config.name, vifs, disks: config.disks }
      await bringUpDevices(toolstack, store, devices, stop)
      check()
    },
    // With the nodes that are their back ends' life: see the step that writes them.
    undo: () => undefined,
  },
  {
    name: 'attach',
    do: async ({ options, domid }) => await options.beforeUnpause?.(known(domid)),
    // Whoever is attached sees the console end.
    undo: () => undefined,
  },
  {
    name: 'record',
    do: ({ toolstack, uuid }) => toolstack.journal.complete(uuid),
    // The journal's own undo removes the file wherever it is.
    undo: () => undefined,
  },
  {
    name: 'unpause',
    do: ({ toolstack, options, domid, uuid, config }) => {
      const id = known(domid)
      const startedAtMs = toolstack.clock()
      const quickDeaths = options.quickDeaths ?? 0
      toolstack.lifeCycle.track({ domid: id, uuid, config, startedAtMs, quickDeaths })
      if (!options.isLeftPaused) toolstack.hypervisor.domains.unpause(id)
    },
    undo: ({ toolstack, domid, uuid }) => {
      if (domid === undefined) return
      toolstack.lifeCycle.begin(domid, uuid)
      toolstack.lifeCycle.finish(domid, uuid)
    },
  },
]

/**
 * Creates a domain and starts it, or leaves nothing of it.
 * @throws NameTaken, ConfigError, XenError, XenstoreError, XenstoreUnreachable, Interrupted
 */
export async function createDomain(
  toolstack: Toolstack,
  config: DomainConfig,
  options: CreateOptions = {},
): Promise<Created> {
  const { names, log, clock } = toolstack
  const begin = options.requestedAtMs ?? clock()
  const uuid = config.uuid ?? randomUUID()
  const store = await toolstack.store.client()
  await names.refreshed()
  const cancelled = new AbortController()
  let settle: () => void = () => undefined
  const ended = new Promise<void>((resolve) => {
    settle = resolve
  })
  const reservation = { name: config.name, uuid, cancel: () => cancelled.abort(), ended }
  const { signal } = options
  const check = (): void => {
    if (signal?.aborted) throw new Interrupted(`creating ${config.name} was interrupted`)
    if (cancelled.signal.aborted) {
      throw new Interrupted(`${config.name} was destroyed while it was being created`)
    }
  }
  const creation: Creation = {
    toolstack,
    store,
    config,
    uuid,
    spec: specOf(config, uuid),
    reservation,
    options,
    stop: signal === undefined ? cancelled.signal : AbortSignal.any([signal, cancelled.signal]),
    check,
    isUndoFailed: false,
    isIntroduced: false,
    vifs: [],
    diskIdentities: [],
    openDisks: [],
    domid: undefined,
    ports: undefined,
    building: undefined,
    buildMs: 0,
    storeTimes: {},
    image: undefined,
  }
  try {
    const requestMs = clock() - begin
    const times = await runSteps(CREATE_STEPS, creation, {
      log,
      clock,
      check,
      onUndoFailed: () => {
        creation.isUndoFailed = true
      },
    })
    const totalMs = clock() - begin
    const stepMs = { request: requestMs, ...times }
    const domid = known(creation.domid)
    names.settle(reservation, domid)
    log.info({ domid, domain: config.name, uuid, totalMs, stepMs }, 'domain created')
    return { domid, uuid, name: config.name, totalMs, stepMs }
  } catch (error) {
    if (creation.isUndoFailed) toolstack.remains.retryLater({ uuid, domid: creation.domid })
    throw explainedFailure(error, config)
  } finally {
    settle()
  }
}

/** The store forgets the domain; that it did so already is fine. */
export async function releaseDomain(toolstack: Toolstack, domid: Domid): Promise<void> {
  const store = await toolstack.store.client()
  try {
    await toolstack.lifeCycle.ownRelease(() => store.release(domid))
  } catch (error) {
    const isGone =
      error instanceof XenstoreError && (error.errno === 'ENOENT' || error.errno === 'EINVAL')
    if (!isGone) throw error
  }
}

/** Frees the domain; that there is none any more is fine. */
export async function destroyInXen(toolstack: Toolstack, domid: Domid): Promise<void> {
  try {
    await toolstack.hypervisor.domains.destroy(domid)
  } catch (error) {
    if (!(error instanceof XenError && error.code === 'ESRCH')) throw error
  }
}

function recordOf(creation: Creation): DomainRecord {
  const { uuid, config, diskIdentities, openDisks, options } = creation
  const { isLeftPaused = false, quickDeaths = 0 } = options
  const domid = undefined
  return { uuid, domid, config, diskIdentities, openDisks, isLeftPaused, quickDeaths }
}

function hasDevices({ vifs, disks }: DomainConfig): boolean {
  return vifs.length > 0 || disks.length > 0
}

function specOf(config: DomainConfig, uuid: string): DomainSpec {
  return {
    type: config.type,
    uuid,
    vcpus: config.maxVcpus,
    memoryKiB: config.memoryKiB,
    maxMemoryKiB: config.maxMemoryKiB,
    maxEvtchnPort: config.maxEvtchnPort,
    maxGrantFrames: config.maxGrantFrames,
    maxMaptrackFrames: config.maxMaptrackFrames,
  }
}

function checkFile(what: string, path: string): void {
  try {
    accessSync(path, constants.R_OK)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new ConfigError(`${what} ${path} cannot be read: ${code}`, undefined)
  }
}

/** Steps run in order, so what an earlier one found out is there. */
function known<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('a step ran before the one it depends on')
  return value
}
