/** Types of the parser that the build generates from xl-cfg.peggy. */

export interface Position {
  /** Both from 1. */
  readonly line: number
  readonly column: number
}

export type Value =
  | { readonly kind: 'string'; readonly text: string; readonly position: Position }
  | { readonly kind: 'number'; readonly text: string; readonly position: Position }
  | { readonly kind: 'list'; readonly items: readonly Value[]; readonly position: Position }

export interface Assignment {
  readonly name: string
  readonly operator: '=' | '+='
  readonly value: Value
  readonly position: Position
}

export interface Expectation {
  readonly type: 'literal' | 'class' | 'any' | 'end' | 'other'
  readonly description?: string
}

declare class ParserSyntaxError extends Error {
  readonly expected: readonly Expectation[] | null
  readonly found: string | null
  readonly location: { readonly start: Position; readonly end: Position }
}

/** @throws SyntaxError */
export function parse(text: string): Assignment[]

/** The generator's name for it. */
export { ParserSyntaxError as SyntaxError }
