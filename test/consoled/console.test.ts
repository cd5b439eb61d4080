import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fc, test } from '@fast-check/vitest'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ConsoleViewer } from '../../consoled/attach/audience.ts'
import { type ConsoleServices, GuestConsole } from '../../consoled/console.ts'
import type { ConsoleKeys } from '../../consoled/domains/console-keys.ts'
import { ConsoleStates, STATE_BYTES } from '../../consoled/log/console-states.ts'
import { GuestLog } from '../../consoled/log/guest-log.ts'
import { StampTime } from '../../consoled/log/line-stamps.ts'
import { LogFiles } from '../../consoled/log/log-files.ts'
import { LogListing } from '../../consoled/log/log-listing.ts'
import { ConsoleRings } from '../../consoled/ring/console-ring.ts'
import { EVENTS_PER_PERIOD, PERIOD_MS } from '../../consoled/ring/rate-limit.ts'
import { type Loopback, openLoopback } from '../../native/loopback.ts'
import { StateMemory } from '../../native/os/state-memory.ts'
import { aFewTurns, ConsoleGuest, prints, until } from './console-guest.ts'
import { ManualClock } from './manual-clock.ts'

const RAW = { withTimestamps: false, replacesEscape: false }
const log = pino({ level: 'silent' })

let dir: string
let loopback: Loopback
let memory: StateMemory
let rings: ConsoleRings
let files: LogFiles
let states: ConsoleStates
let published: string[]
let clock: ManualClock

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'consoled-'))
  clock = new ManualClock()
  loopback = openLoopback()
  memory = StateMemory.anonymous()
  const set = loopback.rings('console', {
    memory,
    maxConnections: 64,
    maxQueuedBytes: 1 << 20,
    virqs: [],
  })
  files = new LogFiles({ maxOpen: 16 }, log)
  rings = new ConsoleRings(set, clock, () => undefined, [files])
  rings.start()
  states = new ConsoleStates(new ArrayBuffer(STATE_BYTES))
  published = []
})
afterEach(() => {
  rings.close()
  files.close()
  memory.close()
  rmSync(dir, { recursive: true })
})

function aConsole(more: Partial<ConsoleServices> = {}, domid = 7): GuestConsole {
  const time = new StampTime(() => clock.date())
  const logs = { files, dir, format: RAW, time, states, listing: new LogListing(dir) }
  return new GuestConsole(domid as ConsoleGuest['domid'], 'uuid', true, {
    rings,
    openLog: (console, name, isNew) => new GuestLog(logs, console, name, isNew),
    historyBytes: () => 16_384,
    tty: 'asked',
    overflow: 'discard',
    lendDescriptors: () => undefined,
    openJournal: undefined,
    counters: { pty: () => undefined, ttyDropped: () => undefined },
    publishTty: (_, path) => published.push(path),
    log,
    ...more,
  })
}

function keysOf(guest: ConsoleGuest, more: Partial<ConsoleKeys> = {}): ConsoleKeys {
  return {
    ring: { gfn: guest.gfn, port: guest.port },
    isOurs: true,
    limit: 1_048_576,
    tty: undefined,
    name: 'web1',
    ...more,
  }
}

function logged(): string {
  return readFileSync(join(dir, 'guest-web1.log'), 'latin1')
}

/** A viewer that keeps what it is shown. */
class Witness implements ConsoleViewer {
  readonly writes = 'shared'
  readonly by = 'a witness'
  readonly isBehind = false
  seen = ''
  isEnded = false
  resumed = 0

  show(bytes: Buffer): void {
    this.seen += bytes.toString('latin1')
  }

  loseCount(): void {}

  resumeTyping(): void {
    this.resumed++
  }

  end(): void {
    this.isEnded = true
  }
}

