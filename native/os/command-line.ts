/**
 * The command line of a daemon, read against a table: every flag once, as data. Parser, `--help` and
 * `--print-config` come from that table.
 */
import { parseArgs } from 'node:util'

/** What a flag's value is, and so what is accepted. */
export type OptionValue =
  | { readonly kind: 'flag' }
  | { readonly kind: 'text'; readonly metavar: string }
  | { readonly kind: 'number'; readonly metavar: string; readonly max: number }
  /** `metavar` stands for choices that are too many to be named in one line. */
  | { readonly kind: 'choice'; readonly choices: readonly string[]; readonly metavar?: string }
  /** `name=number`, may be given several times. */
  | { readonly kind: 'setting'; readonly metavar: string; readonly names: readonly string[] }

export interface OptionSpec<Name extends string = string> {
  readonly name: Name
  readonly short?: string
  readonly value: OptionValue
  /** As it would be typed; undefined when there is none. */
  readonly default?: string
  /** Environment variable that is asked when the flag is not given. */
  readonly env?: string
  /** Environment variables from which the program makes the value, in a way of its own. */
  readonly madeFromEnv?: readonly string[]
  readonly help: string
  /** Accepted for upstream's sake, without effect. */
  readonly isIgnored?: boolean
  /** Does one thing and ends the program, so it is no part of the configuration. */
  readonly isAction?: boolean
  /** May be given several times, and all of them count; otherwise the last one does. */
  readonly isRepeatable?: boolean
  /** Has no meaning in a configuration file. */
  readonly isCommandLineOnly?: boolean
}

/** The command line is wrong; the message is one sentence for the person who typed it. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** One option as it came out, and where its value was found. */
export interface Setting {
  /** As typed; several for an option that may be repeated; none when it is off. */
  readonly values: readonly string[]
  readonly source: 'flag' | 'environment' | 'file' | 'default'
  /** `file:line`, when it is from a file. */
  readonly place?: string
}
export type Settings<Name extends string> = ReadonlyMap<Name, Setting>

/**
 * Reads the command line and the environment against the table.
 *
 * @param argv without the program's name
 * @throws UsageError
 */
export function parseCommandLine<Name extends string>(
  specs: readonly OptionSpec<Name>[],
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
): Settings<Name> {
  const given = new Map<Name, string[]>()
  const { tokens } = parseArgs({
    args: [...argv],
    strict: false,
    tokens: true,
    allowPositionals: true,
    options: Object.fromEntries(
      specs.map(({ name, short, value }) => {
        const type: 'boolean' | 'string' = value.kind === 'flag' ? 'boolean' : 'string'
        return [name, short === undefined ? { type } : { type, short }]
      }),
    ),
  })
  for (const token of tokens) {
    if (token.kind === 'positional') {
      throw new UsageError(`unexpected argument "${token.value}"`)
    }
    if (token.kind === 'option-terminator') continue
    const spec = specs.find(({ name }) => name === token.name)
    if (spec === undefined) throw new UsageError(`unknown option ${token.rawName}`)
    const values = given.get(spec.name) ?? []
    values.push(checkedValue(spec, token.rawName, token.value))
    given.set(spec.name, values)
  }
  return new Map(specs.map((spec) => [spec.name, settle(spec, given.get(spec.name), env)]))
}

/** Text of `--help`. */
export function helpText(program: string, purpose: string, specs: readonly OptionSpec[]): string {
  const rows = specs.map((spec): [string, string] => [usage(spec), described(spec)])
  const width = Math.max(...rows.map(([left]) => left.length)) + 2
  const lines = rows.map(([left, right]) => `  ${left.padEnd(width)}${right}`)
  return `Usage: ${program} [OPTION]…\n\n${purpose}\n\n${lines.join('\n')}\n`
}

/** A value that is in force though its option was not given, and what set it. */
export interface EffectiveValue {
  readonly value: string
  /** The option that was given in its stead; undefined: none was. */
  readonly from?: string
}

