import { once } from 'node:events'
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createConnection, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  AttachPathTaken,
  AttachServer,
  AttachSocketTaken,
} from '../../../consoled/attach/server.ts'
import { GuestConsole } from '../../../consoled/console.ts'
import { ConsoleRings } from '../../../consoled/ring/console-ring.ts'
import { PERIOD_MS } from '../../../consoled/ring/rate-limit.ts'
import { type Loopback, openLoopback } from '../../../native/loopback.ts'
import { StateMemory } from '../../../native/os/state-memory.ts'
import { aFewTurns, ConsoleGuest, until } from '../console-guest.ts'
import { ManualClock } from '../manual-clock.ts'

const log = pino({ level: 'silent' })
const NO_REQUEST =
  'error a request is "attach <domid> [option]…", "resize <domid> <columns>x<rows>" or "logs <domain>"\n'

let dir: string
let path: string
let loopback: Loopback
let memory: StateMemory
let rings: ConsoleRings
let clock: ManualClock
let server: AttachServer
let consoles: Map<number, GuestConsole>
let sockets: Socket[]

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'consoled-'))
  path = join(dir, 'run', 'attach.sock')
  loopback = openLoopback()
  memory = StateMemory.anonymous()
  clock = new ManualClock()
  rings = new ConsoleRings(
    loopback.rings('console', { memory, maxConnections: 64, maxQueuedBytes: 1 << 20, virqs: [] }),
    clock,
    () => undefined,
  )
  rings.start()
  consoles = new Map()
  sockets = []
  const logPath = (name: string): string => join(dir, `guest-${name}.log`)
  server = new AttachServer({ find: (domid) => consoles.get(domid), logPath, clock, log })
  await server.listen(path)
})
afterEach(() => {
  for (const socket of sockets) socket.destroy()
  server.close()
  rings.close()
  memory.close()
  rmSync(dir, { recursive: true })
})

/** A console for domain `domid`; connected to `guest` if there is one. */
function aConsole(guest: ConsoleGuest | undefined, domid: number): GuestConsole {
  const console = new GuestConsole(domid as ConsoleGuest['domid'], 'uuid', true, {
    rings,
    openLog: undefined,
    historyBytes: () => 16_384,
    tty: 'asked',
    overflow: 'discard',
    lendDescriptors: () => undefined,
    publishTty: () => undefined,
    log,
  })
  consoles.set(domid, console)
  if (guest !== undefined) connect(console, guest)
  return console
}

function connect(console: GuestConsole, guest: ConsoleGuest): void {
  console.update({
    ring: { gfn: guest.gfn, port: guest.port },
    isOurs: true,
    limit: undefined,
    tty: undefined,
    name: 'web1',
  })
}

/** A client that keeps everything it receives. */
class Client {
  readonly socket: Socket
  received = ''
  isClosed = false

  constructor(line: string) {
    this.socket = createConnection(path)
    sockets.push(this.socket)
    this.socket.on('data', (bytes: Buffer) => {
      this.received += bytes.toString('utf8')
    })
    this.socket.on('close', () => {
      this.isClosed = true
    })
    this.socket.write(line)
  }

  async receives(text: string): Promise<void> {
    await until(() => this.received.endsWith(text))
    expect(this.received).toBe(text)
  }
}

