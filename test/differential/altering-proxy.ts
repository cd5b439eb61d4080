import { createConnection, createServer } from 'node:net'
import { Decoder } from '../../lixs/wire/decoder.ts'
import { encodePacket } from '../../lixs/wire/encoder.ts'
import type { Packet } from '../../lixs/wire/packet.ts'

/** A daemon that lies: between it and its clients somebody changes what it says. */
export interface AlteringProxy {
  readonly socketPath: string
  close(): Promise<void>
}

/** @param alter what the clients are to hear in place of a message; several, or none */
export async function anAlteringProxy(
  socketPath: string,
  target: string,
  alter: (packet: Packet) => readonly Packet[],
): Promise<AlteringProxy> {
  const server = createServer((client) => {
    const daemon = createConnection(target)
    const decoder = new Decoder()
    client.on('data', (bytes) => daemon.write(bytes))
    client.on('close', () => daemon.destroy())
    client.on('error', () => undefined)
    daemon.on('close', () => client.destroy())
    daemon.on('error', () => undefined)
    daemon.on('data', (bytes) => {
      for (const packet of decoder.push(bytes).flatMap(alter)) {
        client.write(encodePacket(packet.type, packet.reqId, packet.txId, packet.payload))
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(socketPath, resolve))
  return { socketPath, close: () => new Promise((resolve) => server.close(() => resolve())) }
}
