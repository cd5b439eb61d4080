import type { OptionSpec } from '../../native/os/command-line.ts'

/** The options of a program as its manual page lists them: Markdown, from the same table as `--help`. */
export function manOptions(specs: readonly OptionSpec[]): string {
  const listed = specs.filter(({ isIgnored }) => !isIgnored)
  const ignored = specs.filter(({ isIgnored }) => isIgnored)
  const names = ignored.map((spec) => namesOf(spec)).join('; ')
  const text = listed.map(entry).join('\n')
  if (ignored.length === 0) return text
  return `${text}\nAccepted for the sake of old scripts, without effect: ${names}.\n`
}

function entry(spec: OptionSpec): string {
  const { value } = spec
  const metavar =
    value.kind === 'flag'
      ? ''
      : ` *${value.kind === 'choice' ? (value.metavar ?? value.choices.join('|')) : value.metavar}*`
  const notes = [
    ...(value.kind === 'choice' && value.metavar !== undefined
      ? [`one of ${value.choices.join(', ')}`]
      : []),
    ...(spec.default === undefined ? [] : [`default ${spec.default}`]),
    ...(spec.env === undefined ? [] : [`environment: ${spec.env}`]),
    ...(spec.isRepeatable ? ['may be repeated'] : []),
  ]
  const more = notes.length === 0 ? '' : ` (${notes.join('; ')})`
  const help = spec.help.charAt(0).toUpperCase() + spec.help.slice(1)
  return `${namesOf(spec)}${metavar}\n: ${help}${more}.\n`
}

function namesOf({ short, name }: OptionSpec): string {
  return short === undefined ? `**--${name}**` : `**-${short}**, **--${name}**`
}
