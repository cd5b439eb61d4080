/**
 * One typed command: its output, its input, its end. Made for a connection, gone with it.
 */
import type { Socket } from 'node:net'
import { Refused } from '../output/errors.ts'
import {
  CLIENT_ATTACHED,
  CLIENT_DETACHED,
  CLIENT_INTERRUPT,
  CLIENT_REFUSED,
  CLIENT_REQUEST,
  CLIENT_STDIN,
  type ConsoleTarget,
  encodeAttach,
  encodeExit,
  encodeFrame,
  encodeOutput,
  type Frame,
  FrameDecoder,
  ProtocolError,
  parseRequest,
  type Request,
  TO_READ_STDIN,
  TO_STDERR,
  TO_STDOUT,
} from './protocol.ts'

/** What a configuration on standard input may have. */
const STDIN_MAX = 1024 * 1024

/** Runs a command; gives its exit code. Errors are its own to tell. */
export type RunCommand = (session: Session) => Promise<number>

/** How it came that a console is not attached any more. */
export type AttachmentEnd =
  | { readonly kind: 'left' /** By the person, or the client. */ }
  | {
      readonly kind: 'ended'
      /** Of the byte that would have come next; undefined at a terminal device. */
      readonly position: number | undefined
    }

/** A console that the client shows. */
export interface Attachment {
  /** Of the first byte that it shows; undefined at a terminal device. */
  readonly position: number | undefined
  /** Bytes that consoled knows no more, though they were asked for; undefined: none. */
  readonly leftOut: number | 'some' | undefined
  readonly ended: Promise<AttachmentEnd>
}

export class Session {
  readonly #socket: Socket
  readonly #abort = new AbortController()
  #request: Request | undefined
  #stdin: { readonly end: Deferred<string>; readonly chunks: Buffer[]; bytes: number } | undefined
  #attaching: Deferred<Attachment> | undefined
  /** Settles when what is attached is so no more. */
  #attached: Deferred<AttachmentEnd> | undefined
  #hasEnded = false
  /** When the request had come, by performance.now(). */
  receivedAtMs = 0

  /** Serves one connection until its command has ended. */
  static serve(socket: Socket, run: RunCommand): Session {
    const session = new Session(socket)
    const decoder = new FrameDecoder()
    socket.on('data', (bytes: Buffer) => {
      try {
        for (const frame of decoder.push(bytes)) session.#take(frame, run)
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error
        session.stderr(`xcl: ${error.message}\n`)
        session.#exit(1)
      }
    })
    // A client that was killed has nobody left to undo for it: the same as an interrupt.
    socket.on('close', () => session.#gone())
    socket.on('error', () => undefined)
    return session
  }

  private constructor(socket: Socket) {
    this.#socket = socket
  }

  get request(): Request {
    if (this.#request === undefined) throw new Error('the session has no request yet')
    return this.#request
  }

  /** Aborted by Ctrl-C, and when the client went away. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  stdout(text: string): void {
    this.#send(TO_STDOUT, text)
  }

  stderr(text: string): void {
    this.#send(TO_STDERR, text)
  }

  /** Prints any amount; settles when the caller can take more, or is gone, or wants no more. */
  async print(bytes: Uint8Array): Promise<void> {
    if (this.#socket.destroyed) return
    let hasRoom = true
    for (const frame of encodeOutput(TO_STDOUT, bytes)) hasRoom = this.#socket.write(frame)
    if (hasRoom) return
    await new Promise<void>((resolve) => {
      const settle = (): void => {
        this.#socket.off('drain', settle)
        this.#socket.off('close', settle)
        this.signal.removeEventListener('abort', settle)
        resolve()
      }
      this.#socket.on('drain', settle)
      this.#socket.on('close', settle)
      this.signal.addEventListener('abort', settle)
      if (this.signal.aborted) settle()
    })
  }

  /** All of the caller's standard input, asked for once. */
  readStdin(): Promise<string> {
    if (this.#stdin === undefined) {
      this.#stdin = { end: promise<string>(), chunks: [], bytes: 0 }
      this.#socket.write(encodeFrame(TO_READ_STDIN, Buffer.alloc(0)))
    }
    return this.#stdin.end.promise
  }

  /**
   * Makes the client attach its terminal to a console.
   * @throws Refused with the client's sentence
   */
  attach(target: ConsoleTarget): Promise<Attachment> {
    this.#attaching = promise<Attachment>()
    this.#socket.write(encodeAttach(target))
    return this.#attaching.promise
  }

  /** The command is to stop, and what it has begun is to be undone. */
  interrupt(): void {
    this.#abort.abort()
    this.#detach({ kind: 'left' })
  }

  /** xcld ends: who is at a console stays there, and comes to the next xcld; all else is interrupted. */
  stop(): void {
    if (this.#attached === undefined) this.interrupt()
    else this.#socket.destroy()
  }

  #take(frame: Frame, run: RunCommand): void {
    switch (frame.kind) {
      case CLIENT_REQUEST:
        if (this.#request !== undefined) throw new ProtocolError('a second request')
        this.receivedAtMs = performance.now()
        this.#request = parseRequest(frame.payload)
        run(this).then(
          (code) => this.#exit(code),
          (error: unknown) => {
            this.stderr(`xcl: ${error instanceof Error ? error.message : String(error)}\n`)
            this.#exit(1)
          },
        )
        return
      case CLIENT_STDIN:
        this.#takeStdin(frame.payload)
        return
      case CLIENT_INTERRUPT:
        this.interrupt()
        return
      case CLIENT_ATTACHED:
        this.#attached = promise<AttachmentEnd>()
        this.#attaching?.resolve({
          ...beginFrom(frame.payload),
          ended: this.#attached.promise,
        })
        // Interrupted while the client was attaching: nobody else tells of that.
        if (this.signal.aborted) this.#detach({ kind: 'left' })
        return
      case CLIENT_REFUSED:
        this.#attaching?.reject(new Refused(frame.payload.toString('utf8')))
        return
      case CLIENT_DETACHED: {
        const isLeft = frame.payload.length === 0
        this.#detach(
          isLeft ? { kind: 'left' } : { kind: 'ended', position: positionFrom(frame.payload) },
        )
        return
      }
      default:
        throw new ProtocolError(`a frame of unknown kind ${frame.kind}`)
    }
  }

  #detach(end: AttachmentEnd): void {
    this.#attached?.resolve(end)
    if (end.kind === 'left') this.#attached = undefined
  }

