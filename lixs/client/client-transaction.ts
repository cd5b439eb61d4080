import { XS_TRANSACTION_END, XS_TRANSACTION_START } from '../wire/ops.ts'
import { nulTerminated, splitStrings } from '../wire/text.ts'
import { XenstoreError } from './errors.ts'
import type { Pipeline } from './pipeline.ts'
import { StoreRequests } from './store-requests.ts'

/** How often a transaction is tried when others keep changing what it read. */
const ATTEMPTS = 100

/**
 * Runs `build` in a transaction and commits it, again from the start as long as the commit says
 * EAGAIN.
 *
 * A `build` that awaits nothing costs two rounds: START; then all its requests and END in one write.
 * The first request that failed then rejects the whole, and what the others did is committed all
 * the same, for END was already on its way: undoing is up to the caller. A `build` that awaits and
 * throws ends the transaction without effect.
 *
 * @throws XenstoreError EAGAIN after 100 attempts
 */
export async function runTransaction<T>(
  pipeline: Pipeline,
  build: (tx: StoreRequests) => T | Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const id = await start(pipeline)
    const unanswered = new Unanswered()
    const tx = new StoreRequests(pipeline, id, (promise) => unanswered.add(promise))
    let value: T
    try {
      value = await build(tx)
    } catch (error) {
      unanswered.failures()
      await end(pipeline, id, 'F').catch(() => undefined) // what `build` threw says more
      throw error
    }
    const unnoticed = unanswered.failures()
    const refusal = await end(pipeline, id, 'T')
    if (refusal?.errno === 'EAGAIN' && attempt < ATTEMPTS) continue
    const failure = (await unnoticed)[0] ?? refusal
    if (failure !== undefined) throw failure
    return value
  }
}

async function start(pipeline: Pipeline): Promise<number> {
  const payload = await pipeline.request(XS_TRANSACTION_START, 0, [nulTerminated('')])
  return Number(splitStrings(payload)[0])
}

/** @returns the daemon's refusal; a connection that ended is thrown */
async function end(
  pipeline: Pipeline,
  id: number,
  how: 'T' | 'F',
): Promise<XenstoreError | undefined> {
  try {
    await pipeline.request(XS_TRANSACTION_END, id, [nulTerminated(how)])
    return undefined
  } catch (error) {
    if (error instanceof XenstoreError) return error
    throw error
  }
}

/** The requests of a transaction whose replies have not come yet. */
class Unanswered {
  readonly #promises = new Set<Promise<unknown>>()

  /** Who awaits the promise sees its failure as usual. */
  add<T>(promise: Promise<T>): Promise<T> {
    const handedOut = new Promise<T>((resolve, reject) => {
      promise.then(
        (value) => {
          this.#promises.delete(handedOut)
          resolve(value)
        },
        (error: unknown) => {
          this.#promises.delete(handedOut)
          reject(error)
        },
      )
    })
    this.#promises.add(handedOut)
    return handedOut
  }

  /** How those that wait now have failed, once the last one is answered; nobody else is told. */
  async failures(): Promise<unknown[]> {
    const outcomes = await Promise.allSettled(this.#promises)
    return outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
  }
}
