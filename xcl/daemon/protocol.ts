/**
 * Frames between `xcl` as typed (xcl/client) and xcld.
 *
 * ```
 * kind u32 │ length u32 │ payload        both little-endian
 * ```
 *
 * The first frame of a client is its request: NUL-ended texts
 * `version cwd terminals columns rows argc argv… (name value)…`; `terminals` has a bit for each of
 * the descriptors 0, 1, 2 that is a terminal.
 */

/** Kinds of frames from the client. */
export const CLIENT_REQUEST = 1
export const CLIENT_STDIN = 2
export const CLIENT_INTERRUPT = 3
/** The position of the console's first byte, and what consoled said of bytes left out before it; `-` at a terminal device. */
export const CLIENT_ATTACHED = 4
/** Empty: the person left. Else the console ended: the position of the next byte, or `-`. */
export const CLIENT_DETACHED = 5
/** Why the console could not be attached: a sentence. */
export const CLIENT_REFUSED = 6

/** Kinds of frames to the client. */
export const TO_STDOUT = 1
export const TO_STDERR = 2
export const TO_EXIT = 3
export const TO_READ_STDIN = 4
export const TO_ATTACH = 5

/** Longest payload; a request may be longer. */
export const FRAME_MAX = 65536
const REQUEST_MAX = 1024 * 1024

const HEADER = 8
const VERSION = '2'

export interface Frame {
  readonly kind: number
  readonly payload: Buffer
}

/** What the client said of its caller. */
export interface Request {
  readonly cwd: string
  /** Of descriptors 0, 1, 2. */
  readonly isTerminal: readonly [boolean, boolean, boolean]
  /** Columns of the terminal, 0 when there is none. */
  readonly columns: number
  /** Without the program's name. */
  readonly argv: readonly string[]
  readonly env: ReadonlyMap<string, string>
}

/** Where a console is, as the client is to open it. */
export interface ConsoleTarget {
  /** `consoled`: the attach socket at `path`; `tty`: the terminal device `path`. */
  readonly kind: 'consoled' | 'tty'
  readonly path: string
  readonly domid: number
  /** What consoled is asked, without the line's end; the client adds who it is, and its size. */
  readonly request: string
  readonly isReadOnly: boolean
  /** Code of the character that leaves the console. */
  readonly escapeCode: number
  /** It is the console that was attached before: what was typed and not yet sent goes there. */
  readonly isContinued: boolean
  /** What another xcld has to be told in order to go on with this, should this one be gone. */
  readonly resume: string
}

/** The client broke the protocol; the connection is of no further use. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
}

/** Puts frames together from the bytes of a stream. */
export class FrameDecoder {
  #pending: Buffer = Buffer.alloc(0)

  /** @throws ProtocolError at a frame longer than is allowed, before its payload is waited for */
  push(bytes: Buffer): Frame[] {
    this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes])
    const frames: Frame[] = []
    let at = 0
    while (this.#pending.length - at >= HEADER) {
      const kind = this.#pending.readUInt32LE(at)
      const length = this.#pending.readUInt32LE(at + 4)
      if (length > (kind === CLIENT_REQUEST ? REQUEST_MAX : FRAME_MAX)) {
        throw new ProtocolError(`a frame of kind ${kind} with ${length} bytes`)
      }
      if (this.#pending.length - at < HEADER + length) break
      const payload = this.#pending.subarray(at + HEADER, at + HEADER + length)
      frames.push({ kind, payload })
      at += HEADER + length
    }
    this.#pending = this.#pending.subarray(at)
    return frames
  }
}

/** @param payload at most FRAME_MAX bytes */
export function encodeFrame(kind: number, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(HEADER + payload.length)
  frame.writeUInt32LE(kind, 0)
  frame.writeUInt32LE(payload.length, 4)
  frame.set(payload, HEADER)
  return frame
}

/** Output of any length as frames of one kind. */
export function encodeOutput(kind: number, bytes: Uint8Array): Buffer[] {
  const frames: Buffer[] = []
  for (let at = 0; at < bytes.length; at += FRAME_MAX) {
    frames.push(encodeFrame(kind, bytes.subarray(at, at + FRAME_MAX)))
  }
  return frames
}

export function encodeExit(code: number): Buffer {
  const payload = Buffer.alloc(4)
  payload.writeUInt32LE(code)
  return encodeFrame(TO_EXIT, payload)
}

export function encodeAttach(target: ConsoleTarget): Buffer {
  const { kind, path, domid, request, isReadOnly, escapeCode, isContinued, resume } = target
  const mode = isReadOnly ? 'ro' : 'rw'
  const numbers = [String(escapeCode), isContinued ? '1' : '0']
  const texts = [kind, path, String(domid), request, mode, ...numbers, resume]
  return encodeFrame(TO_ATTACH, Buffer.from(texts.map((text) => `${text}\0`).join('')))
}

/**
 * What a program says that runs a command without a terminal.
 * @throws ProtocolError when it is longer than a request may be
 */
export function encodeRequest(cwd: string, argv: readonly string[]): Buffer {
  const texts = [VERSION, cwd, '0', '0', '0', String(argv.length), ...argv]
  const payload = Buffer.from(texts.map((text) => `${text}\0`).join(''))
  if (payload.length > REQUEST_MAX) {
    throw new ProtocolError(`the command is longer than ${REQUEST_MAX} bytes`)
  }
  return encodeFrame(CLIENT_REQUEST, payload)
}

/** @throws ProtocolError when it is not a request of this version */
export function parseRequest(payload: Buffer): Request {
  const texts = payload.toString('utf8').split('\0')
  if (texts.pop() !== '') throw new ProtocolError('a request that does not end with NUL')
  const [version, cwd, terminals, columns, rows, argc, ...rest] = texts
  if (version !== VERSION) {
    throw new ProtocolError(`xcl speaks version ${version} and xcld version ${VERSION}`)
  }
  const count = Number(argc)
  if (cwd === undefined || rows === undefined || !(count <= rest.length)) {
    throw new ProtocolError('a request that ends too early')
  }
  const bits = Number(terminals)
  const env = new Map<string, string>()
  for (let i = count; i + 1 < rest.length; i += 2) env.set(rest[i] ?? '', rest[i + 1] ?? '')
  return {
    cwd,
    isTerminal: [(bits & 1) !== 0, (bits & 2) !== 0, (bits & 4) !== 0],
    columns: Number(columns) || 0,
    argv: rest.slice(0, count),
    env,
  }
}
