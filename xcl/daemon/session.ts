/**
 * One typed command: its output, its input, its end. Made for a connection, gone with it.
 */
import type { Socket } from 'node:net'
import { Refused } from '../output/errors.ts'
import {
  CLIENT_ATTACHED,
  CLIENT_DETACHED,
  CLIENT_INTERRUPT,
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

export class Session {
  readonly #socket: Socket
  readonly #abort = new AbortController()
  readonly #detached = promise<void>()
  #request: Request | undefined
  #stdin: { readonly end: Deferred<string>; readonly chunks: Buffer[]; bytes: number } | undefined
  #attaching: Deferred<void> | undefined
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
  attach(target: ConsoleTarget): Promise<void> {
    this.#attaching = promise<void>()
    this.#socket.write(encodeAttach(target))
    return this.#attaching.promise
  }

  /** Settles when the person has left the console, or the console has ended. */
  get detached(): Promise<void> {
    return this.#detached.promise
  }

  /** The command is to stop, and what it has begun is to be undone. */
  interrupt(): void {
    this.#abort.abort()
    this.#detached.resolve()
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
        if (frame.payload.length === 0) this.#attaching?.resolve()
        else this.#attaching?.reject(new Refused(frame.payload.toString('utf8')))
        return
      case CLIENT_DETACHED:
        this.#detached.resolve()
        return
      default:
        throw new ProtocolError(`a frame of unknown kind ${frame.kind}`)
    }
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
    this.#abort.abort()
    this.#detached.resolve()
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
