/**
 * The toolstack daemon, put together from its parts.
 *
 * ```
 * xcl ─► CommandServer ─► Session ─► cli ─► command ─┬─► createDomain, destroyDomain, …
 *                                                    │        │            │
 *        @releaseDomain ─► LifeCycle ────────────────┘   Hypervisor    XenStore
 *        /libxl, /vm    ─► DomainNames
 *        backend/vif, … ─► Backends
 * ```
 */
import { randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import type { XenstoreClient } from '../../lixs/client/client.ts'
import { DOM0, domidFrom, type Hypervisor } from '../../native/hypervisor.ts'
import { runCommandLine } from '../cli.ts'
import { Backends } from '../device/backends.ts'
import { DeviceClaims } from '../device/claims.ts'
import { createDomain } from '../domain/create.ts'
import { destroyDomain, destructionsOf, removeRemains } from '../domain/destroy.ts'
import { FreeMemory } from '../domain/free-memory.ts'
import { domainPath, ensureStoreRoots, vmPath } from '../domain/store-tree.ts'
import type { Toolstack } from '../toolstack.ts'
import { retiredName } from './end-policy.ts'
import { type DomainRecord, Journal } from './journal.ts'
import { LifeCycle, type Managed } from './life-cycle.ts'
import { DomainNames } from './names.ts'
import { Remains } from './remains.ts'
import { Restarts } from './restarts.ts'
import { CommandServer } from './server.ts'
import { StoreLink } from './store-link.ts'
import { takeUp } from './take-up.ts'

/** How long what was interrupted by our end may take to undo itself; then it is the next xcld's. */
const STOP_TIMEOUT_MS = 10_000

export interface XcldParts {
  readonly hypervisor: Pick<Hypervisor, 'domains' | 'builder' | 'devices'>
  readonly log: Logger
  readonly clock: () => number
  readonly wallClock: () => number
  /** Calls back after ms. @returns a function that calls it off */
  readonly after: (ms: number, call: () => void) => () => void
}

export interface XcldSettings {
  readonly socket: string
  readonly storeSocket: string | undefined
  readonly consoledSocket: string
  readonly consoleLogDir: string
  readonly stateDir: string
}

export class Xcld {
  readonly toolstack: Toolstack
  readonly #settings: XcldSettings
  readonly #store: StoreLink
  #server: CommandServer | undefined
  /** What an earlier xcld wanted to create and did not get to. */
  #wanted: readonly DomainRecord[] = []

  constructor(parts: XcldParts, settings: XcldSettings) {
    const { hypervisor, log, clock, after } = parts
    const { domains, devices } = hypervisor
    const journal = new Journal(settings.stateDir)
    this.#settings = settings
    this.#store = new StoreLink({
      socketPath: settings.storeSocket,
      log,
      after,
      onConnected: (store) => this.#connected(store),
    })
    this.toolstack = {
      ...parts,
      store: this.#store,
      names: new DomainNames({
        domains,
        log,
        after,
        recorded: (domid, uuid) => this.#recordedName(domid, uuid),
      }),
      backends: new Backends(after),
      claims: new DeviceClaims({ devices, log }),
      freeMemory: new FreeMemory(domains),
      journal,
      lifeCycle: new LifeCycle({
        domains,
        log,
        clock,
        after,
        actions: {
          destroy: (domid) => destroyDomain(this.toolstack, domid),
          restart: (managed, quickDeaths, isRenamed) =>
            this.#restart(managed, quickDeaths, isRenamed),
          vanished: ({ domid, uuid }) => removeRemains(this.toolstack, domid, uuid),
        },
      }),
      remains: new Remains({
        log,
        after,
        remove: ({ domid, uuid }) => removeRemains(this.toolstack, domid, uuid),
      }),
      restarts: new Restarts({
        log,
        journal,
        after,
        create: ({ config, quickDeaths }) => createDomain(this.toolstack, config, { quickDeaths }),
      }),
      consoledSocket: settings.consoledSocket,
      consoleLogDir: settings.consoleLogDir,
    }
  }

  /** Takes up what an earlier xcld left, then serves. A store that is not there yet is waited for. */
  async start(): Promise<void> {
    this.#wanted = await takeUp(this.toolstack)
    this.#server = await CommandServer.listen(this.#settings.socket, (session) =>
      runCommandLine(this.toolstack, session),
    )
    // The link has logged why, and tries again.
    this.#store.client().catch(() => undefined)
  }

  /**
   * Ends what runs as an interrupt would, and waits until it is undone; 10 s at most.
   */
  async stop(): Promise<void> {
    const { lifeCycle, remains, restarts, names, after } = this.toolstack
    for (const part of [lifeCycle, remains, restarts]) part.stop()
    const creations = names.creations()
    for (const creation of creations) creation.cancel()
    const work = [
      ...(this.#server?.interrupt() ?? []),
      ...creations.map(({ ended }) => ended),
      ...destructionsOf(this.toolstack),
    ]
    if (work.length > 0) await this.#settledInTime(work, after)
    this.#server?.close()
    this.#store.close()
    this.toolstack.journal.close()
  }

  async #settledInTime(
    work: readonly Promise<unknown>[],
    after: XcldParts['after'],
  ): Promise<void> {
    let callOff: () => void = () => undefined
    const late = new Promise<void>((resolve) => {
      callOff = after(STOP_TIMEOUT_MS, () => {
        this.toolstack.log.warn('what runs cannot be undone in time; left to the next xcld')
        resolve()
      })
    })
    await Promise.race([Promise.allSettled(work), late])
    callOff()
  }

  /** Before anybody else gets the connection. */
  async #connected(store: XenstoreClient): Promise<void> {
    const { names, backends, lifeCycle } = this.toolstack
    await ensureStoreRoots(store)
    lifeCycle.outOfTouch()
    const depth = (await store.offersWatchDepth()) ? 1 : undefined
    await Promise.all([
      names.follow(store),
      backends.follow(store),
      store.watch('@releaseDomain', (path) => this.#released(path), depth),
    ])
    // They ask for the connection, which is being made: after it was handed out.
    setImmediate(() => void this.#goOn())
  }

  /** @param path with the domain's number behind it, or, the first time and from some stores, without */
  #released(path: string): void {
    const { lifeCycle } = this.toolstack
    const domid = domidFrom(path.split('/')[1] ?? '')
    // The first event, which comes at once, has what ended in the meantime looked for.
    if (domid === undefined) lifeCycle.released()
    else lifeCycle.releasedOne(domid)
  }

  /** With what had to wait for a store. */
  async #goOn(): Promise<void> {
    const { remains, restarts } = this.toolstack
    // Remains may have the name or the uuid of what is to be created.
    await remains.sweep()
    const wanted = this.#wanted
    this.#wanted = []
    await Promise.all(wanted.map((record) => restarts.create(record)))
  }

  #recordedName(domid: Managed['domid'], uuid: string): string | undefined {
    // As xen-init-dom0 calls it, where that has run.
    if (domid === DOM0) return 'Domain-0'
    const managed = this.toolstack.lifeCycle.managed(domid)
    return managed?.uuid === uuid ? managed.config.name : undefined
  }

  async #restart(managed: Managed, quickDeaths: number, isRenamed: boolean): Promise<void> {
    // The old domain, when it stays, keeps its handle in Xen: the new one cannot have the same.
    const uuid = isRenamed ? randomUUID() : managed.uuid
    const config = { ...managed.config, uuid }
    const record = {
      uuid,
      domid: undefined,
      config,
      diskIdentities: [],
      openDisks: [],
      isLeftPaused: false,
      quickDeaths,
    }
    await this.toolstack.restarts.replace(record, () =>
      isRenamed ? this.#retire(managed) : destroyDomain(this.toolstack, managed.domid),
    )
  }

  /** Gives the domain a name under which nobody looks for it; it is not followed any more. */
  async #retire({ domid, uuid, config }: Managed): Promise<void> {
    const { names, wallClock, journal } = this.toolstack
    const store = await this.#store.client()
    const first = retiredName(config.name, wallClock())
    let name = first
    for (let i = 2; names.domidOf(name) !== undefined; i++) name = `${first}-${i}`
    await Promise.all([
      store.write(`${domainPath(domid)}/name`, name),
      store.write(`${vmPath(uuid)}/name`, name),
    ])
    names.set(domid, name, uuid)
    journal.remove(uuid)
  }
}
