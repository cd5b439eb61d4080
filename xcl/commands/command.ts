import type { Session } from '../daemon/session.ts'
import type { Toolstack } from '../toolstack.ts'

/** One command of `xcl`, as data: parser, help and near misses come from it. */
export interface CommandSpec {
  readonly name: string
  readonly summary: string
  /** Typed by programs only: help does not show it, and it cannot be shortened. */
  readonly isHidden?: true
  /** In commander's notation: `<domain...>`, `[file...]`. */
  readonly parameters: readonly { readonly syntax: string; readonly help: string }[]
  readonly options: readonly CommandOption[]
  /** What help says besides, a line each. */
  readonly notes?: readonly string[]
  readonly examples: readonly { readonly line: string; readonly does: string }[]
  /** @returns the exit code; what it throws is told by the caller */
  readonly run: (invocation: Invocation) => Promise<number>
}

export interface CommandOption {
  /** In commander's notation: `-p, --paused`, `--format <format>`. */
  readonly flags: string
  readonly help: string
}

/** What a command prints to and is told by. */
export type Terminal = Pick<
  Session,
  'request' | 'signal' | 'stdout' | 'stderr' | 'print' | 'readStdin' | 'attach' | 'receivedAtMs'
>

/** A command as it was typed. */
export interface Invocation {
  readonly toolstack: Toolstack
  readonly session: Terminal
  readonly args: readonly string[]
  readonly options: TypedOptions
}

/** Options by the long name without dashes (`no-header` too). */
export class TypedOptions {
  readonly #values: Readonly<Record<string, unknown>>

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values
  }

  has(name: string): boolean {
    return this.#values[name] === true
  }

  value(name: string): string | undefined {
    const value = this.#values[name]
    return typeof value === 'string' ? value : undefined
  }
}

/** Everywhere the same. */
export const JSON_OPTION: CommandOption = { flags: '--json', help: 'print JSON, errors too' }
