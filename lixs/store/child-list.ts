/**
 * Puts child names into a reply: all of them (DIRECTORY) or whole names from a byte offset on
 * (DIRECTORY_PART).
 *
 * ```
 * list:     n a m e 1 NUL n a m e 2 NUL n a m e 3 NUL
 *                        ↑ offset          ↑ the first one that no longer fits
 * ```
 */
import type { NodeTable } from './node-table.ts'
import type { ValueArena } from './value-arena.ts'

export class ChildList {
  readonly #nodes: NodeTable
  readonly #arena: ValueArena
  #into: Uint8Array = new Uint8Array(0)
  #at = 0
  #end = 0
  #offset = 0
  #position = 0
  /** Has a name been left out for want of room? */
  isCut = false

  constructor(nodes: NodeTable, arena: ValueArena) {
    this.#nodes = nodes
    this.#arena = arena
  }

  /**
   * @param end the byte before which names and their NULs must end
   * @param position where in the whole list the name of the child begins that is added first
   */
  begin(offset: number, into: Uint8Array, at: number, end: number, position = 0): void {
    this.#into = into
    this.#at = at
    this.#end = end
    this.#offset = offset
    this.#position = position
    this.isCut = false
  }

  /** Where in the whole list the next name begins: that of the first one that was left out, if one was. */
  get position(): number {
    return this.#position
  }

  add(child: number): void {
    if (this.isCut) return
    const length = this.#nodes.nameLengthOf(child)
    const position = this.#position
    this.#position = position + length + 1
    if (position + length < this.#offset) return
    // An offset within a name, which no client has a reason to give, cuts it.
    const skipped = Math.max(0, this.#offset - position)
    if (this.#at + length - skipped + 1 > this.#end) {
      this.isCut = true
      this.#position = position
      return
    }
    const [into, bytes] = [this.#into, this.#arena.bytes]
    const name = this.#arena.startOf(this.#nodes.nameOf(child))
    let at = this.#at
    for (let i = skipped; i < length; i++) into[at++] = bytes[name + i] as number
    into[at++] = 0
    this.#at = at
  }

  /** @returns where the bytes end */
  end(): number {
    return this.#at
  }
}

/** Writes `gen|`. @returns where it ends */
export function writeGeneration(generation: number, into: Uint8Array, at: number): number {
  const text = generation.toString()
  for (let i = 0; i < text.length; i++) into[at + i] = text.charCodeAt(i)
  into[at + text.length] = 0
  return at + text.length + 1
}
