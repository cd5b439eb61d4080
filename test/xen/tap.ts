/** One result line of a suite, with the comment lines that follow it. */
export type TapResult = {
  readonly passed: boolean
  readonly name: string
  readonly notes: readonly string[]
}

/**
 * Reads what lib.sh or node's TAP reporter writes; only the top level, without directives.
 *
 * @returns the results; `complete` when a plan is there and counts as many
 */
export function parseTap(text: string): { results: TapResult[]; complete: boolean } {
  const results: { passed: boolean; name: string; notes: string[] }[] = []
  let planned = -1
  for (const line of text.split('\n')) {
    const result = /^(not )?ok \d+ ?-? ?(.*)$/.exec(line)
    const plan = /^1\.\.(\d+)/.exec(line)
    if (result !== null) {
      results.push({ passed: result[1] === undefined, name: result[2] ?? '', notes: [] })
    } else if (plan !== null) {
      planned = Number(plan[1])
    } else if (line.startsWith('#')) {
      results.at(-1)?.notes.push(line.slice(1).trim())
    }
  }
  return { results, complete: planned === results.length && planned > 0 }
}
