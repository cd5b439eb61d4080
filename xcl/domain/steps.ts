/**
 * Work in steps that can be undone. A step's undo must cope with a step half done: it is called for
 * the step that failed, too, and then for those before it, last first.
 */
import type { Logger } from 'pino'

export interface Step<Work> {
  /** As logs and timings call it. */
  readonly name: string
  readonly do: (work: Work) => void | Promise<void>
  /** Where what was done is not the step's own work alone: what to tell of it. */
  readonly times?: (work: Work) => StepTimes
  readonly undo: (work: Work) => void | Promise<void>
}

/** How long each step took, in ms, in their order; parts of one step may overlap. */
export type StepTimes = Readonly<Record<string, number>>

export interface StepContext {
  readonly log: Logger
  /** ms, monotonic. */
  readonly clock: () => number
  /** Asked before each step; throws to stop the work there. */
  readonly check: () => void
  /** Told of an undo that failed; the others are still done. */
  readonly onUndoFailed: (step: string, error: unknown) => void
}

/**
 * Does the steps in order; when one fails, undoes it and all before it, and throws what it threw.
 */
export async function runSteps<Work>(
  steps: readonly Step<Work>[],
  work: Work,
  context: StepContext,
): Promise<StepTimes> {
  const times: Record<string, number> = {}
  for (const [index, step] of steps.entries()) {
    const begin = context.clock()
    try {
      context.check()
      await step.do(work)
      Object.assign(times, step.times?.(work) ?? { [step.name]: context.clock() - begin })
    } catch (error) {
      await undoSteps(steps.slice(0, index + 1), work, context)
      throw error
    }
  }
  return times
}

async function undoSteps<Work>(
  steps: readonly Step<Work>[],
  work: Work,
  context: StepContext,
): Promise<void> {
  for (const step of steps.toReversed()) {
    try {
      await step.undo(work)
    } catch (error) {
      context.log.warn({ step: step.name, err: error }, 'undo failed')
      context.onUndoFailed(step.name, error)
    }
  }
}
