/** The guest's side of a ring page, as a guest's driver would have it; for tests of the daemon's side. */
import type { GuestEnd } from '../../native/loopback.ts'

interface Layout {
  readonly data: number
  readonly size: number
  readonly cons: number
  readonly prod: number
}

/** xen/include/public/io/xs_wire.h and io/console.h, as the guest sees them. */
const REQUESTS: Layout = { data: 0, size: 1024, cons: 2048, prod: 2052 }
const REPLIES: Layout = { data: 1024, size: 1024, cons: 2056, prod: 2060 }
const CONSOLE_IN: Layout = { data: 0, size: 1024, cons: 3072, prod: 3076 }
const CONSOLE_OUT: Layout = { data: 1024, size: 2048, cons: 3080, prod: 3084 }
const ERROR_WORD = 2072

export interface WireMessage {
  readonly type: number
  readonly reqId: number
  readonly txId: number
  readonly payload: Uint8Array
}

/** A message as it goes over the wire. */
export function encode(type: number, reqId: number, txId: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.alloc(16 + payload.length)
  bytes.writeUInt32LE(type, 0)
  bytes.writeUInt32LE(reqId, 4)
  bytes.writeUInt32LE(txId, 8)
  bytes.writeUInt32LE(payload.length, 12)
  bytes.set(payload, 16)
  return bytes
}

/** Takes whole messages off the front of a stream; what is left is the rest of the stream. */
export function decode(stream: Buffer): {
  readonly messages: WireMessage[]
  readonly rest: Buffer
} {
  const messages: WireMessage[] = []
  let at = 0
  while (stream.length - at >= 16 && stream.length - at >= 16 + stream.readUInt32LE(at + 12)) {
    const len = stream.readUInt32LE(at + 12)
    messages.push({
      type: stream.readInt32LE(at),
      reqId: stream.readUInt32LE(at + 4),
      txId: stream.readUInt32LE(at + 8),
      payload: Buffer.from(stream.subarray(at + 16, at + 16 + len)),
    })
    at += 16 + len
  }
  return { messages, rest: stream.subarray(at) }
}

export class GuestRing {
  readonly end: GuestEnd
  readonly #view: DataView
  readonly #bytes: Uint8Array
  readonly #out: Layout
  readonly #in: Layout
  #received = Buffer.alloc(0)

  constructor(end: GuestEnd, kind: 'xenstore' | 'console' = 'xenstore') {
    this.end = end
    this.#view = new DataView(end.page)
    this.#bytes = new Uint8Array(end.page)
    this.#out = kind === 'xenstore' ? REQUESTS : CONSOLE_OUT
    this.#in = kind === 'xenstore' ? REPLIES : CONSOLE_IN
  }

  /** Starts all four indices somewhere else, for example just below 2^32. */
  setIndices(value: number): void {
    for (const layout of [this.#out, this.#in]) {
      this.#view.setUint32(layout.cons, value, true)
      this.#view.setUint32(layout.prod, value, true)
    }
  }

  setProducer(value: number): void {
    this.#view.setUint32(this.#out.prod, value, true)
  }

  setConsumer(value: number): void {
    this.#view.setUint32(this.#in.cons, value, true)
  }

  get errorWord(): number {
    return this.#view.getUint32(ERROR_WORD, true)
  }

  /** Bytes that the daemon has not consumed yet. */
  get unconsumed(): number {
    return (this.#index(this.#out.prod) - this.#index(this.#out.cons)) >>> 0
  }

  /** Bytes waiting for the guest. */
  get waiting(): number {
    return (this.#index(this.#in.prod) - this.#index(this.#in.cons)) >>> 0
  }

  /** Puts as much as fits, without a kick. @returns bytes taken */
  put(bytes: Uint8Array): number {
    const { data, size, prod } = this.#out
    const at = this.#index(prod)
    const taken = Math.min(bytes.length, size - this.unconsumed)
    for (let i = 0; i < taken; i++) this.#bytes[data + ((at + i) % size)] = bytes[i] as number
    this.#view.setUint32(prod, (at + taken) >>> 0, true)
    return taken
  }

  /** Puts and kicks; the bytes must fit. */
  send(bytes: Uint8Array): void {
    const taken = this.put(bytes)
    if (taken !== bytes.length) throw new Error(`the ring took ${taken} of ${bytes.length} bytes`)
    this.end.kick()
  }

  /** Takes what is there (at most `max` bytes) without telling the daemon. */
  takeBytes(max = Number.POSITIVE_INFINITY): Buffer {
    const { data, size, cons } = this.#in
    const at = this.#index(cons)
    const taken = Math.min(this.waiting, max)
    const bytes = Buffer.alloc(taken)
    for (let i = 0; i < taken; i++) bytes[i] = this.#bytes[data + ((at + i) % size)] as number
    this.#view.setUint32(cons, (at + taken) >>> 0, true)
    return bytes
  }

  /** Takes what is there, at most `max` bytes, tells the daemon, and gives the messages that are complete by now. */
  receive(max = Number.POSITIVE_INFINITY): WireMessage[] {
    this.#received = Buffer.concat([this.#received, this.takeBytes(max)])
    this.end.kick()
    const { messages, rest } = decode(this.#received)
    this.#received = Buffer.from(rest)
    return messages
  }

  #index(offset: number): number {
    return this.#view.getUint32(offset, true)
  }
}
