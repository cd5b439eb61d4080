import { chmodSync, mkdirSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { removeSocketFile } from '../../native/os/socket-file.ts'
import { Refused } from '../output/errors.ts'
import { type RunCommand, Session } from './session.ts'

/**
 * Accepts typed commands at a unix socket (mode 0600) and runs each in a session of its own.
 *
 * The caller holds the lock that says no other xcld serves the path: what lies there is left over.
 */
export class CommandServer {
  readonly #server: Server
  readonly #sessions = new Map<Socket, Session>()
  readonly #running = new Set<Promise<number>>()
  readonly #path: string

  /** @throws Refused when something else than a socket lies at the path */
  static async listen(path: string, run: RunCommand): Promise<CommandServer> {
    mkdirSync(dirname(path), { recursive: true })
    removeSocket(path)
    const server = new CommandServer(path, run)
    await server.#listen()
    return server
  }

  private constructor(path: string, run: RunCommand) {
    this.#path = path
    this.#server = createServer((socket) => {
      const session = Session.serve(socket, (session) => this.#track(run(session)))
      this.#sessions.set(socket, session)
      socket.on('close', () => this.#sessions.delete(socket))
    })
  }

  /**
   * Stops accepting, and interrupts the commands that run; who is at a console stays there.
   * @returns the commands
   */
  interrupt(): readonly Promise<number>[] {
    this.#server.close()
    for (const session of this.#sessions.values()) session.stop()
    return [...this.#running]
  }

  /** Stops accepting; connections end as soon as what was said to them is sent. */
  close(): void {
    this.#server.close()
    for (const socket of this.#sessions.keys()) socket.destroySoon()
    removeSocket(this.#path)
  }

  #track(command: Promise<number>): Promise<number> {
    this.#running.add(command)
    const ended = (): void => void this.#running.delete(command)
    command.then(ended, ended)
    return command
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

/** Removes what an earlier daemon left, and nothing else. */
function removeSocket(path: string): void {
  if (removeSocketFile(path)) return
  throw new Refused(`${path} is there and is no socket; it is left alone`)
}
