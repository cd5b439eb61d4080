import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PERIOD_MS } from '../../../consoled/ring/rate-limit.ts'
import { aFewTurns, ConsoleGuest, prints, until } from '../console-guest.ts'
import { AttachHost } from './an-attach-host.ts'

let host: AttachHost

beforeEach(async () => {
  host = await AttachHost.start()
})
afterEach(() => host.stop())

describe('a viewer that comes back', () => {
  it('goes on where it was, past the end of the indices', async () => {
    const guest = new ConsoleGuest(host.loopback, 7)
    guest.setOutput(0xffff_fff0, 0xffff_fff0)
    host.console(guest, 7)
    await prints(guest, 'one\ntwo\n')
    const first = host.client('attach 7 exact\n')
    await first.receives('ok 4294967280\none\ntwo\n')
    first.socket.destroy()
    await prints(guest, 'three\nfour\n')
    const again = host.client('attach 7 exact from=4294967288\n')
    await again.receives('ok 4294967288\nthree\nfour\n')
    await prints(guest, 'five\n')
    await again.receives('ok 4294967288\nthree\nfour\nfive\n')
  })

  it('sees by the position what is left out', async () => {
    const guest = new ConsoleGuest(host.loopback, 7)
    host.console(guest, 7)
    for (let i = 0; i < 20; i++) {
      host.clock.advance(PERIOD_MS)
      await prints(guest, `${'x'.repeat(999)}\n`)
    }
    const client = host.client('attach 7 exact from=100\n')
    await until(() => client.received.endsWith('\n') && client.received.length > 16_000)
    // 16 KiB are known, and shown from the beginning of a line.
    expect(client.received).toBe(`ok 4000 3900\n${`${'x'.repeat(999)}\n`.repeat(16)}`)
  })

  it('is not shown again what a killed consoled had shown it and not taken', async () => {
    const guest = new ConsoleGuest(host.loopback, 7)
    guest.setOutput(1000, 1000)
    host.console(guest, 7)
    const client = host.client('attach 7 exact from=1004\n')
    await client.receives('ok 1004\n')
    await prints(guest, 'on')
    await prints(guest, 'e\ntwo')
    await client.receives('ok 1004\ntwo')
    await prints(guest, '!')
    await client.receives('ok 1004\ntwo!')
  })

  it('is sent away when the indices go on somewhere else, for its position is none any more', async () => {
    const guest = new ConsoleGuest(host.loopback, 7)
    const console = host.console(guest, 7)
    const exact = host.client('attach 7 exact\n')
    const plain = host.client('attach 7\n')
    await exact.receives('ok 0\n')
    await plain.receives('ok 0\n')
    await prints(guest, 'one\n')
    guest.setOutput(5000, 5000)
    guest.renewPort()
    host.connect(console, guest)
    await prints(guest, 'two\n')
    await plain.receives('ok 0\none\ntwo\n')
    await until(() => exact.isClosed)
    expect(exact.received).toBe('ok 0\none\n')
    await host.client('attach 7 exact from=4\n').receives('ok 5000\ntwo\n')
    await host.client('attach 7 exact from=2\n').receives('ok 4996 ?\none\ntwo\n')
  })

  it('misses nothing of a ring that was begun anew, also where its old position comes again', async () => {
    const guest = new ConsoleGuest(host.loopback, 7)
    const console = host.console(guest, 7)
    const exact = host.client('attach 7 exact\n')
    await exact.receives('ok 0\n')
    await prints(guest, 'x'.repeat(1500))
    guest.setOutput(0, 0)
    guest.renewPort()
    host.connect(console, guest)
    await prints(guest, 'panic\n')
    await until(() => exact.isClosed)
    const again = host.client('attach 7 exact from=1500\n')
    await again.receives('ok 0\npanic\n')
    host.clock.advance(PERIOD_MS)
    await prints(guest, 'y'.repeat(1600))
    await again.receives(`ok 0\npanic\n${'y'.repeat(1600)}`)
  })

  it('is told that nobody knows what it missed when its position may be of the ring before', async () => {
    const guest = new ConsoleGuest(host.loopback, 7)
    const console = host.console(guest, 7)
    await prints(guest, `${'x'.repeat(699)}\n`)
    guest.setOutput(0, 0)
    guest.renewPort()
    host.connect(console, guest)
    await prints(guest, `${'y'.repeat(799)}\n`)
    const again = host.client('attach 7 exact from=500\n')
    await again.receives(`ok 4294966596 ?\n${'x'.repeat(699)}\n${'y'.repeat(799)}\n`)
  })

  it('asks for as much of what was said last as it wants', async () => {
    const guest = new ConsoleGuest(host.loopback, 7)
    host.console(guest, 7)
    await prints(guest, 'one\ntwo\nthree\n')
    const none = host.client('attach 7 tail=0\n')
    await none.receives('ok 14\n')
    const some = host.client('attach 7 tail=8\n')
    await some.receives('ok 8\nthree\n')
  })
})

describe('who types', () => {
  it('types alone, when nobody else may', async () => {
    const guest = new ConsoleGuest(host.loopback, 7)
    host.console(guest, 7)
    const alone = host.client('attach 7 exclusive by=xcl:11,pts/3\n')
    await alone.receives('ok 0\n')
    const second = host.client('attach 7\n')
    await until(() => second.isClosed)
    expect(second.received).toBe('error domain 7 is written by xcl:11,pts/3 alone\n')
    const looking = host.client('attach 7 ro\n')
    await looking.receives('ok 0\n')
    alone.socket.destroy()
    await until(() => host.server.viewers === 1)
    await host.client('attach 7\n').receives('ok 0\n')
  })

  it('is refused to be alone while others may type', async () => {
    const guest = new ConsoleGuest(host.loopback, 7)
    host.console(guest, 7)
    await host.client('attach 7 ro by=looker\n').receives('ok 0\n')
    await host.client('attach 7 by=xcl:11\n').receives('ok 0\n')
    await host.client('attach 7 by=xcl:12\n').receives('ok 0\n')
    const alone = host.client('attach 7 exclusive\n')
    await until(() => alone.isClosed)
    expect(alone.received).toBe('error domain 7 is written by xcl:11 and 1 more\n')
  })
})

