import { execProgram } from '../addon.ts'

/** What the next program is started with. */
export interface NextProgram {
  readonly path: string
  /** argv, its own name included. */
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
  /** Relative paths of its command line begin here. */
  readonly folder: string
  /** Descriptors that it finds open, beside its three streams; all others of ours are closed. */
  readonly keptOpen: readonly number[]
}

/** Node lets no descriptor pass unless told, not even these. */
const STREAMS = [0, 1, 2]

/**
 * Another program takes this one's place in the same process.
 *
 * @throws XenError when it cannot be started; this one goes on as it was
 */
export function becomeProgram({ path, args, env, folder, keptOpen }: NextProgram): never {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value ?? ''}`)
  const present = process.cwd()
  process.chdir(folder)
  try {
    return execProgram(path, args, variables, [...STREAMS, ...keptOpen])
  } finally {
    process.chdir(present)
  }
}
