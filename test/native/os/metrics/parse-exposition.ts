/**
 * Reads Prometheus' text format and refuses whatever a scraper might: a small, strict parser that
 * knows nothing of how we write it.
 */

export interface ParsedFamily {
  readonly type: string
  readonly help: string
  /** By name and labels, as they stand there. */
  readonly samples: Map<string, number>
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const LABEL = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\["\\\\n])*"'
const SAMPLE = new RegExp(`^(${NAME})(\\{${LABEL}(?:,${LABEL})*\\})? (\\S+)$`)
const NUMBER = /^(?:[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|\+Inf|-Inf|NaN)$/
const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  counter: [''],
  gauge: [''],
  histogram: ['_bucket', '_sum', '_count'],
}

/** @throws Error that quotes the line that no scraper would take */
export function parseExposition(text: string): Map<string, ParsedFamily> {
  if (!text.endsWith('\n')) throw new Error('the last line has no newline')
  const families = new Map<string, ParsedFamily>()
  let current: { name: string; help: string; type?: string } | undefined
  for (const line of text.slice(0, -1).split('\n')) {
    const help = line.match(new RegExp(`^# HELP (${NAME}) (.+)$`))
    const type = line.match(new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram)$`))
    if (help !== null) {
      const [, name = '', words = ''] = help
      if (families.has(name)) throw new Error(`a family begins twice: ${line}`)
      current = { name, help: words }
    } else if (type !== null) {
      const [, name = '', kind = ''] = type
      if (current?.name !== name || current.type !== undefined) throw new Error(`TYPE: ${line}`)
      current.type = kind
      families.set(name, { type: kind, help: current.help, samples: new Map() })
    } else {
      takeSample(line, current, families)
    }
  }
  for (const [name, family] of families) checkFamily(name, family)
  return families
}

function takeSample(
  line: string,
  current: { name: string; type?: string } | undefined,
  families: Map<string, ParsedFamily>,
): void {
  const [, name = '', labels = '', value = ''] = line.match(SAMPLE) ?? []
  if (current?.type === undefined || name === '' || !NUMBER.test(value)) {
    throw new Error(`no sample: ${line}`)
  }
  const suffixes = SUFFIXES[current.type] ?? []
  if (!suffixes.some((suffix) => name === current.name + suffix)) {
    throw new Error(`a sample of another family: ${line}`)
  }
  const samples = families.get(current.name)?.samples
  const key = name + labels
  if (samples?.has(key)) throw new Error(`a sample comes twice: ${line}`)
  samples?.set(key, value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value))
}

function checkFamily(name: string, { type, samples }: ParsedFamily): void {
  if (type === 'counter' && !name.endsWith('_total')) throw new Error(`${name} is a counter`)
  if (type === 'gauge' && name.endsWith('_total')) throw new Error(`${name} is a gauge`)
  if (type !== 'histogram') return
  let previous = -1
  let bound = Number.NEGATIVE_INFINITY
  for (const [key, value] of samples) {
    const le = key.match(/_bucket\{le="([^"]+)"\}$/)?.[1]
    if (le === undefined) continue
    const next = le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le)
    if (!(next > bound)) throw new Error(`${key}: bounds do not ascend`)
    if (value < previous) throw new Error(`${key}: buckets are not cumulated`)
    bound = next
    previous = value
  }
  if (bound !== Number.POSITIVE_INFINITY) throw new Error(`${name} has no bucket for +Inf`)
  if (samples.get(`${name}_count`) !== previous) throw new Error(`${name}: +Inf is not the count`)
  if (!samples.has(`${name}_sum`)) throw new Error(`${name} has no sum`)
}