describe('GuestConsole', () => {
  test.prop([fc.array(fc.uint8Array({ minLength: 1, maxLength: 3000 }), { maxLength: 12 })], {
    numRuns: 20,
  })(
    'logs every byte that the guest prints, past the end of the ring and of its indices',
    async (pieces) => {
      rmSync(join(dir, 'guest-web1.log'), { force: true })
      const guest = new ConsoleGuest(loopback, 7)
      guest.setOutput(0xffff_fc00, 0xffff_fc00)
      const console = aConsole()
      console.update(keysOf(guest))
      expect(guest.isConnected).toBe(true)
      for (const piece of pieces) {
        for (let at = 0; at < piece.length; ) {
          at += guest.print(piece.subarray(at))
          await until(() => guest.unreadOutput === 0)
        }
      }
      expect(logged()).toBe(Buffer.concat(pieces).toString('latin1'))
      console.close()
      loopback.removeDomain(guest.domid)
    },
  )

  it('tells the guest that there is room again', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    aConsole().update(keysOf(guest))
    await aFewTurns()
    guest.takeNotifications()
    guest.print('boot')
    await until(() => guest.unreadOutput === 0)
    await until(() => guest.takeNotifications() > 0)
  })

  it('takes what the guest printed before anybody listened', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    guest.write('early words')
    aConsole().update(keysOf(guest))
    await until(() => guest.unreadOutput === 0)
    expect(logged()).toBe('early words')
  })

  it('ignores a ring whose indices make no sense, until they do', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    aConsole().update(keysOf(guest))
    guest.setOutput(5, 0x7000_0000)
    guest.kick()
    await aFewTurns()
    expect(logged()).toBe('')
    guest.setOutput(0, 0)
    guest.print('recovered')
    await until(() => logged() === 'recovered')
  })

  it('falls back to the frame when the page is not granted', async () => {
    const guest = new ConsoleGuest(loopback, 7, 4711)
    aConsole().update(keysOf(guest))
    guest.print('by frame')
    await until(() => logged() === 'by frame')
  })

  it('takes the last words of a dying guest, which it could not announce', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    const console = aConsole()
    const viewer = new Witness()
    console.update(keysOf(guest))
    console.addViewer(viewer)
    await aFewTurns()
    guest.write('panic: out of everything\n')
    loopback.removeDomain(guest.domid)
    console.end()
    await until(() => viewer.isEnded)
    expect(logged()).toBe('panic: out of everything\n')
    expect(viewer.seen).toBe('panic: out of everything\n')
    expect(loopback.leftovers()).toEqual({ mappings: 0, bindings: 0 })
  })

  it('leaves a console alone that another program serves', () => {
    const guest = new ConsoleGuest(loopback, 7)
    const console = aConsole()
    console.update(keysOf(guest, { isOurs: false }))
    expect([console.isConnected, guest.isConnected]).toEqual([false, false])
  })

  it('connects anew when the ring is another one', async () => {
    const first = new ConsoleGuest(loopback, 7, 4711)
    const console = aConsole()
    console.update(keysOf(first))
    const second = new ConsoleGuest(loopback, 7, 4712)
    console.update(keysOf(second))
    console.update(keysOf(second))
    second.print('second')
    await until(() => logged() === 'second')
    expect(loopback.leftovers()).toEqual({ mappings: 1, bindings: 1 })
  })

  it('keeps the same ring and port, with what waits for the guest', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    const console = aConsole()
    console.update(keysOf(guest))
    await aFewTurns()
    const typed = 'x'.repeat(1500)
    expect(console.type(Buffer.from(typed))).toBe(1500)
    console.update(keysOf(guest))
    let read = ''
    await until(() => {
      read += guest.read()
      return read === typed
    })
  })

  it('binds the same port anew when its guest has closed it, and goes on where it was', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    guest.setOutput(0xffff_fff8, 0xffff_fff8)
    const console = aConsole()
    const viewer = new Witness()
    console.update(keysOf(guest))
    console.addViewer(viewer)
    const begin = console.said
    guest.print('first kernel ')
    await until(() => guest.unreadOutput === 0)
    expect(console.type(Buffer.alloc(1500))).toBe(1500)
    guest.renewPort()
    guest.print('second kernel ')
    await aFewTurns()
    expect(logged()).toBe('first kernel ')
    console.update(keysOf(guest))
    expect(guest.isConnected).toBe(true)
    expect(viewer.resumed).toBe(1)
    await until(() => guest.unreadOutput === 0)
    guest.print('is heard')
    await until(() => logged() === 'first kernel second kernel is heard')
    expect(viewer.seen).toBe('first kernel second kernel is heard')
    expect(console.outputFrom(begin)?.toString()).toBe('first kernel second kernel is heard')
    expect(loopback.leftovers()).toEqual({ mappings: 1, bindings: 1 })
  })

  it('goes on when its guest began its ring anew, too', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    const console = aConsole()
    console.update(keysOf(guest))
    guest.print('before ')
    await until(() => guest.unreadOutput === 0)
    guest.renewPort()
    guest.setOutput(0, 0)
    console.update(keysOf(guest))
    expect(console.position).toBe(0)
    guest.print('after')
    await until(() => logged() === 'before after')
    expect(console.position).toBe(5)
  })

  it('keeps the last words of a guest whose port is closed for good', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    const console = aConsole()
    console.update(keysOf(guest))
    await aFewTurns()
    loopback.removeDomain(guest.domid)
    console.update(keysOf(guest))
    await aFewTurns()
    guest.write('the very last')
    console.update(keysOf(guest))
    let isClosed = false
    console.end(() => {
      isClosed = true
    })
    await until(() => isClosed)
    expect(logged()).toBe('the very last')
    expect(loopback.leftovers()).toEqual({ mappings: 0, bindings: 0 })
  })

  it('stays as it is when the ring cannot be reached, and connects when it can', () => {
    const guest = new ConsoleGuest(loopback, 7)
    const console = aConsole()
    console.update(keysOf(guest, { ring: { gfn: guest.gfn, port: 999 as ConsoleGuest['port'] } }))
    expect(console.isConnected).toBe(false)
    console.update(keysOf(guest))
    expect(console.isConnected).toBe(true)
  })
})

