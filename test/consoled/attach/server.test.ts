import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
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
const UUID = '00000000-0000-0000-0000-000000000007'
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
let terminal: string

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
  const console = new GuestConsole(domid as ConsoleGuest['domid'], UUID, true, {
    rings,
    openLog: undefined,
    historyBytes: () => 16_384,
    tty: 'asked',
    overflow: 'discard',
    lendDescriptors: () => undefined,
    publishTty: (_, slavePath) => {
      terminal = slavePath
    },
    log,
  })
  consoles.set(domid, console)
  if (guest !== undefined) connect(console, guest)
  return console
}

function connect(console: GuestConsole, guest: ConsoleGuest, tty?: string): void {
  console.update({
    ring: { gfn: guest.gfn, port: guest.port },
    isOurs: true,
    limit: undefined,
    tty,
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

  it('refuses another domain of the number', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    aConsole(guest, 7)
    const client = new Client(`attach 7 uuid=${UUID}\n`)
    await client.receives('ok 0\n')
    const other = new Client(`attach 7 uuid=${UUID.replace('7', '8')}\n`)
    await until(() => other.isClosed)
    expect(other.received).toMatch(/^error there is no domain 7 with the uuid /)
  })

  it('tells at once that a console which was waited for will never be there', async () => {
    const console = aConsole(undefined, 7)
    const client = new Client('attach 7\n')
    await aFewTurns()
    console.close()
    await until(() => client.isClosed)
    expect(client.received).toBe('error there is no domain 7 any more\n')
    expect(clock.timers).toBe(0)
  })

  it('says where a guest is logged, by number and by name', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    aConsole(guest, 7)
    const known = new Client('logs 7\n')
    const gone = new Client('logs my guest\n')
    await until(() => known.isClosed && gone.isClosed)
    expect(known.received).toBe(`ok ${join(dir, 'guest-web1.log')}\n`)
    expect(gone.received).toBe(`ok ${join(dir, 'guest-my guest.log')}\n`)
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

describe('a viewer that comes back', () => {
  /** Prints, and has it taken. */
  async function prints(guest: ConsoleGuest, text: string): Promise<void> {
    guest.print(text)
    await until(() => guest.unreadOutput === 0)
  }

  it('goes on where it was, past the end of the indices', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    guest.setOutput(0xffff_fff0, 0xffff_fff0)
    aConsole(guest, 7)
    await prints(guest, 'one\ntwo\n')
    const first = new Client('attach 7 exact\n')
    await first.receives('ok 4294967280\none\ntwo\n')
    first.socket.destroy()
    await prints(guest, 'three\nfour\n')
    const again = new Client('attach 7 exact from=4294967288\n')
    await again.receives('ok 4294967288\nthree\nfour\n')
    await prints(guest, 'five\n')
    await again.receives('ok 4294967288\nthree\nfour\nfive\n')
  })

  it('sees by the position what is left out', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    aConsole(guest, 7)
    for (let i = 0; i < 20; i++) {
      clock.advance(PERIOD_MS)
      await prints(guest, `${'x'.repeat(999)}\n`)
    }
    const client = new Client('attach 7 exact from=100\n')
    await until(() => client.received.endsWith('\n') && client.received.length > 16_000)
    // 16 KiB are known, and shown from the beginning of a line.
    expect(client.received).toBe(`ok 4000\n${`${'x'.repeat(999)}\n`.repeat(16)}`)
  })

  it('is not shown again what a killed consoled had shown it and not taken', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    guest.setOutput(1000, 1000)
    aConsole(guest, 7)
    const client = new Client('attach 7 exact from=1004\n')
    await client.receives('ok 1004\n')
    await prints(guest, 'on')
    await prints(guest, 'e\ntwo')
    await client.receives('ok 1004\ntwo')
    await prints(guest, '!')
    await client.receives('ok 1004\ntwo!')
  })

  it('asks for as much of what was said last as it wants', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    aConsole(guest, 7)
    await prints(guest, 'one\ntwo\nthree\n')
    const none = new Client('attach 7 tail=0\n')
    await none.receives('ok 14\n')
    const some = new Client('attach 7 tail=8\n')
    await some.receives('ok 8\nthree\n')
  })
})

describe('who types', () => {
  it('types alone, when nobody else may', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    aConsole(guest, 7)
    const alone = new Client('attach 7 exclusive by=xcl:11,pts/3\n')
    await alone.receives('ok 0\n')
    const second = new Client('attach 7\n')
    await until(() => second.isClosed)
    expect(second.received).toBe('error domain 7 is written by xcl:11,pts/3 alone\n')
    const looking = new Client('attach 7 ro\n')
    await looking.receives('ok 0\n')
    alone.socket.destroy()
    await until(() => server.viewers === 1)
    await new Client('attach 7\n').receives('ok 0\n')
  })

  it('is refused to be alone while others may type', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    aConsole(guest, 7)
    await new Client('attach 7 ro by=looker\n').receives('ok 0\n')
    await new Client('attach 7 by=xcl:11\n').receives('ok 0\n')
    await new Client('attach 7 by=xcl:12\n').receives('ok 0\n')
    const alone = new Client('attach 7 exclusive\n')
    await until(() => alone.isClosed)
    expect(alone.received).toBe('error domain 7 is written by xcl:11 and 1 more\n')
  })
})

