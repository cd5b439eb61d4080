import { Encoder } from '../wire/encoder.ts'
import { opName, XS_MKDIR, XS_RM, XS_SET_PERMS, XS_TRANSACTION_END, XS_WRITE } from '../wire/ops.ts'
import { Burst } from './burst.ts'
import { XenstoreError } from './errors.ts'

/**
 * Changes of a pipelined transaction, put one behind the other into one buffer; nothing is sent, and
 * nothing answered, before the last one is there. Paths as with StoreRequests.
 *
 * A change that is too long for a message throws XenstoreError (E2BIG).
 */
export class TransactionWrites {
  readonly #encoder = new Encoder()
  readonly #txId: number
  #reqId = 0

  constructor(txId: number) {
    this.#txId = txId
  }

  /** Sets the node's value; makes the node, and what is missing above it. */
  write(path: string, value: string | Uint8Array): void {
    this.#begin(XS_WRITE, path)
    if (typeof value === 'string') this.#encoder.addText(value)
    else this.#encoder.addBytes(value)
    this.#end(XS_WRITE, path)
  }

  /** Makes the node with an empty value, unless it is there. */
  mkdir(path: string): void {
    this.#begin(XS_MKDIR, path)
    this.#end(XS_MKDIR, path)
  }

  /** Removes the node and everything below; done too when only the node itself is missing. */
  rm(path: string): void {
    this.#begin(XS_RM, path)
    this.#end(XS_RM, path)
  }

  /** @param perms the owner's entry first: `n0`, `r5` */
  setPerms(path: string, perms: readonly string[]): void {
    this.#begin(XS_SET_PERMS, path)
    for (const perm of perms) this.#encoder.addString(perm)
    this.#end(XS_SET_PERMS, path)
  }

  /** For the client only: everything and the commit. */
  commit(): Burst {
    this.#begin(XS_TRANSACTION_END, 'T')
    this.#encoder.end()
    return new Burst(this.#encoder.take())
  }

  #begin(type: number, path: string): void {
    this.#encoder.begin(type, ++this.#reqId, this.#txId)
    this.#encoder.addString(path)
  }

  #end(type: number, path: string): void {
    if (!this.#encoder.end()) throw new XenstoreError('E2BIG', opName(type), path)
  }
}
