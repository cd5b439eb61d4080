/** Makes requests: valid ones by what real clients send most, then some of them bent. */
import {
  XENSTORE_PAYLOAD_MAX,
  XS_CONTROL,
  XS_DIRECTORY,
  XS_DIRECTORY_PART,
  XS_GET_DOMAIN_PATH,
  XS_GET_FEATURE,
  XS_GET_PERMS,
  XS_GET_QUOTA,
  XS_INTRODUCE,
  XS_IS_DOMAIN_INTRODUCED,
  XS_MKDIR,
  XS_READ,
  XS_RELEASE,
  XS_RESET_WATCHES,
  XS_RESUME,
  XS_RM,
  XS_SET_FEATURE,
  XS_SET_PERMS,
  XS_SET_QUOTA,
  XS_SET_TARGET,
  XS_TRANSACTION_END,
  XS_TRANSACTION_START,
  XS_UNWATCH,
  XS_WATCH,
  XS_WRITE,
} from '../../../lixs/wire/ops.ts'
import type { Random } from './random.ts'
import type { Sample } from './samples.ts'
import { Vocabulary } from './vocabulary.ts'

/** Of a hundred requests so many; the rest are of any number. */
const SHARES: readonly (readonly [type: number, share: number])[] = [
  [XS_READ, 24],
  [XS_WRITE, 18],
  [XS_DIRECTORY, 7],
  [XS_GET_PERMS, 4],
  [XS_SET_PERMS, 4],
  [XS_MKDIR, 4],
  [XS_RM, 5],
  [XS_WATCH, 5],
  [XS_UNWATCH, 4],
  [XS_TRANSACTION_START, 4],
  [XS_TRANSACTION_END, 6],
  [XS_DIRECTORY_PART, 2],
  [XS_GET_DOMAIN_PATH, 2],
  [XS_IS_DOMAIN_INTRODUCED, 1],
  [XS_CONTROL, 1],
]
const RARE = [
  XS_RESET_WATCHES,
  XS_INTRODUCE,
  XS_RELEASE,
  XS_RESUME,
  XS_SET_TARGET,
  XS_GET_FEATURE,
  XS_SET_FEATURE,
  XS_GET_QUOTA,
  XS_SET_QUOTA,
  15,
  16,
  20,
  27,
  99,
  65535,
  0x7fffffff,
  0x80000000,
  0xffffffff,
]
const TYPES: readonly number[] = SHARES.flatMap(([type, share]) =>
  Array.from({ length: share }, () => type),
)
const BYTES_TO_PUT = [0, 0, 0x2f, 0x40, 0x2d, 0x30, 0x39, 0x41, 0x7f, 0xff]

/** What is open on the connection that a request is made for. */
export interface Openings {
  readonly transactions: number[]
  /** `path\0token` of each watch. */
  readonly watches: string[]
}

export class RequestMaker {
  /** The request made last. */
  type = 0
  txId = 0
  length = 0
  readonly bytes = Buffer.alloc(2 * XENSTORE_PAYLOAD_MAX)
  readonly #random: Random
  readonly #words: Vocabulary
  readonly #samples: readonly Sample[]

  constructor(random: Random, samples: readonly Sample[]) {
    this.#random = random
    this.#words = new Vocabulary(random)
    this.#samples = samples
  }

