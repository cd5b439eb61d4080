import { XS_TRANSACTION_END, XS_TRANSACTION_START } from '../wire/ops.ts'
import { nulTerminated, splitStrings } from '../wire/text.ts'
import { XenstoreError } from './errors.ts'
import type { Pipeline } from './pipeline.ts'
import { StoreRequests } from './store-requests.ts'
import { TransactionWrites } from './transaction-writes.ts'

/** How often a transaction is tried when others keep changing what it read. */
const ATTEMPTS = 100

/**
 * Runs `build` in a transaction and commits it once all its requests are answered; again from the
 * start as long as the commit says EAGAIN.
 *
 * All or nothing: when `build` throws, or one of its requests was refused (a missing node that was
 * read is no refusal), whether `build` has looked at the answer or not, nothing is changed.
 *
 * @throws XenstoreError of the first refused request; EAGAIN after 100 attempts
 */
export async function runTransaction<T>(
  pipeline: Pipeline,
  build: (tx: StoreRequests) => T | Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const id = await start(pipeline)
    const answers: Promise<unknown>[] = []
    const tx = new StoreRequests(pipeline, id, (promise) => {
      promise.catch(ignore) // looked at below, whoever else does
      answers.push(promise)
      return promise
    })
    let value: T
    try {
      value = await build(tx)
      await allAnswered(answers)
    } catch (error) {
      await abort(pipeline, id)
      throw error
    }
    const refusal = await commit(pipeline, id)
    if (refusal === undefined) return value
    if (refusal.errno !== 'EAGAIN' || attempt === ATTEMPTS) throw refusal
  }
}

/**
 * As `runTransaction`, for a `build` that only writes: everything and the commit leave in one write,
 * which saves a round. The price: when the daemon refuses one of the changes, the commit is on its
 * way already, and the other changes are made; undoing them is up to the caller.
 *
 * @throws XenstoreError of the first refused request; EAGAIN after 100 attempts
 */
export async function runPipelinedTransaction(
  pipeline: Pipeline,
  build: (tx: TransactionWrites) => void | Promise<void>,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const id = await start(pipeline)
    const tx = new TransactionWrites(id)
    try {
      await build(tx)
    } catch (error) {
      await abort(pipeline, id)
      throw error
    }
    const { failure, lastFailure } = await pipeline.send(tx.commit())
    if (lastFailure?.errno === 'EAGAIN' && attempt < ATTEMPTS) continue
    const refusal = failure ?? lastFailure
    if (refusal !== undefined) throw refusal
    return
  }
}

async function start(pipeline: Pipeline): Promise<number> {
  const payload = await pipeline.request(XS_TRANSACTION_START, 0, [nulTerminated('')])
  return Number(splitStrings(payload)[0])
}

/** @throws what went wrong with the first request that failed, once the last one is answered */
async function allAnswered(answers: readonly Promise<unknown>[]): Promise<void> {
  const outcomes = await Promise.allSettled(answers)
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
}

/** Its own failure is not news: what led here says more. */
async function abort(pipeline: Pipeline, id: number): Promise<void> {
  await pipeline.request(XS_TRANSACTION_END, id, [nulTerminated('F')]).catch(ignore)
}

/** @returns the daemon's refusal; a connection that ended is thrown */
async function commit(pipeline: Pipeline, id: number): Promise<XenstoreError | undefined> {
  try {
    await pipeline.request(XS_TRANSACTION_END, id, [nulTerminated('T')])
    return undefined
  } catch (error) {
    if (error instanceof XenstoreError) return error
    throw error
  }
}

function ignore(): void {}
