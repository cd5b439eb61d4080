/** A journald that only receives: its socket, and what came there, read as strictly as can be. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'

/** One entry by field; a field may not come twice. */
export type JournalEntry = ReadonlyMap<string, string>

/** Compiles the receiver into a folder. @returns the program */
export function buildReceiver(folder: string): string {
  const program = join(folder, 'datagram-receiver')
  const source = join(import.meta.dirname, 'datagram-receiver.c')
  execFileSync(process.env.CC ?? 'cc', ['-O2', '-Wall', '-o', program, source])
  return program
}

export class JournalReceiver {
  readonly entries: JournalEntry[] = []
  readonly #child: ChildProcess
  readonly #path: string
  #bytes = Buffer.alloc(0)

  /** Settles when it receives at the path. @param program see `buildReceiver` */
  static async start(program: string, path: string): Promise<JournalReceiver> {
    const child = spawn(program, [path], { stdio: ['pipe', 'pipe', 'pipe'] })
    const receiver = new JournalReceiver(child, path)
    await new Promise<void>((resolve, reject) => {
      child.stderr.once('data', () => resolve())
      child.once('exit', (code) => reject(new Error(`the receiver ended with ${code}`)))
    })
    return receiver
  }

  private constructor(child: ChildProcess, path: string) {
    this.#child = child
    this.#path = path
    child.stdout?.on('data', (bytes: Buffer) => this.#take(bytes))
  }

  get messages(): (string | undefined)[] {
    return this.entries.map((entry) => entry.get('MESSAGE'))
  }

  /** Receives nothing more, so that its queue fills up. */
  pause(): void {
    this.#child.stdin?.write('p')
  }

  resume(): void {
    this.#child.stdin?.write('g')
  }

  /** The socket is gone as well. */
  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('close', resolve))
    this.#child.stdin?.end()
    await ended
    rmSync(this.#path, { force: true })
  }

  #take(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes])
    while (this.#bytes.length >= 4) {
      const end = 4 + this.#bytes.readUInt32LE(0)
      if (this.#bytes.length < end) return
      this.entries.push(parseEntry(this.#bytes.subarray(4, end)))
      this.#bytes = this.#bytes.subarray(end)
    }
  }
}

/**
 * `NAME=value` and a newline, or `NAME`, a newline, eight bytes of length, value, a newline.
 *
 * @throws Error where journald would leave the rest of the datagram out
 */
export function parseEntry(datagram: Buffer): JournalEntry {
  const entry = new Map<string, string>()
  for (let at = 0; at < datagram.length; ) {
    const lineEnd = datagram.indexOf(0x0a, at)
    if (lineEnd < 0) throw new Error('a line without an end')
    const line = datagram.toString('utf8', at, lineEnd)
    const equals = line.indexOf('=')
    const name = equals < 0 ? line : line.slice(0, equals)
    if (!/^[A-Z][A-Z0-9_]*$/.test(name)) throw new Error(`a field named ${JSON.stringify(name)}`)
    if (entry.has(name)) throw new Error(`${name} comes twice`)
    if (equals >= 0) {
      entry.set(name, line.slice(equals + 1))
      at = lineEnd + 1
      continue
    }
    const length = Number(datagram.readBigUInt64LE(lineEnd + 1))
    const end = lineEnd + 9 + length
    if (datagram[end] !== 0x0a) throw new Error(`${name} is not as long as it says`)
    entry.set(name, datagram.toString('utf8', lineEnd + 9, end))
    at = end + 1
  }
  return entry
}