describe('attaching', () => {
  it('is for root only', () => {
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it('shows what the console said last, then what it says now', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    aConsole(guest, 7)
    guest.print('booting\n')
    await until(() => guest.unreadOutput === 0)
    const client = new Client('attach 7\n')
    await client.receives('ok 0\nbooting\n')
    guest.print('login:')
    await client.receives('ok 0\nbooting\nlogin:')
  })

  it('types into the guest, also what was sent along with the request', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    aConsole(guest, 7)
    const client = new Client('attach 7\nroot\r')
    await client.receives('ok 0\n')
    client.socket.write('pass\r')
    let typed = ''
    await until(() => {
      typed += guest.read()
      return typed === 'root\rpass\r'
    })
  })

  it('read-only types nothing', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    aConsole(guest, 7)
    const client = new Client('attach 7 ro\nreboot\r')
    await client.receives('ok 0\n')
    client.socket.write('reboot\r')
    await aFewTurns()
    expect(guest.read()).toBe('')
    guest.print('still there')
    await client.receives('ok 0\nstill there')
  })

  it('shows all viewers the same', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    aConsole(guest, 7)
    const clients = [
      new Client('attach 7\n'),
      new Client('attach 7\n'),
      new Client('attach 7 ro\n'),
    ]
    for (const client of clients) await client.receives('ok 0\n')
    guest.print('to all')
    for (const client of clients) await client.receives('ok 0\nto all')
  })

  it('ends when the console vanishes, after its last words', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    const console = aConsole(guest, 7)
    const client = new Client('attach 7\n')
    await client.receives('ok 0\n')
    guest.write('bye')
    console.end()
    await until(() => client.isClosed)
    expect(client.received).toBe('ok 0\nbye')
  })

  it('waits for a console that is about to be there', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    const console = aConsole(undefined, 7)
    const client = new Client('attach 7\n')
    await aFewTurns()
    clock.advance(3000)
    connect(console, guest)
    await client.receives('ok 0\n')
    clock.advance(4000)
    guest.print('boot')
    await client.receives('ok 0\nboot')
  })

  it('gives up after four seconds without a console', async () => {
    aConsole(undefined, 7)
    const client = new Client('attach 7\n')
    await aFewTurns()
    clock.advance(4000)
    await until(() => client.isClosed)
    expect(client.received).toBe('error domain 7 has no console\n')
  })

  it.each([
    ['attach 8\n', 'error there is no domain 8\n'],
    ['attach 0\n', 'error domain 0 has no console here\n'],
    ['attach seven\n', NO_REQUEST],
    ['GET / HTTP/1.1\r\n', NO_REQUEST],
    ['attach 7 rw\n', 'error there is no option "rw" of attach\n'],
    ['attach 7 from=4294967296\n', 'error there is no option "from=4294967296" of attach\n'],
    ['attach 7 size=0x24\n', 'error there is no option "size=0x24" of attach\n'],
    ['resize 7 80\n', 'error a size is <columns>x<rows>, both from 1 to 65535\n'],
    ['logs 7\n', 'error there is no domain 7\n'],
    ['x'.repeat(600), 'error the first line is no request\n'],
  ])('%j is refused in a sentence', async (line, answer) => {
    const client = new Client(line)
    await until(() => client.isClosed)
    expect(client.received).toBe(answer)
  })

  it('lets go of a viewer that left', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    aConsole(guest, 7)
    const client = new Client('attach 7\n')
    await client.receives('ok 0\n')
    client.socket.destroy()
    await until(() => client.isClosed)
    const other = new Client('attach 7\n')
    await other.receives('ok 0\n')
    guest.print('for the other')
    await other.receives('ok 0\nfor the other')
  })
})

describe('a viewer that does not read', () => {
  it('holds up neither the guest nor another viewer, and is told what it missed', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    aConsole(guest, 7)
    const slow = new Client('attach 7\n')
    await slow.receives('ok 0\n')
    slow.socket.pause()
    const quick = new Client('attach 7\n')
    await quick.receives('ok 0\n')
    const printed = 3_000_000
    for (let at = 0; at < printed; at += 2000) {
      clock.advance(PERIOD_MS)
      guest.print('x'.repeat(2000))
      await until(() => guest.unreadOutput === 0)
    }
    await until(() => quick.received.length === 5 + printed)
    guest.print('the end')
    await until(() => quick.received.endsWith('the end'))
    slow.socket.resume()
    await until(() => slow.received.endsWith('the end'))
    const missed = /\[consoled: (\d+) bytes left out, this reader was too slow\]/.exec(
      slow.received,
    )
    const notice = (missed?.[0].length ?? 0) + 4
    expect(slow.received.length - 5 - notice + Number(missed?.[1])).toBe(printed + 7)
  })
})

describe('a guest that does not read', () => {
  it('holds up who types, and loses nothing', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    aConsole(guest, 7)
    const client = new Client('attach 7\n')
    await client.receives('ok 0\n')
    const typed = Buffer.alloc(2_000_000, '0123456789abcdef\n').toString('latin1')
    client.socket.write(typed)
    await aFewTurns()
    expect(client.socket.writableLength).toBeGreaterThan(0)
    const read: string[] = []
    let length = 0
    await until(() => {
      const part = guest.read()
      read.push(part)
      length += part.length
      return length >= typed.length
    })
    expect(read.join('') === typed).toBe(true)
  })
})

describe('the attach socket', () => {
  it('is refused to a second consoled', async () => {
    const second = new AttachServer({ find: () => undefined, logPath: () => undefined, clock, log })
    await expect(second.listen(path)).rejects.toThrow(AttachSocketTaken)
  })

  it('is taken over from one that was killed', async () => {
    const left = join(dir, 'left.sock')
    const killed = createServer().listen(join(dir, 'killed.sock'))
    await once(killed, 'listening')
    // Its file is not where its end would look for it.
    renameSync(join(dir, 'killed.sock'), left)
    killed.close()
    await once(killed, 'close')
    const next = new AttachServer({ find: () => undefined, logPath: () => undefined, clock, log })
    await next.listen(left)
    expect(lstatSync(left).isSocket()).toBe(true)
    next.close()
  })

  it.each([
    ['a file', (path: string) => writeFileSync(path, 'precious')],
    ['a link to a socket', (path: string) => symlinkSync(join(dir, 'run', 'none'), path)],
    ['a folder', (path: string) => mkdirSync(path)],
  ])('never takes the place of %s', async (_, make) => {
    const other = join(dir, 'other')
    make(other)
    const before = lstatSync(other)
    const next = new AttachServer({ find: () => undefined, logPath: () => undefined, clock, log })
    await expect(next.listen(other)).rejects.toThrow(AttachPathTaken)
    expect(lstatSync(other)).toMatchObject({ ino: before.ino, mode: before.mode })
  })
})