describe('the history of a console', () => {
  it('comes from the raw log', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    const console = aConsole()
    console.update(keysOf(guest))
    guest.print('before ')
    await until(() => guest.unreadOutput === 0)
    expect(console.recentOutput(100).toString()).toBe('before ')
    expect(console.recentOutput(3).toString()).toBe('re ')
    const viewer = new Witness()
    console.addViewer(viewer)
    guest.print('after')
    await until(() => viewer.seen === 'after')
    expect(console.recentOutput(100).toString()).toBe('before after')
  })

  it('ends with what was said last, on a full disk, too', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    const console = aConsole()
    console.update(keysOf(guest))
    await prints(guest, 'kept ')
    const path = join(dir, 'guest-web1.log')
    renameSync(path, `${path}.1`)
    symlinkSync('/dev/full', path)
    files.outdate()
    const count = console.said
    for (let i = 0; i < 3; i++) {
      clock.advance(PERIOD_MS)
      await prints(guest, `lost ${i} `)
      expect(console.recentOutput(7).toString()).toBe(`lost ${i} `)
    }
    expect(console.outputFrom(count)?.toString()).toBe('lost 0 lost 1 lost 2 ')
    expect(console.recentOutput(100).toString()).toBe('kept lost 0 lost 1 lost 2 ')
  })

  it('comes from a log with timestamps where memory does not reach, without them', async () => {
    const time = new StampTime(() => clock.date())
    const format = { withTimestamps: true, replacesEscape: false }
    const logs = { files, dir, format, time, states, listing: new LogListing(dir) }
    const guest = new ConsoleGuest(loopback, 7)
    const console = aConsole({
      openLog: (of, name, isNew) => new GuestLog(logs, of, name, isNew),
      historyBytes: () => 8,
    })
    console.update(keysOf(guest))
    await prints(guest, 'one\n')
    expect(console.recentOutput(100).toString()).toBe('one\n')
    await prints(guest, 'two\nthree\n')
    expect(console.recentOutput(100).toString()).toBe('one\ntwo\nthree\n')
    expect(console.outputFrom(console.said - 8)?.toString()).toBe('o\nthree\n')
    expect(console.outputFrom(console.said - 9)).toBeUndefined()
  })

  it('is had from any position that is known', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    guest.setOutput(0xffff_fffc, 0xffff_fffc)
    const console = aConsole()
    console.update(keysOf(guest))
    const begin = console.said
    guest.print('one two')
    await until(() => guest.unreadOutput === 0)
    expect(console.said - begin).toBe(7)
    expect(console.outputFrom(begin + 4)?.toString()).toBe('two')
    expect(console.outputFrom(console.said)?.toString()).toBe('')
    expect(console.outputFrom(console.said + 1)).toBeUndefined()
    expect(console.outputFrom(begin - 1)).toBeUndefined()
  })

  it('comes from memory when nothing is logged, and is bounded', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    const console = aConsole({ openLog: undefined, historyBytes: () => 100 })
    console.update(keysOf(guest))
    guest.print('x'.repeat(200))
    await until(() => guest.unreadOutput === 0)
    guest.print('newest')
    await until(() => guest.unreadOutput === 0)
    expect(console.recentOutput(1000).toString()).toBe(`${'x'.repeat(94)}newest`)
    expect(console.outputFrom(console.said - 100)?.length).toBe(100)
    expect(console.outputFrom(console.said - 101)).toBeUndefined()
  })
})

