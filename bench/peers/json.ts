/** The file of `--json`: for scripts, so its keys stay. */
import type { Machine } from './machine.ts'
import { ratioTo, ratioToBest } from './ratios.ts'
import type { Figure, RowResult } from './rounds.ts'
import type { Verdict } from './targets.ts'

/** @returns text that ends with a line break */
export function jsonText(
  machine: Machine,
  results: readonly RowResult[],
  verdicts: readonly Verdict[],
): string {
  const rows = results.map((result) => {
    const { stage, row, figures, samples } = result
    const best = ratioToBest(result)
    return {
      stage,
      name: row.name,
      unit: row.unit,
      isHigherBetter: row.isHigherBetter === true,
      peers: Object.fromEntries([...figures].map(([peer, figure]) => [peer, figureJson(figure)])),
      ratioToFloor: ratioTo(result, 'floor')?.spread ?? null,
      ratioToBest: best === undefined ? null : { peer: best.peer, ...best.spread },
      samples: Object.fromEntries(samples),
    }
  })
  const targets = verdicts.map(({ check, value, isHeld, without }) => ({
    ...check,
    value: Number.isNaN(value) ? null : value,
    isHeld: isHeld ?? null,
    without,
  }))
  return `${JSON.stringify({ machine, targets, rows }, undefined, 2)}\n`
}

function figureJson(figure: Figure): object {
  if (figure.kind === 'measured') return { ...figure.spread, rounds: figure.rounds }
  if (figure.kind === 'failed') return { failed: figure.why }
  return { tooSlow: figure.why, limitS: figure.limitS }
}
