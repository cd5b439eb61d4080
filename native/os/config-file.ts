/**
 * A daemon's configuration file: the long options of its table, a line each.
 *
 * ```
 * # comment
 * pid-file = /run/xen/xenstored.pid
 * keep-orphans = yes                 # flags: yes, no
 * quota = nodes=2000 watches=256     # what may be given several times: side by side, or a line each
 * ```
 */
import { readFileSync } from 'node:fs'
import { checkedValue, type OptionSpec, type Settings, UsageError } from './command-line.ts'

const YES = ['yes', 'true', 'on', '1']
const NO = ['no', 'false', 'off', '0']

interface Found {
  readonly values: string[]
  /** `file:line` of the last one. */
  place: string
}

/**
 * The settings with what the file says in place of mere defaults: flags and environment are stronger.
 *
 * @param isOptional a missing file is an empty one
 * @throws UsageError that names the line, or why the file cannot be read
 */
export function withConfigFile<Name extends string>(
  specs: readonly OptionSpec<Name>[],
  settings: Settings<Name>,
  file: string,
  isOptional: boolean,
): Settings<Name> {
  const text = contentsOf(file, isOptional)
  const found = new Map<string, Found>()
  for (const [index, line] of text.split('\n').entries()) {
    const content = line.replace(/(^|\s)#.*$/, '').trim()
    if (content !== '') takeLine(specs, content, `${file}:${index + 1}`, found)
  }
  const merged = new Map(settings)
  for (const [name, setting] of settings) {
    const inFile = found.get(name)
    if (setting.source !== 'default' || inFile === undefined) continue
    merged.set(name, { values: inFile.values, source: 'file', place: inFile.place })
  }
  return merged
}

function takeLine(
  specs: readonly OptionSpec[],
  content: string,
  place: string,
  found: Map<string, Found>,
): void {
  const equals = content.indexOf('=')
  if (equals < 0) throw new UsageError(`${place}: "${content}" is not NAME = VALUE`)
  const name = content.slice(0, equals).trim()
  const text = content.slice(equals + 1).trim()
  const spec = specs.find((candidate) => candidate.name === name)
  if (spec === undefined || spec.isAction || spec.isCommandLineOnly) {
    throw new UsageError(`${place}: there is no setting "${name}"`)
  }
  const values = valuesOf(spec, text, place)
  const entry = found.get(name)
  if (entry === undefined || !spec.isRepeatable) found.set(name, { values, place })
  else {
    entry.values.push(...values)
    entry.place = place
  }
}

function valuesOf(spec: OptionSpec, text: string, place: string): string[] {
  const typed = `${place}: ${spec.name}`
  if (spec.value.kind === 'flag') {
    if (YES.includes(text)) return ['']
    if (NO.includes(text)) return []
    throw new UsageError(`${typed}: "${text}" is neither yes nor no`)
  }
  const parts = spec.isRepeatable ? text.split(/\s+/) : [text]
  return parts.map((part) => checkedValue(spec, typed, part))
}

function contentsOf(file: string, isOptional: boolean): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    if (isOptional && code === 'ENOENT') return ''
    throw new UsageError(`cannot read the configuration ${file} (${code})`)
  }
}
