import { XS_UNWATCH, XS_WATCH } from '../wire/ops.ts'
import { nulTerminated, splitStrings } from '../wire/text.ts'
import type { Pipeline } from './pipeline.ts'

/**
 * Told the path that changed: at or below the watched one, relative if that was relative. What it
 * throws is an uncaught exception of the program; the connection goes on.
 */
export type WatchHandler = (path: string) => void

/**
 * A watch that is registered. Its first event comes at once, without any change.
 *
 * Events go to the handler it was made with; without one they wait here for `for await`, a path that
 * waits already only once. The iteration ends with the watch, and throws when the connection is lost.
 */
export class ClientWatch implements AsyncIterable<string> {
  readonly path: string
  readonly token: string
  readonly #handler: WatchHandler | undefined
  readonly #pipeline: Pipeline
  readonly #watches: ClientWatches
  /** Made by the first event that waits: there may be ten thousand watches. */
  #changed: Set<string> | undefined
  #wake: (() => void) | undefined
  #isOver = false
  #failure: Error | undefined

  constructor(
    path: string,
    token: string,
    handler: WatchHandler | undefined,
    pipeline: Pipeline,
    watches: ClientWatches,
  ) {
    this.path = path
    this.token = token
    this.#handler = handler
    this.#pipeline = pipeline
    this.#watches = watches
  }

  /** Events that the daemon sent before it heard of this are not delivered. */
  unwatch(): Promise<void> {
    this.end(undefined)
    return this.#watches.remove(this.#pipeline, this)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string, void, undefined> {
    for (;;) {
      const changed = this.#changed
      for (const path of changed ?? []) {
        changed?.delete(path)
        yield path
      }
      if ((this.#changed?.size ?? 0) > 0) continue
      if (this.#failure !== undefined) throw this.#failure
      if (this.#isOver) return
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** For the connection only: an event has come. */
  deliver(path: string): void {
    if (this.#isOver) return
    if (this.#handler !== undefined) {
      try {
        this.#handler(path)
      } catch (error) {
        // Not the connection's fault: out of its way, where the program hears of its own mistake.
        queueMicrotask(() => {
          throw error
        })
      }
      return
    }
    this.#changed ??= new Set()
    this.#changed.add(path)
    this.#wake?.()
  }

  /** For the connection only: no more events will come. */
  end(failure: Error | undefined): void {
    this.#isOver = true
    this.#failure = failure
    this.#wake?.()
  }
}

/** The watches of one connection; events find theirs by token. */
export class ClientWatches {
  readonly #byToken = new Map<string, ClientWatch>()
  #lastToken = 0

  /** @throws XenstoreError */
  async add(
    pipeline: Pipeline,
    path: string,
    handler: WatchHandler | undefined,
    depth: number | undefined,
  ): Promise<ClientWatch> {
    this.#lastToken++
    const token = `w${this.#lastToken}`
    const watch = new ClientWatch(path, token, handler, pipeline, this)
    // Before the request leaves: some daemons could send the first event ahead of the reply.
    this.#byToken.set(token, watch)
    try {
      const more = depth === undefined ? [] : [nulTerminated(String(depth))]
      await pipeline.request(
        XS_WATCH,
        0,
        [nulTerminated(path), nulTerminated(token), ...more],
        path,
      )
    } catch (error) {
      this.#byToken.delete(token)
      throw error
    }
    return watch
  }

  /** For the watch only. @throws XenstoreError */
  async remove(pipeline: Pipeline, { path, token }: ClientWatch): Promise<void> {
    this.#byToken.delete(token)
    await pipeline.request(XS_UNWATCH, 0, [nulTerminated(path), nulTerminated(token)], path)
  }

  /** @param payload of a watch event: path and token; unknown tokens are of watches just ended */
  deliver(payload: Uint8Array): void {
    const [path, token] = splitStrings(payload)
    if (path === undefined || token === undefined) return
    this.#byToken.get(token)?.deliver(path)
  }

  end(failure: Error | undefined): void {
    for (const watch of this.#byToken.values()) watch.end(failure)
    this.#byToken.clear()
  }
}
