import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Decoder } from '../../lixs/wire/decoder.ts'
import type { Packet } from '../../lixs/wire/packet.ts'

/** A folder of the test's own; `remove` takes it away with all that is in it. */
export function aFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'lixs-test-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

/** The daemon's end of a socket, played by the test. */
export interface SocketPeer {
  readonly socketPath: string
  /** What each read from the client held: the requests that left in one write come together. */
  readonly reads: Packet[][]
  /** The connection, once there is one. */
  readonly connection: Promise<Socket>
  close(): void
}

/** @param answer called with every request, in order */
export async function aSocketPeer(
  answer: (request: Packet, socket: Socket) => void,
): Promise<SocketPeer> {
  const folder = aFolder()
  const socketPath = join(folder.path, 'socket')
  const reads: Packet[][] = []
  const server = createServer()
  const connection = new Promise<Socket>((resolve) => {
    server.on('connection', (socket) => {
      const decoder = new Decoder()
      socket.on('data', (bytes) => {
        const packets = decoder.push(bytes)
        reads.push(packets)
        for (const packet of packets) answer(packet, socket)
      })
      socket.on('error', () => undefined)
      resolve(socket)
    })
  })
  await new Promise<void>((resolve) => server.listen(socketPath, resolve))
  return {
    socketPath,
    reads,
    connection,
    close() {
      connection.then((socket) => socket.destroy())
      server.close()
      folder.remove()
    },
  }
}