describe('beside a pseudo terminal', () => {
  /** As a program that opens the terminal. */
  function openTerminal(): number {
    return openSync(host.terminal, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK)
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
    const guest = new ConsoleGuest(host.loopback, 7)
    host.connect(host.console(undefined, 7), guest, '')
    const slave = openTerminal()
    const viewer = host.client('attach 7\n')
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
    const guest = new ConsoleGuest(host.loopback, 7)
    host.connect(host.console(undefined, 7), guest, '')
    const size = (): string =>
      execFileSync('stty', ['-F', host.terminal, 'size'], { encoding: 'utf8' }).trim()
    await host.client('attach 7 ro size=90x33\n').receives('ok 0\n')
    expect(size()).toBe('0 0')
    await host.client('attach 7 size=100x40\n').receives('ok 0\n')
    expect(size()).toBe('40 100')
    await host.client('resize 7 132x50\n').receives('ok\n')
    expect(size()).toBe('50 132')
  })

  it('a console without one has no size', async () => {
    host.console(new ConsoleGuest(host.loopback, 7), 7)
    const client = host.client('resize 7 132x50\n')
    await until(() => client.isClosed)
    expect(client.received).toBe('error domain 7 has no terminal that could have a size\n')
  })
})

describe('a viewer that does not read', () => {
  it('holds up neither the guest nor another viewer, and is told what it missed', async () => {
    const guest = new ConsoleGuest(host.loopback, 7)
    host.console(guest, 7)
    const slow = host.client('attach 7\n')
    await slow.receives('ok 0\n')
    slow.socket.pause()
    const quick = host.client('attach 7\n')
    await quick.receives('ok 0\n')
    const printed = 3_000_000
    for (let at = 0; at < printed; at += 2000) {
      host.clock.advance(PERIOD_MS)
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
    expect(host.server.leftOutBytes).toBe(Number(missed?.[1]))
  })

  it('and wants only what the guest printed is let go of, and comes back for the rest', async () => {
    const guest = new ConsoleGuest(host.loopback, 7)
    host.console(guest, 7)
    const slow = host.client('attach 7 exact\n')
    await slow.receives('ok 0\n')
    slow.socket.pause()
    let printed = ''
    for (let i = 0; printed.length < 1_500_000; i++) {
      const lines = `${String(i).padStart(7, '0')}\n`.repeat(250)
      printed += lines
      host.clock.advance(PERIOD_MS)
      guest.print(lines)
      await until(() => guest.unreadOutput === 0)
    }
    slow.socket.resume()
    await until(() => slow.isClosed)
    const seen = slow.received.slice('ok 0\n'.length)
    expect(seen.length).toBeLessThan(printed.length)
    expect(printed.startsWith(seen)).toBe(true)
    const again = host.client(`attach 7 exact from=${seen.length}\n`)
    await until(() => again.received.endsWith(printed.slice(-8)))
    const [answer = ''] = again.received.split('\n', 1)
    const [, position = 0, leftOut] = answer.split(' ').map(Number)
    expect(leftOut).toBe(position - seen.length)
    expect(position).toBeGreaterThan(seen.length)
    expect(again.received.slice(answer.length + 1)).toBe(printed.slice(position))
  })

  it('is told what it missed, also when the indices went on 2^31 further meanwhile', async () => {
    const guest = new ConsoleGuest(host.loopback, 7)
    const console = host.console(guest, 7)
    const slow = host.client('attach 7\n')
    await slow.receives('ok 0\n')
    slow.socket.pause()
    const printed = 1_500_000
    for (let at = 0; at < printed; at += 2000) {
      host.clock.advance(PERIOD_MS)
      await prints(guest, 'x'.repeat(2000))
    }
    guest.setOutput(0x8000_0000 + printed, 0x8000_0000 + printed)
    guest.renewPort()
    host.connect(console, guest)
    host.clock.advance(PERIOD_MS)
    await prints(guest, 'the end')
    slow.socket.resume()
    await until(() => slow.received.endsWith('the end'))
    const notice = /\r\n\[consoled: (\d+) bytes left out, this reader was too slow\]\r\n/
    const [text = '', missed] = notice.exec(slow.received) ?? []
    const shown = slow.received.length - 'ok 0\n'.length - text.length
    expect(shown + Number(missed)).toBe(printed + 'the end'.length)
  })

  it('when its console vanishes keeps its socket for a minute at most', async () => {
    const guest = new ConsoleGuest(host.loopback, 7)
    const console = host.console(guest, 7)
    const stopped = host.client('attach 7\n')
    await stopped.receives('ok 0\n')
    stopped.socket.pause()
    for (let at = 0; at < 1_000_000; at += 2000) {
      host.clock.advance(PERIOD_MS)
      guest.print('x'.repeat(2000))
      await until(() => guest.unreadOutput === 0)
    }
    console.close()
    await aFewTurns()
    expect(host.server.viewers).toBe(1)
    host.clock.advance(60_000)
    await until(() => host.server.viewers === 0)
  })
})

describe('a guest that does not read', () => {
  it('holds up who types, and loses nothing', async () => {
    const guest = new ConsoleGuest(host.loopback, 7)
    host.console(guest, 7)
    const client = host.client('attach 7\n')
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
