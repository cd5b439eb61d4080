/** What `xcl` does, for programs: runs commands in an xcld, without a terminal. */
import { createConnection } from 'node:net'
import {
  CLIENT_INTERRUPT,
  CLIENT_REFUSED,
  CLIENT_STDIN,
  encodeFrame,
  encodeOutput,
  encodeRequest,
  FrameDecoder,
  TO_ATTACH,
  TO_EXIT,
  TO_READ_STDIN,
  TO_STDERR,
  TO_STDOUT,
} from './protocol.ts'

export interface RunOptions {
  /** Folder that relative paths begin in; else this process's own. */
  readonly cwd?: string
  /** What the command finds on its standard input; else nothing. */
  readonly stdin?: string
  /** Aborted: as Ctrl-C, the command undoes what it has begun, and then ends. */
  readonly signal?: AbortSignal
}

/** How a command ended, and what it printed. */
export interface Outcome {
  /** As `xcl` exits with. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** xcld could not be reached, or went away before the command had ended. */
export class XcldLost extends Error {
  override readonly name = 'XcldLost'
}

/** One xcld; each command has a connection of its own, so any number may run at once. */
export class XcldClient {
  readonly #socketPath: string

  constructor(socketPath: string) {
    this.#socketPath = socketPath
  }

  /**
   * Runs a command. That it fails is no error here, but an exit code.
   * @param argv without the program's name: `['create', '--json', '-']`
   * @throws XcldLost, ProtocolError
   */
  run(argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    const { cwd = process.cwd(), stdin = '', signal } = options
    const request = encodeRequest(cwd, argv)
    return new Promise((resolve, reject) => {
      const decoder = new FrameDecoder()
      const stdout: Buffer[] = []
      const stderr: Buffer[] = []
      let code: number | undefined
      let failure: unknown
      const socket = createConnection(this.#socketPath)
      socket.write(request)
      const interrupt = (): void => void socket.write(encodeFrame(CLIENT_INTERRUPT, NOTHING))
      if (signal?.aborted) interrupt()
      else signal?.addEventListener('abort', interrupt)

      socket.on('data', (bytes: Buffer) => {
        try {
          for (const { kind, payload } of decoder.push(bytes)) {
            if (kind === TO_STDOUT) stdout.push(payload)
            else if (kind === TO_STDERR) stderr.push(payload)
            else if (kind === TO_EXIT) code = payload.readUInt32LE(0)
            else if (kind === TO_READ_STDIN) {
              for (const frame of encodeOutput(CLIENT_STDIN, Buffer.from(stdin))) {
                socket.write(frame)
              }
              socket.write(encodeFrame(CLIENT_STDIN, NOTHING))
            } else if (kind === TO_ATTACH) socket.write(encodeFrame(CLIENT_REFUSED, NO_TERMINAL))
          }
        } catch (error) {
          failure = error
          socket.destroy()
        }
      })
      socket.on('error', (error) => {
        failure = new XcldLost(`xcld at ${this.#socketPath}: ${error.message}`)
      })
      socket.on('close', () => {
        signal?.removeEventListener('abort', interrupt)
        if (code !== undefined) resolve({ code, stdout: textOf(stdout), stderr: textOf(stderr) })
        else reject(failure ?? new XcldLost(`xcld at ${this.#socketPath} went away`))
      })
    })
  }
}

const NOTHING = Buffer.alloc(0)
const NO_TERMINAL = Buffer.from('there is no terminal to show a console on')

function textOf(chunks: readonly Buffer[]): string {
  return Buffer.concat(chunks).toString('utf8')
}
