/** What the load says of one measurement: a line of JSON. */
import * as v from 'valibot'

const MEASUREMENT = v.object({
  operations: v.number(),
  seconds: v.number(),
  /** Of the daemon, all its threads. */
  cpuSeconds: v.number(),
  /** Transactions that were answered EAGAIN, and done anew. */
  retries: v.number(),
  latencyUs: v.object({ p50: v.number(), p90: v.number(), p99: v.number(), max: v.number() }),
})
const FAILED = v.object({ failed: v.string() })
const TOO_SLOW = v.object({ tooSlow: v.string() })
const LINE = v.union([MEASUREMENT, FAILED, TOO_SLOW])

export type Measurement = v.InferOutput<typeof MEASUREMENT>

export type Outcome =
  | { readonly kind: 'measured'; readonly measurement: Measurement }
  /** The daemon answered an error, broke off, or ended. */
  | { readonly kind: 'failed'; readonly why: string }
  /** Nothing came to an end within the time that the measurement may take. */
  | { readonly kind: 'tooSlow'; readonly why: string }

/** @throws Error for a line that is none of the load's */
export function outcomeFrom(line: string): Outcome {
  const said = v.safeParse(v.pipe(v.string(), v.parseJson(), LINE), line)
  if (!said.success) throw new Error(`the load said ${JSON.stringify(line)}`)
  const { output } = said
  if ('failed' in output) return { kind: 'failed', why: output.failed }
  if ('tooSlow' in output) return { kind: 'tooSlow', why: output.tooSlow }
  return { kind: 'measured', measurement: output }
}