  make(open: Openings): void {
    const random = this.#random
    if (this.#samples.length > 0 && random.once(12)) {
      const sample = random.of(this.#samples)
      this.type = sample.type
      this.length = sample.payload.copy(this.bytes)
      this.txId = random.once(4) ? this.#anyTransaction(open) : 0
      if (random.once(2)) this.#bend()
      return
    }
    this.type = random.once(40) ? random.of(RARE) : random.of(TYPES)
    this.txId = 0
    this.#fill(open)
    if (random.once(8)) this.#bend()
    if (random.once(200)) this.txId = random.of([1, 2, 99, 0x7fffffff, 0xffffffff])
  }

  #fill(open: Openings): void {
    const random = this.#random
    const words = this.#words
    switch (this.type) {
      case XS_DIRECTORY:
        this.#say(`${words.directory()}\0`)
        this.txId = this.#maybeTransaction(open)
        return
      case XS_READ:
      case XS_GET_PERMS:
      case XS_MKDIR:
      case XS_RM:
        this.#say(`${words.path()}\0`)
        this.txId = this.#maybeTransaction(open)
        return
      case XS_WRITE:
        this.#say(`${words.path()}\0${words.value()}`)
        this.txId = this.#maybeTransaction(open)
        return
      case XS_SET_PERMS: {
        let text = `${words.path()}\0`
        for (let count = 1 + random.below(random.once(20) ? 9 : 3); count > 0; count--) {
          text += `${words.perm()}\0`
        }
        this.#say(text)
        this.txId = this.#maybeTransaction(open)
        return
      }
      case XS_DIRECTORY_PART:
        this.#say(`${words.directory()}\0${words.number()}\0`)
        return
      case XS_WATCH:
        this.#say(
          `${words.watchedPath()}\0${words.token()}\0${random.once(9) ? `${words.number()}\0` : ''}`,
        )
        return
      case XS_UNWATCH: {
        const known = open.watches.length > 0 && !random.once(4)
        this.#say(known ? `${random.of(open.watches)}\0` : `${words.path()}\0${words.token()}\0`)
        return
      }
      case XS_TRANSACTION_END:
        this.txId = this.#anyTransaction(open)
        this.#say(random.once(3) ? 'F\0' : 'T\0')
        return
      case XS_CONTROL:
        this.#say(`${words.command()}\0`)
        return
      case XS_INTRODUCE:
        this.#say(`${words.domid()}\0${words.number()}\0${words.number()}\0`)
        return
      case XS_SET_TARGET:
      case XS_SET_FEATURE:
        this.#say(`${words.domid()}\0${random.once(2) ? words.domid() : words.number()}\0`)
        return
      case XS_SET_QUOTA:
        this.#say(`${words.domid()}\0nodes\0${words.number()}\0`)
        return
      case XS_GET_DOMAIN_PATH:
      case XS_IS_DOMAIN_INTRODUCED:
      case XS_RELEASE:
      case XS_RESUME:
      case XS_GET_FEATURE:
      case XS_GET_QUOTA:
        this.#say(`${words.domid()}\0`)
        return
      default:
        this.#say(random.once(2) ? '\0' : '')
    }
  }

  /** Changes what no client would: lengths, NULs, single bytes, type and transaction. */
  #bend(): void {
    const random = this.#random
    const at = this.length === 0 ? 0 : random.below(this.length)
    switch (random.below(9)) {
      case 0:
        this.bytes[at] = random.of(BYTES_TO_PUT)
        return
      case 1:
        this.bytes[at] = random.below(256)
        return
      case 2:
        if (this.length > 0) this.length--
        return
      case 3:
        this.length = at
        return
      case 4:
        this.bytes.copyWithin(at + 1, at, this.length)
        this.bytes[at] = random.of(BYTES_TO_PUT)
        this.length = Math.min(this.length + 1, XENSTORE_PAYLOAD_MAX)
        return
      case 5:
        this.bytes.copyWithin(this.length, 0, this.length)
        this.length = Math.min(this.length * 2, XENSTORE_PAYLOAD_MAX)
        return
      case 6: {
        const end = random.once(8) ? XENSTORE_PAYLOAD_MAX : Math.min(this.length + 40, 4096)
        this.bytes.fill(random.of(BYTES_TO_PUT), this.length, end)
        this.length = Math.max(this.length, end)
        return
      }
      case 7:
        this.type = random.once(2) ? random.below(28) : random.of(RARE)
        return
      default:
        this.length = 0
    }
  }

  #say(text: string): void {
    this.length = this.bytes.write(text, 0, XENSTORE_PAYLOAD_MAX, 'latin1')
  }

  #maybeTransaction(open: Openings): number {
    return this.#random.once(3) ? this.#anyTransaction(open) : 0
  }

  #anyTransaction({ transactions }: Openings): number {
    return transactions.length === 0 ? 0 : this.#random.of(transactions)
  }
}
