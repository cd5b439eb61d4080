/** The file that `npm start -- --json` writes, read as a script of somebody else would read it. */
import * as v from 'valibot'

const PerProcess = v.record(v.string(), v.number())
const Windows = v.record(v.string(), v.object({ p50: v.number(), p99: v.number() }))

const Figures = v.object({
  guests: v.number(),
  ready: v.number(),
  errors: v.number(),
  errorTexts: v.array(v.string()),
  ringRequests: v.number(),
  createMs: Windows,
  readyMs: Windows,
  slope: v.object({ create: v.nullable(v.number()), ready: v.nullable(v.number()) }),
  wallS: v.number(),
  createS: v.number(),
  /** CPU that everybody else used while the guests were created. */
  othersCpuS: v.number(),
  /** By guest count, then by process. */
  cpuMsPerGuest: v.record(v.string(), PerProcess),
  daemons: v.record(v.string(), v.object({ cpuS: v.number(), rssKiB: v.number() })),
  pids: v.array(v.number()),
  logDir: v.string(),
  runDir: v.string(),
  connected: v.object({ vif: v.number(), vbd: v.number() }),
  idle: v.optional(v.object({ seconds: v.number(), ticks: PerProcess })),
  work: v.optional(
    v.object({
      seconds: v.number(),
      requests: v.number(),
      lost: v.number(),
      missed: v.number(),
      lines: v.number(),
      linesLogged: v.number(),
      cpuUsPerRequest: PerProcess,
    }),
  ),
  deaths: v.optional(
    v.object({
      died: v.number(),
      cleaned: v.number(),
      seconds: v.number(),
      survivors: v.number(),
      answered: v.number(),
    }),
  ),
})
export type Figures = v.InferOutput<typeof Figures>

/** @throws ValiError, SyntaxError */
export function figuresFrom(json: string): Figures {
  return v.parse(Figures, JSON.parse(json))
}
