import {
  XS_DIRECTORY,
  XS_DIRECTORY_PART,
  XS_GET_PERMS,
  XS_MKDIR,
  XS_READ,
  XS_RM,
  XS_SET_PERMS,
  XS_WRITE,
} from '../wire/ops.ts'
import { nulTerminated, splitStrings } from '../wire/text.ts'
import { XenstoreError } from './errors.ts'
import type { Pipeline } from './pipeline.ts'

/** Sees every promise that is handed out, and gives the one to hand out instead. */
type Oversee = <T>(promise: Promise<T>) => Promise<T>

/**
 * What can be asked of the tree, inside a transaction or outside of any.
 *
 * Paths are absolute, or relative to /local/domain/0. Every call sends at once and gives a promise;
 * answers come in the order of the calls. Failures are XenstoreError (the daemon said no) or
 * XenstoreConnectionLost.
 */
export class StoreRequests {
  readonly #pipeline: Pipeline
  readonly #txId: number
  readonly #oversee: Oversee

  /** @param txId 0 outside of any transaction */
  constructor(pipeline: Pipeline, txId: number, oversee: Oversee) {
    this.#pipeline = pipeline
    this.#txId = txId
    this.#oversee = oversee
  }

  /** The node's value as UTF-8 text; undefined when there is no such node. */
  read(path: string): Promise<string | undefined> {
    return this.#oversee(this.#readBytes(path).then(textOrUndefined))
  }

  /** The node's value; undefined when there is no such node. */
  readBytes(path: string): Promise<Uint8Array | undefined> {
    return this.#oversee(this.#readBytes(path))
  }

  /** Sets the node's value; makes the node, and what is missing above it. */
  write(path: string, value: string | Uint8Array): Promise<void> {
    const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value
    return this.#command(XS_WRITE, path, [bytes])
  }

  /** Makes the node with an empty value, unless it is there. */
  mkdir(path: string): Promise<void> {
    return this.#command(XS_MKDIR, path, [])
  }

  /** Removes the node and everything below; done too when only the node itself is missing. */
  rm(path: string): Promise<void> {
    return this.#command(XS_RM, path, [])
  }

  /** Names of the node's children; undefined when there is no such node. Of any number. */
  directory(path: string): Promise<string[] | undefined> {
    return this.#oversee(this.#directory(path))
  }

  /** Permissions, the owner's entry first: `n0`, `r5`. */
  getPerms(path: string): Promise<string[]> {
    return this.#oversee(this.#ask(XS_GET_PERMS, path, []).then(splitStrings))
  }

  /** @param perms the owner's entry first: `n0`, `r5` */
  setPerms(path: string, perms: readonly string[]): Promise<void> {
    return this.#command(XS_SET_PERMS, path, perms.map(nulTerminated))
  }

  #ask(type: number, path: string, more: readonly Uint8Array[]): Promise<Uint8Array> {
    return this.#pipeline.request(type, this.#txId, [nulTerminated(path), ...more], path)
  }

  #command(type: number, path: string, more: readonly Uint8Array[]): Promise<void> {
    return this.#oversee(this.#ask(type, path, more).then(ignoreAnswer))
  }

  #readBytes(path: string): Promise<Uint8Array | undefined> {
    return this.#pipeline.requestIfThere(XS_READ, this.#txId, [nulTerminated(path)], path)
  }

  async #directory(path: string): Promise<string[] | undefined> {
    try {
      return splitStrings(await this.#ask(XS_DIRECTORY, path, []))
    } catch (error) {
      if (error instanceof XenstoreError && error.errno === 'E2BIG') {
        return await this.#directoryInParts(path)
      }
      return undefinedWhenMissing(error)
    }
  }

  /** A list that does not fit into one message, part by part; from the start when it changed. */
  async #directoryInParts(path: string): Promise<string[] | undefined> {
    let generation: string | undefined
    let names: string[] = []
    let offset = 0
    for (;;) {
      let payload: Uint8Array
      try {
        payload = await this.#ask(XS_DIRECTORY_PART, path, [nulTerminated(String(offset))])
      } catch (error) {
        return undefinedWhenMissing(error)
      }
      const headEnd = payload.indexOf(0) + 1
      const [seen = ''] = splitStrings(payload.subarray(0, headEnd))
      if (generation !== undefined && seen !== generation) {
        generation = undefined
        names = []
        offset = 0
        continue
      }
      generation = seen
      const part = payload.subarray(headEnd)
      // An empty string behind the last name says that the list is complete.
      const isLast = part.at(-1) === 0 && (part.length === 1 || part.at(-2) === 0)
      const listed = isLast ? part.subarray(0, -1) : part
      names.push(...splitStrings(listed))
      if (isLast) return names
      offset += listed.length
    }
  }
}

function ignoreAnswer(): void {}

function textOrUndefined(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8')
}

function undefinedWhenMissing(error: unknown): undefined {
  if (error instanceof XenstoreError && error.errno === 'ENOENT') return undefined
  throw error
}
