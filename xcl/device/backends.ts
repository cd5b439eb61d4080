/**
 * Follows the back ends of all guests' devices with one watch for each kind; what waits for one of
 * them is found by the path of the event.
 *
 * ```
 * /local/domain/0/backend/vif/17/0/state
 * └─ watched ──────────────┘  │
 * └─ key of those who wait ───┘
 * ```
 */
import type { XenstoreClient } from '../../lixs/client/client.ts'
import { type XenbusState, xenbusState } from './xenbus.ts'

/** Kinds of devices whose back ends are in dom0's kernel. */
export const KERNEL_KINDS = ['vif', 'vbd'] as const
export type KernelKind = (typeof KERNEL_KINDS)[number]

const BACKENDS = '/local/domain/0/backend'

/** The folder of all guests' back ends of a kind. */
export function kindPath(kind: KernelKind | 'console'): string {
  return `${BACKENDS}/${kind}`
}

/** Why a wait ended before the state was reached. */
export type Unreached =
  | { readonly kind: 'late'; readonly state: XenbusState | undefined }
  | { readonly kind: 'given-up' }

export interface StateWait {
  readonly backend: string
  /** Told the state now and each time something happens; undefined: there is no such back end. */
  readonly isReached: (state: XenbusState | undefined) => boolean
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

/** What of the store a wait needs. */
type BackendStore = Pick<XenstoreClient, 'read' | 'watch'>

/** One that waits; settled once. */
interface Waiter {
  look(): void
  fail(error: Error): void
}

export class Backends {
  readonly #after: (ms: number, call: () => void) => () => void
  /** By the folder of a guest's devices of one kind: few. */
  readonly #waiters = new Map<string, Set<Waiter>>()

  /** @param after calls back after ms, and gives a function that calls it off */
  constructor(after: (ms: number, call: () => void) => () => void) {
    this.#after = after
  }

  /** Follows a store; with its connection ends every wait. */
  async follow(store: BackendStore & Pick<XenstoreClient, 'closed'>): Promise<void> {
    void store.closed.then((lost) => {
      const waiters = [...this.#waiters.values()].flatMap((some) => [...some])
      for (const waiter of waiters) waiter.fail(lost ?? new Error('the store was closed'))
    })
    await Promise.all(
      KERNEL_KINDS.map((kind) => store.watch(kindPath(kind), (path) => this.#changed(path))),
    )
  }

  /** How many wait. */
  get waiting(): number {
    let waiting = 0
    for (const waiters of this.#waiters.values()) waiting += waiters.size
    return waiting
  }

  /**
   * Waits for a state of a back end.
   * @returns why it was not reached; undefined when it was
   * @throws XenstoreError, XenstoreConnectionLost
   */
  async until(store: BackendStore, wait: StateWait): Promise<Unreached | undefined> {
    const { backend, signal } = wait
    const folder = backend.slice(0, backend.lastIndexOf('/'))
    let settle: (unreached: Unreached | undefined) => void = () => undefined
    let fail: (error: Error) => void = () => undefined
    const over = new Promise<Unreached | undefined>((resolve, reject) => {
      settle = resolve
      fail = reject
    })
    let state: XenbusState | undefined
    const look = (): void => {
      store.read(`${backend}/state`).then((value) => {
        state = xenbusState(value)
        if (wait.isReached(state)) settle(undefined)
      }, fail)
    }
    const waiter: Waiter = { look, fail }
    const giveUp = (): void => settle({ kind: 'given-up' })
    const callOff = this.#after(wait.timeoutMs, () => settle({ kind: 'late', state }))
    signal?.addEventListener('abort', giveUp)
    if (signal?.aborted) giveUp()
    this.#add(folder, waiter)
    // Back ends of others, somewhere else: each has a watch of its own while it is waited for.
    const watch = isFollowed(folder) ? undefined : store.watch(`${backend}/state`, look)
    watch?.catch(fail)
    look()
    try {
      return await over
    } finally {
      callOff()
      signal?.removeEventListener('abort', giveUp)
      this.#delete(folder, waiter)
      await watch?.then((set) => set.unwatch()).catch(() => undefined)
    }
  }

  #changed(path: string): void {
    // Most of what happens there is none of our business.
    if (this.#waiters.size === 0) return
    const parts = path.split('/')
    if (parts.length > 8 && parts[8] !== 'state') return
    for (const waiter of this.#waiters.get(parts.slice(0, 7).join('/')) ?? []) waiter.look()
  }

  #add(folder: string, waiter: Waiter): void {
    const waiters = this.#waiters.get(folder) ?? new Set()
    this.#waiters.set(folder, waiters)
    waiters.add(waiter)
  }

  #delete(folder: string, waiter: Waiter): void {
    const waiters = this.#waiters.get(folder)
    waiters?.delete(waiter)
    if (waiters?.size === 0) this.#waiters.delete(folder)
  }
}

function isFollowed(folder: string): boolean {
  return KERNEL_KINDS.some((kind) => folder.startsWith(`${kindPath(kind)}/`))
}
