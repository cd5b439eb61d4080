/**
 * Answers `GET /metrics`, one request per connection. While nobody asks no timer runs.
 */
import { lstatSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { MetricsAddress } from './address.ts'
import { EXPOSITION_TYPE } from './exposition.ts'

/** Whoever asks does so now and then; more at once is an accident, or worse. */
const MAX_CONNECTIONS = 16
const IDLE_MS = 10_000
/** Node looks for slow clients at intervals; ours are cut off by a timer of their own. */
const NEVER_MS = 0x7fffffff
const ONLY_OWNER = 0o177

/** The address cannot be had; the message is a sentence. */
class MetricsUnavailable extends Error {
  override readonly name = 'MetricsUnavailable'
}

export class MetricsServer {
  readonly #server: Server
  readonly #address: MetricsAddress
  #page: (() => string) | undefined

  /**
   * Listens; until `serve` it answers that it is not ready.
   *
   * @throws MetricsUnavailable when the address cannot be had
   */
  static async listen(address: MetricsAddress): Promise<MetricsServer> {
    const metrics = new MetricsServer(address)
    try {
      await metrics.#listen()
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
      const text = `cannot answer for metrics at ${nameOf(address)} (${code})`
      throw new MetricsUnavailable(text, { cause: error })
    }
    return metrics
  }

  private constructor(address: MetricsAddress) {
    this.#address = address
    this.#server = createServer({ connectionsCheckingInterval: NEVER_MS }, (request, response) =>
      this.#answer(request, response),
    )
    this.#server.maxConnections = MAX_CONNECTIONS
    this.#server.timeout = IDLE_MS
  }

  /** Where it listens: the port, when it was asked for any. */
  get port(): number | undefined {
    const address = this.#server.address()
    return typeof address === 'object' ? address?.port : undefined
  }

  /** @param page what a scrape gets, made when it comes */
  serve(page: () => string): void {
    this.#page = page
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  #listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.once('listening', resolve)
      const address = this.#address
      if (address.kind === 'tcp') {
        this.#server.listen(address.port, address.host)
        return
      }
      if (isSocket(address.path)) rmSync(address.path)
      // The file is made within the call: nobody else can connect in between.
      const before = process.umask(ONLY_OWNER)
      try {
        this.#server.listen(address.path)
      } finally {
        process.umask(before)
      }
    })
  }

  #answer({ method, url }: IncomingMessage, response: ServerResponse): void {
    response.shouldKeepAlive = false
    const [path] = (url ?? '').split('?')
    if (method !== 'GET' && method !== 'HEAD') say(response, 405, 'only GET\n')
    else if (path !== '/metrics') say(response, 404, 'see /metrics\n')
    else if (this.#page === undefined) say(response, 503, 'starting\n')
    else say(response, 200, this.#page(), EXPOSITION_TYPE)
  }
}

function say(response: ServerResponse, code: number, text: string, type = 'text/plain'): void {
  response.writeHead(code, { 'Content-Type': type })
  response.end(text)
}

/** Left behind by one that was killed; anything else is not ours to remove. */
function isSocket(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true
}

function nameOf(address: MetricsAddress): string {
  return address.kind === 'unix' ? `unix:${address.path}` : `${address.host}:${address.port}`
}
