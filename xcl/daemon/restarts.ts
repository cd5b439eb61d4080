/**
 * Domains that are to be created again: each is on disk from before its predecessor goes until it
 * is there, and what fails is tried again with back-off.
 */
import type { Logger } from 'pino'
import { Interrupted, NameTaken } from '../output/errors.ts'
import { backOffMs } from './back-off.ts'
import type { DomainRecord, Journal } from './journal.ts'

export interface RestartsOptions {
  readonly log: Logger
  readonly journal: Journal
  /** Calls back after ms. @returns a function that calls it off */
  readonly after: (ms: number, call: () => void) => () => void
  readonly create: (record: DomainRecord) => Promise<unknown>
}

export class Restarts {
  readonly #options: RestartsOptions
  /** Those that wait for their next try: by uuid, and by name the uuids. */
  readonly #waiting = new Map<string, { readonly name: string; callOff(): void }>()
  readonly #named = new Map<string, Set<string>>()
  /** Those that are to come: by name, the uuids. */
  readonly #coming = new Map<string, Set<string>>()
  #isStopped = false

  constructor(options: RestartsOptions) {
    this.#options = options
  }

  /**
   * Makes room for a domain, and then creates it. Settles after the first try; what could not be
   * created then is tried again.
   * @param clear ends the predecessor, or takes its name away; what it throws is passed on, and
   *   nothing is to be created
   */
  async replace(record: DomainRecord, clear: () => Promise<void>): Promise<void> {
    const { journal } = this.#options
    journal.beginRestart(record)
    this.#expect(record)
    try {
      await clear()
    } catch (error) {
      this.#end(record.uuid, record.config.name)
      throw error
    }
    await this.create(record)
  }

  /** Of a domain whose record says "to be created"; never rejects. */
  async create(record: DomainRecord, failures = 0): Promise<void> {
    const { uuid, config } = record
    const { log, after } = this.#options
    if (this.#isStopped) return
    this.#expect(record)
    try {
      await this.#options.create(record)
      this.#end(uuid, config.name)
    } catch (error) {
      // Told to stop in the middle: it is the next xcld's.
      if (this.#isStopped) return
      const about = { uuid, domain: config.name, err: error }
      if (error instanceof NameTaken || error instanceof Interrupted) {
        log.warn(about, 'not restarted')
        this.#end(uuid, config.name)
        return
      }
      const retryMs = backOffMs(failures + 1)
      log.error({ ...about, retryMs }, 'restart failed; tried again')
      const callOff = after(retryMs, () => {
        this.#forget(uuid)
        if (!this.#isStopped) void this.create(record, failures + 1)
      })
      this.#waiting.set(uuid, { name: config.name, callOff })
      const same = this.#named.get(config.name)
      if (same === undefined) this.#named.set(config.name, new Set([uuid]))
      else same.add(uuid)
    }
  }

  /**
   * Gives up a restart that waits for its next try.
   * @param key name or uuid
   * @returns whether there was one
   */
  cancel(key: string): boolean {
    const [named] = this.#named.get(key) ?? []
    const uuid = named ?? key.toLowerCase()
    const waiting = this.#forget(uuid)
    if (waiting === undefined) return false
    waiting.callOff()
    this.#end(uuid, waiting.name)
    return true
  }

  /** Whether a domain of this name is to be there again. */
  isComing(name: string): boolean {
    return this.#coming.has(name)
  }

  stop(): void {
    this.#isStopped = true
    for (const { callOff } of this.#waiting.values()) callOff()
  }

  #expect({ uuid, config: { name } }: DomainRecord): void {
    const same = this.#coming.get(name)
    if (same === undefined) this.#coming.set(name, new Set([uuid]))
    else same.add(uuid)
  }

  #end(uuid: string, name: string): void {
    const same = this.#coming.get(name)
    if (same?.delete(uuid) && same.size === 0) this.#coming.delete(name)
    this.#options.journal.endRestart(uuid)
  }

  #forget(uuid: string): { readonly name: string; callOff(): void } | undefined {
    const waiting = this.#waiting.get(uuid)
    if (waiting === undefined) return undefined
    this.#waiting.delete(uuid)
    const same = this.#named.get(waiting.name)
    if (same?.delete(uuid) && same.size === 0) this.#named.delete(waiting.name)
    return waiting
  }
}