  #takeStdin(payload: Buffer): void {
    if (this.#stdin === undefined) throw new ProtocolError('input that was not asked for')
    if (payload.length === 0) {
      this.#stdin.end.resolve(Buffer.concat(this.#stdin.chunks).toString('utf8'))
      return
    }
    this.#stdin.bytes += payload.length
    if (this.#stdin.bytes > STDIN_MAX) {
      this.#stdin.end.reject(new Refused(`standard input is longer than ${STDIN_MAX} bytes`))
      return
    }
    // The decoder's buffer goes on being used.
    this.#stdin.chunks.push(Buffer.from(payload))
  }

  #send(kind: number, text: string): void {
    if (this.#socket.destroyed) return
    for (const frame of encodeOutput(kind, Buffer.from(text))) this.#socket.write(frame)
  }

  #exit(code: number): void {
    this.#hasEnded = true
    if (!this.#socket.destroyed) this.#socket.end(encodeExit(code))
  }

  #gone(): void {
    if (this.#hasEnded) return
    this.interrupt()
    const gone = new Refused('the client went away')
    this.#stdin?.end.reject(gone)
    this.#attaching?.reject(gone)
  }
}

interface Deferred<T> {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
  readonly reject: (error: Error) => void
}

function beginFrom(payload: Buffer): Pick<Attachment, 'position' | 'leftOut'> {
  const [position = '', leftOut = ''] = payload.toString('latin1').split(' ')
  const count = /^[0-9]{1,15}$/.test(leftOut) ? Number(leftOut) : undefined
  return { position: positionOf(position), leftOut: count ?? (leftOut === '' ? undefined : 'some') }
}

function positionFrom(payload: Buffer): number | undefined {
  return positionOf(payload.toString('latin1'))
}

function positionOf(text: string): number | undefined {
  return /^[0-9]{1,10}$/.test(text) ? Number(text) : undefined
}

function promise<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => undefined
  let reject: (error: Error) => void = () => undefined
  const made = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  // Whoever waits still sees it; nobody has to wait.
  made.catch(() => undefined)
  return { promise: made, resolve, reject }
}
