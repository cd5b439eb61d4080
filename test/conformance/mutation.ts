/** How a rule of a checklist can be broken: the place in the source, and what to put there. */
export interface Mutation {
  /** Item of the page, as `5.19`. */
  readonly item: string
  readonly file: string
  /** Is there exactly once. */
  readonly find: string
  readonly replace: string
  /** The addon has to be built before anybody notices. */
  readonly isNative: boolean
}

/** Item, key of the file, what is there, what is put in its place. */
export type MutationRow<File extends string> = readonly [string, File, string, string]

/** @param files what rows call them, and where they are */
export function mutationsFrom<File extends string>(
  files: Readonly<Record<File, string>>,
  rows: readonly MutationRow<File>[],
): Mutation[] {
  return rows.map(([item, key, find, replace]) => {
    const file = files[key]
    return { item, file, find, replace, isNative: file.startsWith('native/src/') }
  })
}