/**
 * Text of `--print-config`: one `name = value  # source` a line.
 *
 * @param effective what is in force for options that were not given and have no fixed default
 */
export function configText<Name extends string>(
  specs: readonly OptionSpec<Name>[],
  settings: Settings<Name>,
  effective: ReadonlyMap<Name, string | EffectiveValue>,
): string {
  const lines = specs
    .filter(({ isIgnored, isAction }) => !isIgnored && !isAction)
    .map(({ name, value }) => {
      const setting: Setting = settings.get(name) ?? { values: [], source: 'default' }
      const { values, source, place } = setting
      if (value.kind === 'flag') return `${name} = ${values.length > 0}  # ${place ?? source}\n`
      if (values.length > 0) return `${name} = ${values.join(' ')}  # ${place ?? source}\n`
      const found = effective.get(name) ?? ''
      const { value: text, from } = typeof found === 'string' ? { value: found } : found
      return `${name} = ${text}  # ${from === undefined ? source : `see ${from}`}\n`
    })
  return lines.join('')
}

function settle(
  spec: OptionSpec,
  given: readonly string[] | undefined,
  env: NodeJS.ProcessEnv,
): Setting {
  if (given !== undefined) return { values: given, source: 'flag' }
  const fromEnv = spec.env === undefined ? undefined : env[spec.env]
  if (fromEnv) {
    return { values: [checkedValue(spec, `$${spec.env}`, fromEnv)], source: 'environment' }
  }
  if (spec.madeFromEnv?.some((name) => env[name])) return { values: [], source: 'environment' }
  return { values: spec.default === undefined ? [] : [spec.default], source: 'default' }
}

/**
 * A value as it was typed, if the option takes it.
 *
 * @param typed the option as the person wrote it
 * @throws UsageError
 */
export function checkedValue(spec: OptionSpec, typed: string, value: string | undefined): string {
  const { value: wanted } = spec
  if (wanted.kind === 'flag') {
    if (value !== undefined && !spec.isIgnored) throw new UsageError(`${typed} takes no value`)
    return ''
  }
  if (value === undefined || value === '') throw new UsageError(`${typed} needs a value`)
  switch (wanted.kind) {
    case 'text':
      return value
    case 'number':
      if (!isNumber(value, wanted.max)) {
        throw new UsageError(`${typed}: "${value}" is not a number from 0 to ${wanted.max}`)
      }
      return value
    case 'choice':
      if (!wanted.choices.includes(value)) {
        throw new UsageError(`${typed}: "${value}" is none of ${wanted.choices.join(', ')}`)
      }
      return value
    case 'setting': {
      const [name = '', number = ''] = value.split('=', 2)
      if (!wanted.names.includes(name) || !isNumber(number, 0x7fffffff)) {
        const names = wanted.names.join(', ')
        throw new UsageError(`${typed}: "${value}" is not ${wanted.metavar}, with ${names}`)
      }
      return value
    }
  }
}

function isNumber(text: string, max: number): boolean {
  return /^[0-9]{1,10}$/.test(text) && Number(text) <= max
}

function usage({ name, short, value }: OptionSpec): string {
  const flags = short === undefined ? `    --${name}` : `-${short}, --${name}`
  switch (value.kind) {
    case 'flag':
      return flags
    case 'choice':
      return `${flags} ${value.metavar ?? value.choices.join('|')}`
    default:
      return `${flags} ${value.metavar}`
  }
}

function described(spec: OptionSpec): string {
  const notes = [
    ...(spec.value.kind === 'choice' && spec.value.metavar !== undefined
      ? [spec.value.choices.join(', ')]
      : []),
    ...(spec.default === undefined ? [] : [`default ${spec.default}`]),
    ...(spec.env === undefined ? [] : [`$${spec.env}`]),
    ...(spec.isIgnored ? ['ignored'] : []),
  ]
  return notes.length === 0 ? spec.help : `${spec.help} (${notes.join('; ')})`
}
