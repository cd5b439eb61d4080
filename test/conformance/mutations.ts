/**
 * How each rule of docs/conformance.md can be broken: the place in the source, and what to put there.
 */

export interface Mutation {
  /** Item of docs/conformance.md. */
  readonly item: string
  readonly file: string
  /** Is there exactly once. */
  readonly find: string
  readonly replace: string
}

export const MUTATIONS: readonly Mutation[] = []
