import { chmodSync, mkdirSync } from 'node:fs'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { DOM0, type Domid, domidFrom } from '../../native/hypervisor.ts'
import type { Logger } from '../../native/os/log.ts'
import { removeSocketFile } from '../../native/os/socket-file.ts'
import type { Clock } from '../clock.ts'
import type { GuestConsole } from '../console.ts'
import { ATTACH_LINE_MAX } from './client.ts'
import { Viewer } from './viewer.ts'

/** How long a viewer waits for a guest whose console is not there yet. */
const CONNECT_TIMEOUT_MS = 5000
const SOCKET_MODE = 0o600

interface AttachServerParts {
  readonly find: (domid: Domid) => GuestConsole | undefined
  readonly clock: Clock
  readonly log: Logger
}

/** Another consoled serves the socket. */
export class AttachSocketTaken extends Error {
  override readonly name = 'AttachSocketTaken'

  constructor(path: string) {
    super(`another consoled serves ${path}`)
  }
}

/** Something that is no socket lies where the socket is to be; it is not ours to delete. */
export class AttachPathTaken extends Error {
  override readonly name = 'AttachPathTaken'

  constructor(path: string) {
    super(`${path} is there and is no socket; remove it, or name another path with --attach`)
  }
}

/** The unix socket at which viewers attach; the protocol stands in client.ts. */
export class AttachServer {
  readonly #parts: AttachServerParts
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  constructor(parts: AttachServerParts) {
    this.#parts = parts
    this.#server = createServer((socket) => this.#accept(socket))
  }

  /**
   * Takes the place of a socket file that nobody serves any more.
   *
   * @throws AttachSocketTaken, AttachPathTaken
   * @throws NodeJS.ErrnoException when it cannot be made
   */
  async listen(path: string): Promise<void> {
    mkdirSync(dirname(path), { recursive: true })
    if (await isServed(path)) throw new AttachSocketTaken(path)
    if (!removeSocketFile(path)) throw new AttachPathTaken(path)
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      // Made without rights for others, not only changed to that a moment later.
      const umask = process.umask(0o777 & ~SOCKET_MODE)
      try {
        this.#server.listen(path, resolve)
      } finally {
        process.umask(umask)
      }
    })
    chmodSync(path, SOCKET_MODE)
  }

  /** Also ends all viewers. The socket file goes too. */
  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('error', (error) => this.#parts.log.debug({ err: error }, 'viewer lost'))
    let head = Buffer.alloc(0)
    const take = (bytes: Buffer): void => {
      head = Buffer.concat([head, bytes])
      const end = head.indexOf(0x0a)
      if (end === -1) {
        if (head.length > ATTACH_LINE_MAX) refuse(socket, 'the first line is no request')
        return
      }
      socket.off('data', take)
      socket.pause()
      const typed = head.subarray(end + 1)
      if (typed.length > 0) socket.unshift(typed)
      this.#request(socket, head.toString('latin1', 0, end))
    }
    socket.on('data', take)
  }

  #request(socket: Socket, line: string): void {
    const [, number, readOnly] = /^attach ([0-9]+)( ro)?$/.exec(line) ?? []
    const domid = number === undefined ? undefined : domidFrom(number)
    const console = domid === undefined ? undefined : this.#parts.find(domid)
    if (domid === undefined) refuse(socket, 'a request is "attach <domid>[ ro]"')
    else if (domid === DOM0) refuse(socket, 'domain 0 has no console here')
    else if (console === undefined) refuse(socket, `there is no domain ${domid}`)
    else this.#attach(socket, console, readOnly !== undefined)
  }

  /** As soon as the console is there; a viewer may be faster than the guest's creation. */
  #attach(socket: Socket, console: GuestConsole, isReadOnly: boolean): void {
    const giveUp = (): void => {
      cancelTimeout()
      cancelWait()
    }
    const cancelTimeout = this.#parts.clock.after(CONNECT_TIMEOUT_MS, () => {
      cancelWait()
      const why = console.isOurs ? 'has no console' : "has a console that is not consoled's"
      refuse(socket, `domain ${console.domid} ${why}`)
    })
    const cancelWait = console.whenConnected(() => {
      cancelTimeout()
      socket.off('close', giveUp)
      socket.write('ok\n')
      new Viewer(socket, console, isReadOnly)
      socket.resume()
    })
    if (!console.isConnected) socket.on('close', giveUp)
  }
}

function refuse(socket: Socket, sentence: string): void {
  socket.end(`error ${sentence}\n`)
}

function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createConnection(path)
    probe.on('connect', () => {
      probe.destroy()
      resolve(true)
    })
    probe.on('error', () => resolve(false))
  })
}
