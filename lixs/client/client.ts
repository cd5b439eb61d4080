import {
  XS_CONTROL,
  XS_GET_DOMAIN_PATH,
  XS_GET_FEATURE,
  XS_INTRODUCE,
  XS_IS_DOMAIN_INTRODUCED,
  XS_RELEASE,
  XS_RESET_WATCHES,
  XS_RESUME,
  XS_SET_TARGET,
} from '../wire/ops.ts'
import { nulTerminated, splitStrings } from '../wire/text.ts'
import { runPipelinedTransaction, runTransaction } from './client-transaction.ts'
import { type ClientWatch, ClientWatches, type WatchHandler } from './client-watch.ts'
import { type XenstoreConnectionLost, XenstoreError } from './errors.ts'
import { Pipeline } from './pipeline.ts'
import { storeSocketPath } from './socket-path.ts'
import { StoreRequests } from './store-requests.ts'
import type { TransactionWrites } from './transaction-writes.ts'

/** Bit of GET_FEATURE (xs_wire.h, XENSTORE_SERVER_FEATURE_WATCHDEPTH). */
const WATCH_DEPTH = 4

/**
 * A connection to lixs or any other XenStore daemon, over its unix socket.
 *
 * Every call sends its request at once and gives a promise; calls made in one turn of the event
 * loop leave in one write, answers come in the order of the calls. So requests that do not need each
 * other's answers are best made together: `await Promise.all([store.read(a), store.read(b)])`.
 *
 * Nothing is reconnected: `closed` says when the connection has ended, watches and transactions
 * ended with it.
 *
 * ```ts
 * const store = await XenstoreClient.connect()
 * await store.transaction((tx) => {
 *   tx.mkdir(`/local/domain/${domid}`)
 *   tx.setPerms(`/local/domain/${domid}`, ['n0', `r${domid}`])
 * })
 * await store.introduce(domid, gfn, port)
 * ```
 */
export class XenstoreClient {
  readonly #pipeline: Pipeline
  readonly #watches: ClientWatches
  readonly #requests: StoreRequests
  /** Settles when the connection has ended: with the reason, or undefined after `close`. */
  readonly closed: Promise<XenstoreConnectionLost | undefined>

  /**
   * @param socketPath unless given, $XENSTORED_PATH, $XENSTORED_RUNDIR/socket, /run/xenstored/socket
   * @throws XenstoreUnreachable
   */
  static async connect(socketPath: string = storeSocketPath()): Promise<XenstoreClient> {
    const watches = new ClientWatches()
    const pipeline = await Pipeline.connect(socketPath, (payload) => watches.deliver(payload))
    return new XenstoreClient(pipeline, watches)
  }

  private constructor(pipeline: Pipeline, watches: ClientWatches) {
    this.#pipeline = pipeline
    this.#watches = watches
    this.#requests = new StoreRequests(pipeline, 0, (promise) => promise)
    this.closed = pipeline.closed.then((lost) => {
      watches.end(lost)
      return lost
    })
  }

  /** The node's value as UTF-8 text; undefined when there is no such node. */
  read(path: string): Promise<string | undefined> {
    return this.#requests.read(path)
  }

  /** The node's value; undefined when there is no such node. */
  readBytes(path: string): Promise<Uint8Array | undefined> {
    return this.#requests.readBytes(path)
  }

  /** Sets the node's value; makes the node, and what is missing above it. */
  write(path: string, value: string | Uint8Array): Promise<void> {
    return this.#requests.write(path, value)
  }

  /** Makes the node with an empty value, unless it is there. */
  mkdir(path: string): Promise<void> {
    return this.#requests.mkdir(path)
  }

  /** Removes the node and everything below; done too when only the node itself is missing. */
  rm(path: string): Promise<void> {
    return this.#requests.rm(path)
  }

  /** Names of the node's children; undefined when there is no such node. Of any number. */
  directory(path: string): Promise<string[] | undefined> {
    return this.#requests.directory(path)
  }

  /** Permissions, the owner's entry first: `n0`, `r5`. */
  getPerms(path: string): Promise<string[]> {
    return this.#requests.getPerms(path)
  }

  /** @param perms the owner's entry first: `n0`, `r5` */
  setPerms(path: string, perms: readonly string[]): Promise<void> {
    return this.#requests.setPerms(path, perms)
  }

