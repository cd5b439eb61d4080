import type { Logger } from 'pino'
import { XenstoreClient } from '../../lixs/client/client.ts'
import { backOffMs } from './back-off.ts'

export interface StoreLinkOptions {
  /** Undefined: where XenStore usually is. */
  readonly socketPath: string | undefined
  readonly log: Logger
  /** Calls back after ms. @returns a function that calls it off */
  readonly after: (ms: number, call: () => void) => () => void
  /** Runs before anybody gets the connection: watches and indexes are in place then. */
  readonly onConnected: (store: XenstoreClient) => Promise<void>
}

/**
 * xcld's connection to XenStore: made when it is first needed, and made again when it could not be
 * made or was lost, for nobody may ask for a long time, yet domains that end have to be noticed.
 */
export class StoreLink {
  readonly #options: StoreLinkOptions
  #client: Promise<XenstoreClient> | undefined
  #failures = 0
  #callOffRetry: (() => void) | undefined
  #isClosed = false

  constructor(options: StoreLinkOptions) {
    this.#options = options
  }

  /**
   * The connection, made now when there is none.
   * @throws XenstoreUnreachable
   */
  client(): Promise<XenstoreClient> {
    this.#client ??= this.#connect()
    return this.#client
  }

  close(): void {
    this.#isClosed = true
    this.#callOffRetry?.()
    this.#client?.then(
      (client) => client.close(),
      () => undefined,
    )
  }

  async #connect(): Promise<XenstoreClient> {
    const { socketPath, log, onConnected } = this.#options
    let client: XenstoreClient | undefined
    try {
      client = await XenstoreClient.connect(socketPath)
      await onConnected(client)
    } catch (error) {
      this.#client = undefined
      client?.close()
      this.#failures++
      if (this.#failures === 1) log.warn({ err: error }, 'XenStore does not answer')
      this.#tryAgain(this.#failures)
      throw error
    }
    if (this.#isClosed) client.close()
    this.#failures = 0
    this.#callOffRetry?.()
    this.#callOffRetry = undefined
    log.info('connected to XenStore')
    void client.closed.then((lost) => {
      this.#client = undefined
      if (lost === undefined || this.#isClosed) return
      log.warn({ err: lost }, 'XenStore is lost')
      this.#tryAgain(1)
    })
    return client
  }

  #tryAgain(failures: number): void {
    if (this.#isClosed || this.#callOffRetry !== undefined) return
    this.#callOffRetry = this.#options.after(backOffMs(failures), () => {
      this.#callOffRetry = undefined
      // What it throws has put the next try off already.
      this.client().catch(() => undefined)
    })
  }
}
