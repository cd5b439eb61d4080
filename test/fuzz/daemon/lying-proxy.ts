/**
 * Stands between clients and the daemon, and lies once: for the oracle to show that it notices.
 */
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { Decoder } from '../../../lixs/wire/decoder.ts'
import { encodePacket } from '../../../lixs/wire/encoder.ts'
import { XS_ERROR, XS_WATCH_EVENT } from '../../../lixs/wire/ops.ts'
import type { Packet } from '../../../lixs/wire/packet.ts'

/** What becomes of one reply. */
export const LIES = {
  'a reply is lost': () => [],
  'a reply comes twice': (packet) => [packet, packet],
  'a reply has the id of another request': (packet) => [{ ...packet, reqId: packet.reqId ^ 1 }],
  'a reply has another transaction id': (packet) => [{ ...packet, txId: packet.txId + 1 }],
  'an error has a name that there is not': (packet) => [
    { ...packet, type: XS_ERROR, payload: Buffer.from('EQUOTA\0') },
  ],
  'an event is of no watch': (packet) => [
    packet,
    { type: XS_WATCH_EVENT, reqId: 0, txId: 0, payload: Buffer.from('/nobody\0watches\0') },
  ],
} satisfies Record<string, (packet: Packet) => Packet[]>

export type Lie = keyof typeof LIES

export class LyingProxy {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #target: string
  readonly #lie: Lie
  /** Replies that are passed on before the lie. */
  #left: number

  private constructor(target: string, lie: Lie, after: number) {
    this.#target = target
    this.#lie = lie
    this.#left = after
    this.#server = createServer((client) => this.#serve(client))
  }

  static async listen(path: string, target: string, lie: Lie, after: number): Promise<LyingProxy> {
    const proxy = new LyingProxy(target, lie, after)
    await new Promise<void>((resolve) => proxy.#server.listen(path, resolve))
    return proxy
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #serve(client: Socket): void {
    const daemon = createConnection(this.#target)
    const decoder = new Decoder()
    for (const socket of [client, daemon]) {
      this.#sockets.add(socket)
      socket.on('error', () => undefined)
    }
    client.on('data', (bytes) => daemon.write(bytes))
    client.on('close', () => daemon.destroy())
    daemon.on('close', () => client.destroy())
    daemon.on('data', (bytes) => {
      for (const packet of decoder.push(bytes)) {
        for (const said of this.#altered(packet)) {
          client.write(encodePacket(said.type, said.reqId, said.txId, said.payload))
        }
      }
    })
  }

  #altered(packet: Packet): Packet[] {
    if (packet.type === XS_WATCH_EVENT || this.#left-- !== 0) return [packet]
    return LIES[this.#lie](packet)
  }
}
