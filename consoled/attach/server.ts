import { chmodSync, mkdirSync } from 'node:fs'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { DOM0, type Domid } from '../../native/hypervisor.ts'
import type { Logger } from '../../native/os/log.ts'
import { removeSocketFile } from '../../native/os/socket-file.ts'
import type { Clock } from '../clock.ts'
import type { GuestConsole } from '../console.ts'
import { ATTACH_LINE_MAX } from './client.ts'
import { type AttachTerms, parseAttachRequest } from './request.ts'
import { Viewer, type ViewerHost } from './viewer.ts'

/** Connections at a time: with what else there is they stay within the descriptors kept for this. */
const MAX_CONNECTIONS = 768
/** How long a connection may take to say what it wants. */
const REQUEST_TIMEOUT_MS = 5000
/** How long a viewer waits for a guest whose console is not there yet; it does not wait longer itself. */
const CONNECT_TIMEOUT_MS = 4000
const SOCKET_MODE = 0o600
const LF = 0x0a

interface AttachServerParts {
  /** @param uuid which domain of that number is meant; undefined: the one that is there */
  readonly find: (domid: Domid, uuid?: string) => GuestConsole | undefined
  /** Where what a guest of this name prints is logged; undefined: guests are not logged to files. */
  readonly logPath: (name: string) => string | undefined
  /** Whether the lines of those logs begin with the time. */
  readonly stampsLogs: boolean
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
  /** Those that have not said yet what they want, the oldest first. */
  readonly #asking = new Set<Socket>()
  readonly #viewerHost: ViewerHost
  #viewers = 0
  #leftOutBytes = 0

  constructor(parts: AttachServerParts) {
    this.#parts = parts
    this.#server = createServer((socket) => this.#accept(socket))
    this.#viewerHost = {
      clock: parts.clock,
      leftOut: (count) => {
        this.#leftOutBytes += count
      },
    }
  }

  /** Who is attached now. */
  get viewers(): number {
    return this.#viewers
  }

  /** Bytes that viewers were too slow for. */
  get leftOutBytes(): number {
    return this.#leftOutBytes
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
    socket.on('error', (error) => this.#parts.log.debug({ err: error }, 'viewer lost'))
    if (this.#sockets.size >= MAX_CONNECTIONS && !this.#dismissOne()) {
      refuse(socket, `${MAX_CONNECTIONS} viewers are attached, and more are not taken`)
      return
    }
    this.#sockets.add(socket)
    this.#asking.add(socket)
    const callOff = this.#parts.clock.after(REQUEST_TIMEOUT_MS, () => {
      this.#dismiss(socket, `no request came within ${REQUEST_TIMEOUT_MS / 1000} s`)
    })
    socket.on('close', () => {
      callOff()
      this.#sockets.delete(socket)
      this.#asking.delete(socket)
    })
    let head = Buffer.alloc(0)
    const take = (bytes: Buffer): void => {
      head = Buffer.concat([head, bytes])
      const end = head.indexOf(LF)
      if (end === -1 && head.length <= ATTACH_LINE_MAX) return
      callOff()
      this.#asking.delete(socket)
      socket.off('data', take)
      socket.pause()
      if (end === -1 || end > ATTACH_LINE_MAX) {
        refuse(socket, 'the first line is no request')
        return
      }
      const typed = head.subarray(end + 1)
      if (typed.length > 0) socket.unshift(typed)
      this.#request(socket, head.toString('utf8', 0, end))
    }
    socket.on('data', take)
  }

  /** Lets go of who has been silent longest. @returns whether there was one */
  #dismissOne(): boolean {
    const [oldest] = this.#asking
    if (oldest === undefined) return false
    this.#dismiss(oldest, 'no request came, and others wait')
    return true
  }

  #dismiss(socket: Socket, sentence: string): void {
    this.#sockets.delete(socket)
    this.#asking.delete(socket)
    refuse(socket, sentence)
  }

  #request(socket: Socket, line: string): void {
    const request = parseAttachRequest(line)
    if (typeof request === 'string') {
      refuse(socket, request)
      return
    }
    if (request.kind === 'logs') {
      this.#tellLog(socket, request.domain)
      return
    }
    const { domid } = request
    const uuid = request.kind === 'attach' ? request.terms.uuid : undefined
    const console = this.#parts.find(domid, uuid)
    if (domid === DOM0) refuse(socket, 'domain 0 has no console here')
    else if (console === undefined) refuse(socket, `there is no domain ${domid}`)
    else if (request.kind === 'attach') this.#attach(socket, console, request.terms)
    else if (console.resize(request.size)) answer(socket, 'ok')
    else refuse(socket, `domain ${domid} has no terminal that could have a size`)
  }

  #tellLog(socket: Socket, domain: Domid | string): void {
    const { find, logPath, stampsLogs } = this.#parts
    const name = typeof domain === 'string' ? domain : find(domain)?.name
    const path = name === undefined ? undefined : logPath(name)
    if (path !== undefined) answer(socket, `ok ${stampsLogs ? 'stamped' : 'plain'} ${path}`)
    else if (name === undefined) refuse(socket, `there is no domain ${domain}`)
    else refuse(socket, 'what guests print is not logged to files here')
  }

  /** As soon as the console is there; a viewer may be faster than the guest's creation. */
  #attach(socket: Socket, console: GuestConsole, terms: AttachTerms): void {
    const { domid } = console
    if (terms.uuid !== undefined && terms.uuid !== console.uuid) {
      refuse(socket, `there is no domain ${domid} with the uuid ${terms.uuid}`)
      return
    }
    const giveUp = (): void => {
      cancelTimeout()
      cancelWait()
    }
    const cancelTimeout = this.#parts.clock.after(CONNECT_TIMEOUT_MS, () => {
      cancelWait()
      const why = console.isOurs ? 'has no console' : "has a console that is not consoled's"
      refuse(socket, `domain ${domid} ${why}`)
    })
    const cancelWait = console.whenConnected(
      () => {
        cancelTimeout()
        socket.off('close', giveUp)
        this.#show(socket, console, terms)
      },
      () => {
        cancelTimeout()
        refuse(socket, `there is no domain ${domid} any more`)
      },
    )
    if (!console.isConnected) socket.on('close', giveUp)
  }

  #show(socket: Socket, console: GuestConsole, terms: AttachTerms): void {
    const why = terms.writes === 'no' ? undefined : console.whyNoWriter(terms.writes)
    if (why !== undefined) {
      refuse(socket, `domain ${console.domid} ${why}`)
      return
    }
    this.#viewers++
    socket.on('close', () => {
      this.#viewers--
    })
    if (terms.size !== undefined && terms.writes !== 'no') console.resize(terms.size)
    new Viewer(socket, console, terms, this.#viewerHost)
    socket.resume()
  }
}

function answer(socket: Socket, line: string): void {
  // Who does not take it, or does not leave, keeps no descriptor for that.
  socket.end(`${line}\n`, () => socket.destroy())
}

function refuse(socket: Socket, sentence: string): void {
  answer(socket, `error ${sentence}`)
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
