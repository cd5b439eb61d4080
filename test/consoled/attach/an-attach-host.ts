import { mkdtempSync, rmSync } from 'node:fs'
import { createConnection, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { expect } from 'vitest'
import { AttachServer } from '../../../consoled/attach/server.ts'
import { GuestConsole } from '../../../consoled/console.ts'
import { ConsoleRings } from '../../../consoled/ring/console-ring.ts'
import { openLoopback } from '../../../native/loopback.ts'
import { StateMemory } from '../../../native/os/state-memory.ts'
import { type ConsoleGuest, until } from '../console-guest.ts'
import { ManualClock } from '../manual-clock.ts'

const log = pino({ level: 'silent' })

/** Of every guest here. */
export const UUID = '00000000-0000-0000-0000-000000000007'

/** consoled's socket, with consoles that tests connect to guests of theirs. */
export class AttachHost {
  readonly dir = mkdtempSync(join(tmpdir(), 'consoled-'))
  readonly path = join(this.dir, 'run', 'attach.sock')
  readonly loopback = openLoopback()
  readonly clock = new ManualClock()
  readonly server: AttachServer
  /** Slave of the pseudo terminal that was made last. */
  terminal = ''
  readonly #memory = StateMemory.anonymous()
  readonly #rings: ConsoleRings
  readonly #consoles = new Map<number, GuestConsole>()
  readonly #sockets: Socket[] = []

  static async start(): Promise<AttachHost> {
    const host = new AttachHost()
    await host.server.listen(host.path)
    return host
  }

  private constructor() {
    const options = { maxConnections: 64, maxQueuedBytes: 1 << 20, virqs: [] }
    this.#rings = new ConsoleRings(
      this.loopback.rings('console', { memory: this.#memory, ...options }),
      this.clock,
      () => undefined,
    )
    this.#rings.start()
    this.server = this.anotherServer()
  }

  anotherServer(): AttachServer {
    return new AttachServer({
      find: (domid) => this.#consoles.get(domid),
      logPath: (name) => join(this.dir, `guest-${name}.log`),
      stampsLogs: true,
      clock: this.clock,
      log,
    })
  }

  /** A console for domain `domid`; connected to `guest` if there is one. */
  console(guest: ConsoleGuest | undefined, domid: number): GuestConsole {
    const console = new GuestConsole(domid as ConsoleGuest['domid'], UUID, true, {
      rings: this.#rings,
      openLog: undefined,
      historyBytes: () => 16_384,
      tty: 'asked',
      overflow: 'discard',
      lendDescriptors: () => undefined,
      openJournal: undefined,
      counters: { pty: () => undefined, ttyDropped: () => undefined },
      publishTty: (_, slavePath) => {
        this.terminal = slavePath
      },
      log,
    })
    this.#consoles.set(domid, console)
    if (guest !== undefined) this.connect(console, guest)
    return console
  }

  /** @param tty value of the node; undefined: there is none */
  connect(console: GuestConsole, guest: ConsoleGuest, tty?: string): void {
    console.update({
      ring: { gfn: guest.gfn, port: guest.port },
      isOurs: true,
      limit: undefined,
      tty,
      name: 'web1',
    })
  }

  /** @param line what it says when it is connected */
  client(line: string): Client {
    const socket = createConnection(this.path)
    this.#sockets.push(socket)
    return new Client(socket, line)
  }

  stop(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.server.close()
    this.#rings.close()
    this.#memory.close()
    rmSync(this.dir, { recursive: true })
  }
}

/** Keeps everything it receives. */
export class Client {
  readonly socket: Socket
  received = ''
  isClosed = false

  constructor(socket: Socket, line: string) {
    this.socket = socket
    socket.on('data', (bytes: Buffer) => {
      this.received += bytes.toString('utf8')
    })
    socket.on('close', () => {
      this.isClosed = true
    })
    socket.write(line)
  }

  async receives(text: string): Promise<void> {
    await until(() => this.received.endsWith(text))
    expect(this.received).toBe(text)
  }
}
