import { absolute } from './paths.ts'
import type { Step } from './step.ts'

/**
 * May a path have had the value of a reply to READ? Whatever is excused, a value that nobody has written
 * there is not.
 *
 * @param reply as it was heard; other replies may be anything
 */
export function mayBeRead(
  steps: readonly Step[],
  on: string,
  payload: string,
  reply: string,
): boolean {
  if (!reply.startsWith('READ ')) return true
  const value = reply.slice('READ '.length)
  const path = absolute(on, payload)
  // Made without a value.
  if (value === '') return true
  return steps.some((step) => {
    if (step.kind !== 'send' || step.op !== 'WRITE' || absolute(step.on, step.payload) !== path)
      return false
    return step.payload.slice(step.payload.indexOf('|') + 1) === value
  })
}
