import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { statsOf } from './log-tail.ts'

/**
 * Where the files of the log directory are by now, told by what they are: others give those that they
 * put aside names of their own. Read once, and only if somebody asks.
 */
export class LogListing {
  readonly #dir: string
  #paths: Map<string, string> | undefined
  #isOver = false

  constructor(dir: string) {
    this.#dir = dir
  }

  /** @param identity as FileFacts has it @returns where the file was when the directory was read */
  find(identity: Int32Array): string | undefined {
    if (this.#isOver) return undefined
    this.#paths ??= pathsIn(this.#dir)
    const [dev, ino] = new BigUint64Array(identity.slice().buffer)
    return this.#paths.get(`${dev} ${ino}`)
  }

  /** Nobody asks any more, or what they are told would be old. */
  end(): void {
    this.#isOver = true
    this.#paths = undefined
  }
}

function pathsIn(dir: string): Map<string, string> {
  const paths = new Map<string, string>()
  try {
    for (const name of readdirSync(dir)) {
      const path = join(dir, name)
      const found = statsOf(path)
      if (found !== undefined) paths.set(`${found.dev} ${found.ino}`, path)
    }
  } catch {
    // What cannot be read is not found: then lines may be repeated.
  }
  return paths
}
