import type { Step } from './step.ts'

/** Nobody waits for the last step that could be spared. */
const MOST_ATTEMPTS = 200

/**
 * Leaves out of a sequence what is not needed for what is the matter with it: halves first, single
 * steps last (delta debugging).
 *
 * @param isSuch is it still the matter with these steps?
 * @param onProgress told how many steps are left
 */
export async function shrink(
  steps: readonly Step[],
  isSuch: (steps: readonly Step[]) => Promise<boolean>,
  onProgress: (left: number) => void = () => undefined,
): Promise<readonly Step[]> {
  let best = steps
  let attempts = 0
  for (let size = best.length >> 1; size >= 1; ) {
    let hasShrunk = false
    for (let at = best.length - size; at > -size; at -= size) {
      if (++attempts > MOST_ATTEMPTS) return best
      const from = Math.max(at, 0)
      const fewer = [...best.slice(0, from), ...best.slice(at + size)]
      if (fewer.length === best.length || !(await isSuch(fewer))) continue
      best = fewer
      hasShrunk = true
      onProgress(best.length)
    }
    if (!hasShrunk || size > 1) size >>= 1
  }
  return best
}
