/**
 * xl.cfg from text to options: syntax only. What an option means is in domain-config.ts.
 */
import { ConfigError, type ConfigPlace } from '../output/errors.ts'
import {
  type Assignment,
  type Expectation,
  SyntaxError as ParserError,
  type Position,
  parse,
  type Value,
} from './xl-cfg-parser.js'

export type { Assignment, Position, Value }

/** Text of a configuration, under the name by which errors mention it. */
export interface ConfigText {
  /** `demo.cfg`, or `command line` for the assignments typed after it. */
  readonly file: string
  readonly text: string
}

/** One element of a list, and where it stands. */
export interface ConfigElement {
  readonly value: Value
  readonly place: ConfigPlace
}

/** The value an option has after all assignments. */
export interface ConfigOption {
  readonly name: string
  readonly value: Value
  /** Where the last assignment's value stands. */
  readonly place: ConfigPlace
  /** Of a list; `+=` may have brought them together from several files. */
  readonly elements: readonly ConfigElement[]
}

/**
 * Options by name; later texts and lines win, `+=` appends to a list or a string.
 * @throws ConfigError with file, line and column
 */
export function parseXlCfg(texts: readonly ConfigText[]): Map<string, ConfigOption> {
  const options = new Map<string, ConfigOption>()
  for (const source of texts) {
    for (const assignment of parseAssignments(source)) {
      refuseNul(source, assignment.name, assignment.value)
      const place = placeOf(source, assignment.value.position)
      const before = assignment.operator === '+=' ? options.get(assignment.name) : undefined
      const value =
        before === undefined ? assignment.value : append(before.value, assignment.value, place)
      const elements = [...(before?.elements ?? []), ...elementsOf(source, assignment.value)]
      options.set(assignment.name, { name: assignment.name, value, place, elements })
    }
  }
  return options
}

/** Texts go on to programs in C, for which one ends at its first NUL. */
function refuseNul(source: ConfigText, name: string, value: Value): void {
  if (value.kind === 'list') {
    for (const item of value.items) refuseNul(source, name, item)
  } else if (value.text.includes('\0')) {
    throw new ConfigError(
      `${name}: must not contain a NUL character`,
      placeOf(source, value.position),
    )
  }
}

/** What is added to a list without being one is one element. */
function elementsOf(source: ConfigText, value: Value): ConfigElement[] {
  const items = value.kind === 'list' ? value.items : [value]
  return items.map((item) => ({ value: item, place: placeOf(source, item.position) }))
}

/**
 * The statements of one text in order.
 * @throws ConfigError
 */
export function parseAssignments(source: ConfigText): Assignment[] {
  try {
    return parse(source.text)
  } catch (error) {
    if (!(error instanceof ParserError)) throw error
    const place = placeOf(source, error.location.start)
    throw new ConfigError(describe(error), place, hintFor(source.text, error))
  }
}

/** Writes assignments so that parsing gives them again (positions aside). */
export function printXlCfg(assignments: readonly Assignment[]): string {
  return assignments
    .map(({ name, operator, value }) => `${name} ${operator} ${printValue(value)}\n`)
    .join('')
}

function printValue(value: Value): string {
  switch (value.kind) {
    case 'number':
      return value.text
    case 'list':
      return `[${value.items.map(printValue).join(', ')}]`
    case 'string':
      return `"${value.text.replace(/["\\]/g, '\\$&').replace(/\n/g, '\\n').replace(/\r/g, '\\r')}"`
  }
}

function append(before: Value, added: Value, place: ConfigPlace): Value {
  if (before.kind === 'list') {
    const items = added.kind === 'list' ? added.items : [added]
    return { ...before, items: [...before.items, ...items] }
  }
  if (added.kind === 'list') {
    throw new ConfigError('a list cannot be appended to what is not a list', place)
  }
  return { kind: 'string', text: before.text + added.text, position: added.position }
}

function placeOf(source: ConfigText, position: Position): ConfigPlace {
  const text = (source.text.split('\n')[position.line - 1] ?? '').replace(/\r$/, '')
  return { file: source.file, line: position.line, column: position.column, text }
}

/** What may stand anywhere is no news to the reader. */
const UNSAID = new Set(['a blank', 'a comment', 'text'])

function describe(error: ParserError): string {
  const wanted = new Set((error.expected ?? []).map(nameOf).filter((name) => !UNSAID.has(name)))
  return `expected ${[...wanted].sort().join(' or ')}, found ${nameOfFound(error.found)}`
}

function nameOfFound(found: string | null): string {
  if (found === null) return 'the end of the file'
  return found === '\n' || found === '\r' ? 'the end of the line' : JSON.stringify(found)
}

function nameOf(expectation: Expectation & { readonly text?: string }): string {
  return expectation.description ?? expectation.text ?? expectation.type
}

function hintFor(text: string, error: ParserError): string | undefined {
  const lines = text.split('\n')
  const before = (lines[error.location.start.line - 1] ?? '').slice(
    0,
    error.location.start.column - 1,
  )
  if (/^\s*$/.test(before) && error.found !== null && /[A-Z]/.test(error.found)) {
    return 'names of options are written in lower case'
  }
  return /=\s*$/.test(before) && /\S/.test(error.found ?? '')
    ? 'xl.cfg is not Python: no expressions, and words stand in quotes'
    : undefined
}