describe('typing', () => {
  it('reaches the guest byte by byte, past the end of the ring', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    const console = aConsole()
    console.update(keysOf(guest))
    let read = ''
    let typed = ''
    for (let i = 0; i < 10; i++) {
      const text = String.fromCharCode(0x61 + i).repeat(300)
      typed += text
      expect(console.type(Buffer.from(text))).toBe(300)
      read += guest.read()
    }
    expect(read).toBe(typed)
  })

  it('is held up while the guest does not read, and nothing is lost', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    const console = aConsole()
    const viewer = new Witness()
    console.update(keysOf(guest))
    console.addViewer(viewer)
    const typed = Buffer.alloc(20_000, 'abcdefghijklmnopqrstuvwxyz')
    let taken = console.type(typed)
    expect(taken).toBe(4096)
    expect(console.type(typed.subarray(taken))).toBe(0)
    expect(viewer.resumed).toBe(0)
    let read = ''
    for (let resumed = 0; read.length < typed.length; resumed = viewer.resumed) {
      read += guest.read()
      await aFewTurns()
      if (viewer.resumed > resumed) taken += console.type(typed.subarray(taken))
    }
    expect(read).toBe(typed.toString('latin1'))
    expect(viewer.resumed).toBe(5)
    expect(console.type(Buffer.from('more'))).toBe(4)
  })
})

describe('the pseudo terminal of a console', () => {
  function openSlave(): number {
    return openSync(published[0] ?? '', constants.O_RDWR | constants.O_NOCTTY)
  }

  it('is made only where the toolstack made the node', () => {
    const console = aConsole()
    const guest = new ConsoleGuest(loopback, 7)
    console.update(keysOf(guest))
    expect(published).toEqual([])
    console.update(keysOf(guest, { tty: '' }))
    expect(published).toHaveLength(1)
    expect(published[0]).toMatch(/^\/dev\/pts\/\d+$/)
    console.update(keysOf(guest, { tty: published[0] }))
    expect(published).toHaveLength(1)
    console.close()
  })

  it('is made anew for a guest that had one of an earlier consoled', () => {
    const console = aConsole()
    console.update(keysOf(new ConsoleGuest(loopback, 7), { tty: '/dev/pts/9999' }))
    expect(published).toHaveLength(1)
    console.close()
  })

  it('is made for every guest when told so', () => {
    const console = aConsole({ tty: 'always' })
    console.update(keysOf(new ConsoleGuest(loopback, 7)))
    expect(published).toHaveLength(1)
    console.close()
  })

  it('carries bytes both ways', async () => {
    const console = aConsole()
    const guest = new ConsoleGuest(loopback, 7)
    console.update(keysOf(guest, { tty: '' }))
    const slave = openSlave()
    guest.print('login:\n')
    await until(() => guest.unreadOutput === 0)
    const into = Buffer.alloc(100)
    expect(into.toString('latin1', 0, readSync(slave, into))).toBe('login:\n')
    writeSync(slave, 'root\r\x03')
    let read = ''
    await until(() => {
      read += guest.read()
      return read.length === 6
    })
    expect(read).toBe('root\r\x03')
    closeSync(slave)
    console.close()
  })

  async function printMuch(guest: ConsoleGuest, bytes: number): Promise<void> {
    for (let at = 0; at < bytes; at += 2000) {
      clock.advance(PERIOD_MS)
      guest.print('a'.repeat(2000))
      await until(() => guest.unreadOutput === 0)
    }
  }

  it('that nobody reads does not hold up the guest', async () => {
    const console = aConsole()
    const guest = new ConsoleGuest(loopback, 7)
    console.update(keysOf(guest, { tty: '', limit: 10_000 }))
    await printMuch(guest, 100_000)
    expect(logged().length).toBe(100_000)
    console.close()
  })

  it('that nobody reads holds up the guest in keep mode, until somebody does', async () => {
    const console = aConsole({ overflow: 'keep' })
    const guest = new ConsoleGuest(loopback, 7)
    console.update(keysOf(guest, { tty: '', limit: 10_000 }))
    let printed = 0
    for (let turns = 0; turns < 200; turns++) {
      clock.advance(PERIOD_MS)
      printed += guest.print('b'.repeat(500))
      await aFewTurns()
    }
    expect(guest.unreadOutput).toBe(2048)
    const slave = openSync(
      published[0] ?? '',
      constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK,
    )
    const into = Buffer.alloc(65_536)
    let read = 0
    while (read < printed) {
      clock.advance(PERIOD_MS)
      try {
        read += readSync(slave, into)
      } catch (error) {
        expect((error as NodeJS.ErrnoException).code).toBe('EAGAIN')
      }
      await aFewTurns()
    }
    expect(read).toBe(printed)
    expect(guest.unreadOutput).toBe(0)
    closeSync(slave)
    console.close()
  })
})