  /**
   * Runs `build` in a transaction and commits it, again from the start as long as the commit says
   * EAGAIN. All or nothing: when `build` throws, or one of its requests is refused, nothing is
   * changed, and the first refusal is thrown. A `build` that awaits nothing costs three rounds.
   */
  transaction<T>(build: (tx: StoreRequests) => T | Promise<T>): Promise<T> {
    return runTransaction(this.#pipeline, build)
  }

  /**
   * A transaction that only writes, in two rounds: START; then all changes and the commit, in one
   * write. The changes make no promises; the first one that is refused rejects the whole, and the
   * others are made all the same: for callers who undo everything then anyway.
   */
  pipelinedTransaction(build: (tx: TransactionWrites) => void | Promise<void>): Promise<void> {
    return runPipelinedTransaction(this.#pipeline, build)
  }

  /**
   * Watches a path and everything below. The first event comes at once, without any change.
   *
   * @param handler called with each changed path; without it, iterate over the watch
   * @param depth only so many levels below the path; 1 with `@releaseDomain` or `@introduceDomain`: paths
   *   have the domain's number behind them, `@releaseDomain/7`. Not all daemons know it.
   */
  watch(path: string, handler?: WatchHandler, depth?: number): Promise<ClientWatch> {
    return this.#watches.add(this.#pipeline, path, handler, depth)
  }

  /** May a watch have a depth? Daemons before Xen 4.22 know nothing of it. */
  async offersWatchDepth(): Promise<boolean> {
    const [features] = await Promise.allSettled([
      this.#pipeline.request(XS_GET_FEATURE, 0, []),
      // oxenstored answers a request without payload only once more bytes have come.
      this.getDomainPath(0),
    ])
    if (features.status === 'fulfilled') {
      return (Number(splitStrings(features.value)[0]) & WATCH_DEPTH) !== 0
    }
    if (features.reason instanceof XenstoreError) return false
    throw features.reason
  }

  /** Drops all watches of this connection, and its transactions, at the daemon. */
  async resetWatches(): Promise<void> {
    await this.#pipeline.request(XS_RESET_WATCHES, 0, [nulTerminated('')])
    this.#watches.end(undefined)
  }

  /** Says that a domain exists: the daemon maps its ring and serves it. */
  async introduce(domid: number, gfn: number | bigint, port: number): Promise<void> {
    await this.#aboutDomain(XS_INTRODUCE, domid, gfn, port)
  }

  /** Says that a domain is gone: the daemon drops its ring and its nodes. */
  async release(domid: number): Promise<void> {
    await this.#aboutDomain(XS_RELEASE, domid)
  }

  /** After a suspended domain was resumed: its next shutdown is to be reported again. */
  async resume(domid: number): Promise<void> {
    await this.#aboutDomain(XS_RESUME, domid)
  }

  async isIntroduced(domid: number): Promise<boolean> {
    return (await this.#aboutDomain(XS_IS_DOMAIN_INTRODUCED, domid)) === 'T'
  }

  /** `/local/domain/<domid>`, whether there is such a domain or not. */
  getDomainPath(domid: number): Promise<string> {
    return this.#aboutDomain(XS_GET_DOMAIN_PATH, domid)
  }

  /** Gives a domain everything that another one, its target, may do (device model stub domains). */
  async setTarget(domid: number, target: number): Promise<void> {
    await this.#aboutDomain(XS_SET_TARGET, domid, target)
  }

  /** A command to the daemon itself: `help`, `quota`, `log`, …; gives its text. */
  async control(...words: readonly string[]): Promise<string> {
    const parts = words.map(nulTerminated)
    const payload = await this.#pipeline.request(XS_CONTROL, 0, parts, words[0])
    return splitStrings(payload)[0] ?? ''
  }

  /** Ends the connection; requests still on their way fail with XenstoreConnectionLost. */
  close(): void {
    this.#pipeline.close()
  }

  async #aboutDomain(
    type: number,
    domid: number,
    ...numbers: readonly (number | bigint)[]
  ): Promise<string> {
    const parts = [domid, ...numbers].map((number) => nulTerminated(String(number)))
    const payload = await this.#pipeline.request(type, 0, parts, String(domid))
    return splitStrings(payload)[0] ?? ''
  }
}