describe('beside a pseudo terminal', () => {
  /** As a program that opens the terminal. */
  function openTerminal(): number {
    return openSync(terminal, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK)
  }

  function readFrom(slave: number): string {
    const into = Buffer.alloc(4096)
    try {
      return into.toString('latin1', 0, readSync(slave, into))
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return ''
      throw error
    }
  }

  it('both see everything, and both may type', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    connect(aConsole(undefined, 7), guest, '')
    const slave = openTerminal()
    const viewer = new Client('attach 7\n')
    await viewer.receives('ok 0\n')
    guest.print('login: ')
    await viewer.receives('ok 0\nlogin: ')
    let seen = ''
    await until(() => {
      seen += readFrom(slave)
      return seen === 'login: '
    })
    viewer.socket.write('ro')
    let typed = ''
    await until(() => {
      typed += guest.read()
      return typed === 'ro'
    })
    writeSync(slave, 'ot\r')
    await until(() => {
      typed += guest.read()
      return typed === 'root\r'
    })
    closeSync(slave)
  })

  it('a viewer sets its size, when it attaches and later', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    connect(aConsole(undefined, 7), guest, '')
    const size = (): string =>
      execFileSync('stty', ['-F', terminal, 'size'], { encoding: 'utf8' }).trim()
    await new Client('attach 7 ro size=90x33\n').receives('ok 0\n')
    expect(size()).toBe('0 0')
    await new Client('attach 7 size=100x40\n').receives('ok 0\n')
    expect(size()).toBe('40 100')
    await new Client('resize 7 132x50\n').receives('ok\n')
    expect(size()).toBe('50 132')
  })

  it('a console without one has no size', async () => {
    aConsole(new ConsoleGuest(loopback, 7), 7)
    const client = new Client('resize 7 132x50\n')
    await until(() => client.isClosed)
    expect(client.received).toBe('error domain 7 has no terminal that could have a size\n')
  })
})

describe('connections that ask for nothing', () => {
  it('are let go of after five seconds', async () => {
    const client = new Client('')
    const slow = new Client('attach 7')
    await until(() => clock.timers === 2)
    clock.advance(5000)
    await until(() => client.isClosed && slow.isClosed)
    expect([client.received, slow.received]).toEqual(
      Array(2).fill('error no request came within 5 s\n'),
    )
    expect(clock.timers).toBe(0)
  })

  it('keep nobody out, however many they are', async () => {
    aConsole(new ConsoleGuest(loopback, 7), 7)
    const silent: Client[] = []
    for (let i = 0; i < 8; i++) {
      silent.push(...Array.from({ length: 100 }, () => new Client('')))
      await until(() => clock.timers === Math.min(768, silent.length))
    }
    const client = new Client('attach 7\n')
    await client.receives('ok 0\n')
    const dismissed = silent.filter(({ isClosed }) => isClosed)
    expect(dismissed).toEqual(silent.slice(0, 33))
    expect(dismissed[0]?.received).toBe('error no request came, and others wait\n')
  })

  it('keep out who comes when so many are attached', async () => {
    aConsole(new ConsoleGuest(loopback, 7), 7)
    for (let i = 0; i < 768; i += 64) {
      const some = Array.from({ length: 64 }, () => new Client('attach 7 ro\n'))
      await until(() => some.every(({ received }) => received === 'ok 0\n'))
    }
    expect(server.viewers).toBe(768)
    const client = new Client('attach 7 ro\n')
    await until(() => client.isClosed)
    expect(client.received).toBe('error 768 viewers are attached, and more are not taken\n')
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
    expect(server.leftOutBytes).toBe(Number(missed?.[1]))
  })

  it('and wants only what the guest printed is let go of, and comes back for the rest', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    aConsole(guest, 7)
    const slow = new Client('attach 7 exact\n')
    await slow.receives('ok 0\n')
    slow.socket.pause()
    let printed = ''
    for (let i = 0; printed.length < 1_500_000; i++) {
      const lines = `${String(i).padStart(7, '0')}\n`.repeat(250)
      printed += lines
      clock.advance(PERIOD_MS)
      guest.print(lines)
      await until(() => guest.unreadOutput === 0)
    }
    slow.socket.resume()
    await until(() => slow.isClosed)
    const seen = slow.received.slice('ok 0\n'.length)
    expect(seen.length).toBeLessThan(printed.length)
    expect(printed.startsWith(seen)).toBe(true)
    const again = new Client(`attach 7 exact from=${seen.length}\n`)
    await until(() => again.received.endsWith(printed.slice(-8)))
    const [answer = ''] = again.received.split('\n', 1)
    const position = Number(answer.slice('ok '.length))
    expect(position).toBeGreaterThan(seen.length)
    expect(again.received.slice(answer.length + 1)).toBe(printed.slice(position))
  })

  it('when its console vanishes keeps its socket for a minute at most', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    const console = aConsole(guest, 7)
    const stopped = new Client('attach 7\n')
    await stopped.receives('ok 0\n')
    stopped.socket.pause()
    for (let at = 0; at < 1_000_000; at += 2000) {
      clock.advance(PERIOD_MS)
      guest.print('x'.repeat(2000))
      await until(() => guest.unreadOutput === 0)
    }
    console.close()
    await aFewTurns()
    expect(server.viewers).toBe(1)
    clock.advance(60_000)
    await until(() => server.viewers === 0)
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
