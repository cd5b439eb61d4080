import type { Logger } from 'pino'
import { XenstoreClient } from '../../lixs/client/client.ts'

const RETRY_MS = 1000

/**
 * xcld's connection to XenStore: made when it is first needed, made again after it was lost.
 *
 * `onConnected` runs before anybody gets the connection: watches and indexes are in place then.
 */
export class StoreLink {
  readonly #socketPath: string | undefined
  readonly #onConnected: (store: XenstoreClient) => Promise<void>
  readonly #log: Logger
  #client: Promise<XenstoreClient> | undefined
  #retry: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(
    socketPath: string | undefined,
    log: Logger,
    onConnected: (store: XenstoreClient) => Promise<void>,
  ) {
    this.#socketPath = socketPath
    this.#log = log
    this.#onConnected = onConnected
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
    clearTimeout(this.#retry)
    this.#client?.then(
      (client) => client.close(),
      () => undefined,
    )
  }

  async #connect(): Promise<XenstoreClient> {
    let client: XenstoreClient | undefined
    try {
      client = await XenstoreClient.connect(this.#socketPath)
      await this.#onConnected(client)
    } catch (error) {
      this.#client = undefined
      client?.close()
      throw error
    }
    this.#log.info('connected to XenStore')
    void client.closed.then((lost) => {
      this.#client = undefined
      if (lost === undefined || this.#isClosed) return
      this.#log.warn({ err: lost }, 'XenStore is lost')
      this.#tryAgain()
    })
    return client
  }

  /** Nobody may ask for a long time, yet domains that end have to be noticed. */
  #tryAgain(): void {
    this.#retry = setTimeout(() => {
      this.client().catch(() => {
        if (!this.#isClosed) this.#tryAgain()
      })
    }, RETRY_MS)
  }
}
