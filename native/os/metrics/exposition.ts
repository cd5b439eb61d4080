/**
 * Figures as the text that Prometheus reads.
 *
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/, text format 0.0.4
 */
import type { Histogram } from './histogram.ts'

type Labels = Readonly<Record<string, string>>

/** One figure; with labels when a family has several. */
export interface Sample {
  readonly value: number
  readonly labels?: Labels
}

/** What is measured, in base units; a counter's name ends in `_total`. */
export type Family = { readonly name: string; readonly help: string } & (
  | { readonly type: 'counter' | 'gauge'; readonly samples: readonly Sample[] }
  | { readonly type: 'histogram'; readonly histogram: Histogram }
)

export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** What only grows. @param samples one figure, or several with labels */
export function counter(name: string, help: string, samples: number | readonly Sample[]): Family {
  return { name, help, type: 'counter', samples: samplesOf(samples) }
}

/** What there is now. @param samples one figure, or several with labels */
export function gauge(name: string, help: string, samples: number | readonly Sample[]): Family {
  return { name, help, type: 'gauge', samples: samplesOf(samples) }
}

function samplesOf(samples: number | readonly Sample[]): readonly Sample[] {
  return typeof samples === 'number' ? [{ value: samples }] : samples
}

/** All families, each with its help and its type before its samples. */
export function expositionText(families: readonly Family[]): string {
  return families.map(familyText).join('')
}

function familyText(family: Family): string {
  const { name, help, type } = family
  const head = `# HELP ${name} ${escaped(help)}\n# TYPE ${name} ${type}\n`
  const samples =
    family.type === 'histogram'
      ? histogramText(name, family.histogram)
      : family.samples.map((sample) => line(name, sample)).join('')
  return head + samples
}

function histogramText(name: string, histogram: Histogram): string {
  const counts = histogram.cumulated()
  const buckets = counts.map((value, at) => {
    const le = numberText(histogram.bounds[at] ?? Number.POSITIVE_INFINITY)
    return line(`${name}_bucket`, { value, labels: { le } })
  })
  const count = counts.at(-1) ?? 0
  return [
    ...buckets,
    line(`${name}_sum`, { value: histogram.sum }),
    line(`${name}_count`, { value: count }),
  ].join('')
}

function line(name: string, { value, labels = {} }: Sample): string {
  const pairs = Object.entries(labels).map(
    ([label, text]) => `${label}="${escaped(text).replaceAll('"', '\\"')}"`,
  )
  const braces = pairs.length === 0 ? '' : `{${pairs.join(',')}}`
  return `${name}${braces} ${numberText(value)}\n`
}

function numberText(value: number): string {
  return value === Number.POSITIVE_INFINITY ? '+Inf' : String(value)
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}