describe('a guest that prints without end', () => {
  async function printLines(guest: ConsoleGuest, count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      guest.print('x')
      await until(() => guest.unreadOutput === 0)
    }
  }

  it('is held up past its allowance until the period ends, and loses nothing', async () => {
    // As xenconsoled's.
    expect([EVENTS_PER_PERIOD, PERIOD_MS]).toEqual([30, 200])
    const guest = new ConsoleGuest(loopback, 7)
    aConsole().update(keysOf(guest))
    clock.advance(PERIOD_MS - 1)
    await printLines(guest, EVENTS_PER_PERIOD)
    guest.print('late')
    await aFewTurns()
    expect(guest.unreadOutput).toBe(4)
    clock.advance(1)
    await until(() => guest.unreadOutput === 0)
    await printLines(guest, EVENTS_PER_PERIOD - 1)
    guest.print('later')
    await aFewTurns()
    expect(guest.unreadOutput).toBe(5)
    clock.advance(PERIOD_MS)
    await until(() => guest.unreadOutput === 0)
    expect(logged()).toBe(
      `${'x'.repeat(EVENTS_PER_PERIOD)}late${'x'.repeat(EVENTS_PER_PERIOD - 1)}later`,
    )
  })

  it('is held up, too, when it notifies without end and says nothing', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    aConsole().update(keysOf(guest))
    await aFewTurns()
    for (let i = 0; i < EVENTS_PER_PERIOD + 8 && rings.held === 0; i++) {
      guest.kick()
      await aFewTurns()
    }
    expect(rings.held).toBe(1)
    guest.print('after all')
    await aFewTurns()
    expect(logged()).toBe('')
    clock.advance(PERIOD_MS)
    expect(rings.held).toBe(0)
    await until(() => logged() === 'after all')
  })

  it('holds up no other, and one timer is enough for all that are held', async () => {
    const guests = [1, 2, 3].map((domid) => new ConsoleGuest(loopback, domid))
    for (const guest of guests) {
      aConsole({ openLog: undefined }, guest.domid).update(keysOf(guest))
    }
    const [first, second, quiet] = guests
    if (first === undefined || second === undefined || quiet === undefined) throw new Error()
    expect(clock.timers).toBe(0)
    await printLines(first, EVENTS_PER_PERIOD)
    await printLines(second, EVENTS_PER_PERIOD)
    await printLines(quiet, EVENTS_PER_PERIOD - 1)
    expect(clock.timers).toBe(1)
    first.print('held')
    second.print('held')
    quiet.print('not held')
    await until(() => quiet.unreadOutput === 0)
    expect([first.unreadOutput, second.unreadOutput]).toEqual([4, 4])
    clock.advance(PERIOD_MS)
    await until(() => first.unreadOutput + second.unreadOutput === 0)
    expect(clock.timers).toBe(0)
  })

  it('stays held up by its full terminal when the period ends', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    const console = aConsole({ overflow: 'keep' })
    console.update(keysOf(guest, { tty: '', limit: 1 }))
    for (let i = 0; i < 200; i++) {
      clock.advance(PERIOD_MS)
      guest.print('b'.repeat(500))
      await aFewTurns()
    }
    expect(guest.unreadOutput).toBe(2048)
    console.close()
  })

  it('is heard to the end when it dies past its allowance', async () => {
    const guest = new ConsoleGuest(loopback, 7)
    const console = aConsole()
    console.update(keysOf(guest))
    await printLines(guest, EVENTS_PER_PERIOD)
    guest.print('last words')
    loopback.removeDomain(guest.domid)
    console.end()
    await until(() => !console.isConnected)
    expect(logged()).toBe(`${'x'.repeat(EVENTS_PER_PERIOD)}last words`)
    clock.advance(PERIOD_MS)
    expect(clock.timers).toBe(0)
  })
})
