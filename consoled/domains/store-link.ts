import { XenstoreClient } from '../../lixs/client/client.ts'
import type { Logger } from '../../native/os/log.ts'
import type { Clock } from '../clock.ts'
import type { Consoles } from './consoles.ts'

const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 5000

/**
 * Keeps the consoles connected to the store. A store that was restarted is found again; until then
 * the consoles that are known are served on.
 */
export class StoreLink {
  readonly #socketPath: string
  readonly #consoles: Consoles
  readonly #clock: Clock
  readonly #log: Logger
  #client: XenstoreClient | undefined
  #isClosed = false
  #cancelRetry: (() => void) | undefined

  constructor(socketPath: string, consoles: Consoles, clock: Clock, log: Logger) {
    this.#socketPath = socketPath
    this.#consoles = consoles
    this.#clock = clock
    this.#log = log
  }

  /** The first connection. @throws XenstoreUnreachable, XenstoreConnectionLost, XenstoreError */
  async open(): Promise<void> {
    const client = await XenstoreClient.connect(this.#socketPath)
    this.#client = client
    try {
      await this.#consoles.useStore(client)
    } catch (error) {
      this.#consoles.loseStore()
      client.close()
      throw error
    }
    if (this.#isClosed) client.close()
    client.closed.then((lost) => {
      if (lost === undefined) return
      this.#consoles.loseStore()
      this.#log.error({ err: lost }, 'the store has gone; trying to reach it again')
      this.#retry(FIRST_RETRY_MS)
    })
  }

  close(): void {
    this.#isClosed = true
    this.#cancelRetry?.()
    this.#client?.close()
  }

  #retry(delayMs: number): void {
    if (this.#isClosed) return
    this.#cancelRetry = this.#clock.after(delayMs, () => {
      this.open().then(
        () => this.#log.info('the store is back'),
        (error: unknown) => {
          this.#log.debug({ err: error }, 'the store is still away')
          this.#retry(Math.min(delayMs * 2, LAST_RETRY_MS))
        },
      )
    })
  }
}
