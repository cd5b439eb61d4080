/**
 * Stands between a client and its store daemon, and passes everything on, but for what a test wants to
 * go wrong: a request that is refused, or held until the test has done something in between.
 */
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { Decoder } from '../../lixs/wire/decoder.ts'
import { encodePacket } from '../../lixs/wire/encoder.ts'
import { opName, XS_ERROR, XS_GET_DOMAIN_PATH, XS_WATCH_EVENT } from '../../lixs/wire/ops.ts'
import type { Packet } from '../../lixs/wire/packet.ts'
import type { XsErrno } from '../../lixs/xs-errno.ts'

/** What is to happen to the next request of a kind. */
interface Rule {
  /** Name of the operation: `TRANSACTION_START`. */
  readonly op: string
  /** Text that is in the payload. */
  readonly about: string
  /** Refused with this; else held. */
  readonly errno: XsErrno | undefined
  /** The request has come. */
  readonly came: () => void
  /** Settles when a held one is to go on. */
  readonly goesOn: Promise<void>
  /** It is for all that come, not for the next one only. */
  readonly isForGood: boolean
}

/** A request that waits, and all behind it on its connection. */
export interface HeldRequest {
  /** Settles when it has come. */
  readonly came: Promise<void>
  release(): void
}

export class StoreProxy {
  readonly #server: Server
  readonly #target: string
  readonly #sockets = new Set<Socket>()
  readonly #rules: Rule[] = []

  static async listen(path: string, target: string): Promise<StoreProxy> {
    const proxy = new StoreProxy(target)
    await new Promise<void>((resolve) => proxy.#server.listen(path, resolve))
    return proxy
  }

  private constructor(target: string) {
    this.#target = target
    this.#server = createServer((client) => this.#serve(client))
  }

  /** The next such request is answered with this; the daemon does not see it. */
  refuse(op: string, about: string, errno: XsErrno): void {
    const goesOn = Promise.resolve()
    this.#rules.push({ op, about, errno, came: () => undefined, goesOn, isForGood: false })
  }

  /** All such requests are, as by a daemon that does not know them. */
  refuseAll(op: string, errno: XsErrno): void {
    const goesOn = Promise.resolve()
    this.#rules.push({ op, about: '', errno, came: () => undefined, goesOn, isForGood: true })
  }

  /** The next such request waits. */
  hold(op: string, about = ''): HeldRequest {
    let release: () => void = () => undefined
    let came: () => void = () => undefined
    const goesOn = new Promise<void>((resolve) => {
      release = resolve
    })
    const hasCome = new Promise<void>((resolve) => {
      came = resolve
    })
    this.#rules.push({ op, about, errno: undefined, came, goesOn, isForGood: false })
    return { came: hasCome, release }
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #serve(client: Socket): void {
    const daemon = createConnection(this.#target)
    /** For each request that is not answered yet, in order: what it is refused with. */
    const refusals: (XsErrno | undefined)[] = []
    const requests = new Decoder()
    const replies = new Decoder()
    let isFlowing = Promise.resolve()
    for (const [socket, other] of [
      [client, daemon],
      [daemon, client],
    ] as const) {
      this.#sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        this.#sockets.delete(socket)
        other.destroy()
      })
    }
    client.on('data', (bytes) => {
      for (const packet of requests.push(bytes)) {
        const rule = this.#take(packet)
        if (rule !== undefined) {
          rule.came()
          isFlowing = isFlowing.then(() => rule.goesOn)
        }
        isFlowing = isFlowing.then(() => {
          refusals.push(rule?.errno)
          daemon.write(rule?.errno === undefined ? encoded(packet) : placeholder(packet))
        })
      }
    })
    daemon.on('data', (bytes) => {
      for (const packet of replies.push(bytes)) {
        const errno = packet.type === XS_WATCH_EVENT ? undefined : refusals.shift()
        client.write(errno === undefined ? encoded(packet) : refusal(packet, errno))
      }
    })
  }

  #take({ type, payload }: Packet): Rule | undefined {
    const text = Buffer.from(payload).toString('latin1')
    const at = this.#rules.findIndex(({ op, about }) => op === opName(type) && text.includes(about))
    const rule = this.#rules[at]
    if (rule?.isForGood === false) this.#rules.splice(at, 1)
    return rule
  }
}

function encoded({ type, reqId, txId, payload }: Packet): Uint8Array {
  return encodePacket(type, reqId, txId, payload)
}

/** Keeps the place of a refused request among the others, so that its answer comes in its turn. */
function placeholder({ reqId }: Packet): Uint8Array {
  return encodePacket(XS_GET_DOMAIN_PATH, reqId, 0, Buffer.from('0\0'))
}

function refusal({ reqId, txId }: Packet, errno: XsErrno): Uint8Array {
  return encodePacket(XS_ERROR, reqId, txId, Buffer.from(`${errno}\0`))
}
