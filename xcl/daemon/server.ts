import { chmodSync, mkdirSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { type RunCommand, Session } from './session.ts'

/**
 * Accepts typed commands at a unix socket (mode 0600) and runs each in a session of its own.
 *
 * The caller holds the lock that says no other xcld serves the path: what lies there is left over.
 */
export class CommandServer {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #path: string

  static async listen(path: string, run: RunCommand): Promise<CommandServer> {
    mkdirSync(dirname(path), { recursive: true })
    rmSync(path, { force: true })
    const server = new CommandServer(path, run)
    await server.#listen()
    return server
  }

  private constructor(path: string, run: RunCommand) {
    this.#path = path
    this.#server = createServer((socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
      Session.serve(socket, run)
    })
  }

  /** Stops accepting; commands that run are cut off, as by an interrupt. */
  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    rmSync(this.#path, { force: true })
  }

  #listen(): Promise<void> {
    // From its first moment the socket is root's alone: chmod after listen would leave a gap.
    const umask = process.umask(0o177)
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen({ path: this.#path, backlog: 511 }, () => {
        this.#server.off('error', reject)
        chmodSync(this.#path, 0o600)
        resolve()
      })
      process.umask(umask)
    })
  }
}
