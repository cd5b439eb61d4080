/**
 * The toolstack daemon, put together from its parts.
 *
 * ```
 * xcl ─► CommandServer ─► Session ─► cli ─► command ─┬─► createDomain, destroyDomain, …
 *                                                    │        │            │
 *        @releaseDomain ─► LifeCycle ────────────────┘   Hypervisor    XenStore
 *        /libxl, /vm    ─► DomainNames
 * ```
 */
import type { Logger } from 'pino'
import type { XenstoreClient } from '../../lixs/client/client.ts'
import type { Hypervisor } from '../../native/hypervisor.ts'
import { runCommandLine } from '../cli.ts'
import { createDomain } from '../domain/create.ts'
import { destroyDomain, removeRemains } from '../domain/destroy.ts'
import { domainPath, ensureStoreRoots, vmPath } from '../domain/store-tree.ts'
import type { Toolstack } from '../toolstack.ts'
import { retiredName } from './end-policy.ts'
import { type DomainRecord, Journal } from './journal.ts'
import { LifeCycle, type Managed } from './life-cycle.ts'
import { DomainNames } from './names.ts'
import { CommandServer } from './server.ts'
import { StoreLink } from './store-link.ts'

export interface XcldParts {
  readonly hypervisor: Pick<Hypervisor, 'domains' | 'builder'>
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
  readonly stateDir: string
}

export class Xcld {
  readonly toolstack: Toolstack
  readonly #settings: XcldSettings
  readonly #store: StoreLink
  readonly #halfMade = new Map<string, DomainRecord>()
  #server: CommandServer | undefined

  constructor(parts: XcldParts, settings: XcldSettings) {
    const { hypervisor, log, clock, after } = parts
    this.#settings = settings
    this.#store = new StoreLink(settings.storeSocket, log, (store) => this.#connected(store))
    this.toolstack = {
      ...parts,
      store: this.#store,
      names: new DomainNames(hypervisor.domains),
      journal: new Journal(settings.stateDir),
      lifeCycle: new LifeCycle({
        domains: hypervisor.domains,
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
      consoledSocket: settings.consoledSocket,
    }
  }

  /** Takes up what an earlier xcld left, then serves. A store that is not there yet is waited for. */
  async start(): Promise<void> {
    await this.#takeUp()
    this.#server = await CommandServer.listen(this.#settings.socket, (session) =>
      runCommandLine(this.toolstack, session),
    )
    this.#store.client().catch((error: unknown) => {
      this.toolstack.log.warn({ err: error }, 'XenStore does not answer yet')
    })
  }

  stop(): void {
    this.#server?.close()
    this.#store.close()
  }

  /** Domains of an earlier xcld: complete ones are followed, half-made ones destroyed. */
  async #takeUp(): Promise<void> {
    const { hypervisor, journal, lifeCycle, log, clock } = this.toolstack
    const onBroken = (file: string, error: unknown): void => {
      log.warn({ file, err: error }, 'a record that cannot be read; removed')
    }
    const begun = journal.halfMade(onBroken)
    const done = journal.domains(onBroken)
    if (begun.length === 0 && done.length === 0) return
    const byUuid = new Map(hypervisor.domains.list().map((info) => [info.uuid, info]))
    for (const record of begun) {
      const info = byUuid.get(record.uuid)
      if (info !== undefined) {
        log.warn({ domid: info.domid, uuid: record.uuid }, 'half-made domain destroyed')
        await hypervisor.domains.destroy(info.domid)
      }
      this.#halfMade.set(record.uuid, { ...record, domid: info?.domid ?? record.domid })
    }
    for (const { uuid, domid, config } of done) {
      const at = byUuid.get(uuid)?.domid ?? domid
      if (at === undefined) journal.remove(uuid)
      else lifeCycle.track({ domid: at, uuid, config, startedAtMs: clock(), quickDeaths: 0 })
    }
  }

  /** Before anybody else gets the connection. */
  async #connected(store: XenstoreClient): Promise<void> {
    const { names, lifeCycle } = this.toolstack
    await ensureStoreRoots(store)
    // Its first event, which comes at once, has what ended in the meantime looked for.
    await Promise.all([
      names.follow(store),
      store.watch('@releaseDomain', () => lifeCycle.released()),
    ])
    // They ask for the connection, which is being made: after it was handed out.
    if (this.#halfMade.size > 0) setImmediate(() => void this.#removeHalfMade())
  }

  async #removeHalfMade(): Promise<void> {
    for (const { uuid, domid } of this.#halfMade.values()) {
      try {
        if (domid === undefined) this.toolstack.journal.remove(uuid)
        else await removeRemains(this.toolstack, domid, uuid)
        this.#halfMade.delete(uuid)
      } catch (error) {
        this.toolstack.log.warn({ uuid, err: error }, 'remains of a half-made domain stay')
      }
    }
  }

  async #restart(managed: Managed, quickDeaths: number, isRenamed: boolean): Promise<void> {
    const { domid, uuid, config } = managed
    if (!isRenamed) {
      await destroyDomain(this.toolstack, domid)
      await createDomain(this.toolstack, { ...config, uuid }, { quickDeaths })
      return
    }
    await this.#retire(managed)
    // The old domain keeps its handle in Xen, so the new one cannot have the same.
    await createDomain(this.toolstack, { ...config, uuid: undefined }, { quickDeaths })
  }

  /** Gives the domain a name under which nobody looks for it; it is not followed any more. */
  async #retire({ domid, uuid, config }: Managed): Promise<void> {
    const store = await this.#store.client()
    const name = retiredName(config.name, this.toolstack.wallClock())
    await Promise.all([
      store.write(`${domainPath(domid)}/name`, name),
      store.write(`${vmPath(uuid)}/name`, name),
    ])
    this.toolstack.names.set(domid, name, uuid)
    this.toolstack.journal.remove(uuid)
  }
}
