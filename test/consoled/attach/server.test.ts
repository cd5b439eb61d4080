import { once } from 'node:events'
import { lstatSync, mkdirSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AttachPathTaken, AttachSocketTaken } from '../../../consoled/attach/server.ts'
import { aFewTurns, ConsoleGuest, until } from '../console-guest.ts'
import { AttachHost, type Client, UUID } from './an-attach-host.ts'

const NO_REQUEST =
  'error a request is "attach <domid> [option]…", "resize <domid> <columns>x<rows>" or "logs <domain>"\n'

let host: AttachHost

beforeEach(async () => {
  host = await AttachHost.start()
})
afterEach(() => host.stop())

describe('attaching', () => {
  it('is for root only', () => {
    expect(statSync(host.path).mode & 0o777).toBe(0o600)
  })

  it('shows what the console said last, then what it says now', async () => {
    const guest = new ConsoleGuest(host.loopback, 7)
    host.console(guest, 7)
    guest.print('booting\n')
    await until(() => guest.unreadOutput === 0)
    const client = host.client('attach 7\n')
    await client.receives('ok 0\nbooting\n')
    guest.print('login:')
    await client.receives('ok 0\nbooting\nlogin:')
  })

  it('types into the guest, also what was sent along with the request', async () => {
    const guest = new ConsoleGuest(host.loopback, 7)
    host.console(guest, 7)
    const client = host.client('attach 7\nroot\r')
    await client.receives('ok 0\n')
    client.socket.write('pass\r')
    let typed = ''
    await until(() => {
      typed += guest.read()
      return typed === 'root\rpass\r'
    })
  })

  it('read-only types nothing', async () => {
    const guest = new ConsoleGuest(host.loopback, 7)
    host.console(guest, 7)
    const client = host.client('attach 7 ro\nreboot\r')
    await client.receives('ok 0\n')
    client.socket.write('reboot\r')
    await aFewTurns()
    expect(guest.read()).toBe('')
    guest.print('still there')
    await client.receives('ok 0\nstill there')
  })

  it('shows all viewers the same', async () => {
    const guest = new ConsoleGuest(host.loopback, 7)
    host.console(guest, 7)
    const clients = [
      host.client('attach 7\n'),
      host.client('attach 7\n'),
      host.client('attach 7 ro\n'),
    ]
    for (const client of clients) await client.receives('ok 0\n')
    guest.print('to all')
    for (const client of clients) await client.receives('ok 0\nto all')
  })

  it('ends when the console vanishes, after its last words', async () => {
    const guest = new ConsoleGuest(host.loopback, 7)
    const console = host.console(guest, 7)
    const client = host.client('attach 7\n')
    await client.receives('ok 0\n')
    guest.write('bye')
    console.end()
    await until(() => client.isClosed)
    expect(client.received).toBe('ok 0\nbye')
  })

  it('waits for a console that is about to be there', async () => {
    const guest = new ConsoleGuest(host.loopback, 7)
    const console = host.console(undefined, 7)
    const client = host.client('attach 7\n')
    await aFewTurns()
    host.clock.advance(3000)
    host.connect(console, guest)
    await client.receives('ok 0\n')
    host.clock.advance(4000)
    guest.print('boot')
    await client.receives('ok 0\nboot')
  })

  it('gives up after four seconds without a console', async () => {
    host.console(undefined, 7)
    const client = host.client('attach 7\n')
    await aFewTurns()
    host.clock.advance(4000)
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
    [`logs ${'x'.repeat(600)}\n`, 'error the first line is no request\n'],
  ])('%j is refused in a sentence', async (line, answer) => {
    const client = host.client(line)
    await until(() => client.isClosed)
    expect(client.received).toBe(answer)
  })

  it('refuses another domain of the number', async () => {
    const guest = new ConsoleGuest(host.loopback, 7)
    host.console(guest, 7)
    const client = host.client(`attach 7 uuid=${UUID}\n`)
    await client.receives('ok 0\n')
    const other = host.client(`attach 7 uuid=${UUID.replace('7', '8')}\n`)
    await until(() => other.isClosed)
    expect(other.received).toMatch(/^error there is no domain 7 with the uuid /)
  })

  it('tells at once that a console which was waited for will never be there', async () => {
    const console = host.console(undefined, 7)
    const client = host.client('attach 7\n')
    await aFewTurns()
    console.close()
    await until(() => client.isClosed)
    expect(client.received).toBe('error there is no domain 7 any more\n')
    expect(host.clock.timers).toBe(0)
  })

  it('says where a guest is logged, by number and by name', async () => {
    const guest = new ConsoleGuest(host.loopback, 7)
    host.console(guest, 7)
    const known = host.client('logs 7\n')
    const gone = host.client('logs my guest\n')
    await until(() => known.isClosed && gone.isClosed)
    expect(known.received).toBe(`ok stamped ${join(host.dir, 'guest-web1.log')}\n`)
    expect(gone.received).toBe(`ok stamped ${join(host.dir, 'guest-my guest.log')}\n`)
  })

  it('lets go of a viewer that left', async () => {
    const guest = new ConsoleGuest(host.loopback, 7)
    host.console(guest, 7)
    const client = host.client('attach 7\n')
    await client.receives('ok 0\n')
    client.socket.destroy()
    await until(() => client.isClosed)
    const other = host.client('attach 7\n')
    await other.receives('ok 0\n')
    guest.print('for the other')
    await other.receives('ok 0\nfor the other')
  })
})

describe('connections that ask for nothing', () => {
  it('are let go of after five seconds', async () => {
    const client = host.client('')
    const slow = host.client('attach 7')
    await until(() => host.clock.timers === 2)
    host.clock.advance(5000)
    await until(() => client.isClosed && slow.isClosed)
    expect([client.received, slow.received]).toEqual(
      Array(2).fill('error no request came within 5 s\n'),
    )
    expect(host.clock.timers).toBe(0)
  })

  it('keep nobody out, however many they are', async () => {
    host.console(new ConsoleGuest(host.loopback, 7), 7)
    const silent: Client[] = []
    for (let i = 0; i < 8; i++) {
      silent.push(...Array.from({ length: 100 }, () => host.client('')))
      await until(() => host.clock.timers === Math.min(768, silent.length))
    }
    const client = host.client('attach 7\n')
    await client.receives('ok 0\n')
    const dismissed = silent.filter(({ isClosed }) => isClosed)
    expect(dismissed).toEqual(silent.slice(0, 33))
    expect(dismissed[0]?.received).toBe('error no request came, and others wait\n')
  })

  it('keep out who comes when so many are attached', async () => {
    host.console(new ConsoleGuest(host.loopback, 7), 7)
    for (let i = 0; i < 768; i += 64) {
      const some = Array.from({ length: 64 }, () => host.client('attach 7 ro\n'))
      await until(() => some.every(({ received }) => received === 'ok 0\n'))
    }
    expect(host.server.viewers).toBe(768)
    const client = host.client('attach 7 ro\n')
    await until(() => client.isClosed)
    expect(client.received).toBe('error 768 viewers are attached, and more are not taken\n')
  })
})

describe('the attach socket', () => {
  it('is refused to a second consoled', async () => {
    const second = host.anotherServer()
    await expect(second.listen(host.path)).rejects.toThrow(AttachSocketTaken)
  })

  it('is taken over from one that was killed', async () => {
    const left = join(host.dir, 'left.sock')
    const killed = createServer().listen(join(host.dir, 'killed.sock'))
    await once(killed, 'listening')
    // Its file is not where its end would look for it.
    renameSync(join(host.dir, 'killed.sock'), left)
    killed.close()
    await once(killed, 'close')
    const next = host.anotherServer()
    await next.listen(left)
    expect(lstatSync(left).isSocket()).toBe(true)
    next.close()
  })

  it.each([
    ['a file', (path: string) => writeFileSync(path, 'precious')],
    ['a link to a socket', (path: string) => symlinkSync(join(host.dir, 'run', 'none'), path)],
    ['a folder', (path: string) => mkdirSync(path)],
  ])('never takes the place of %s', async (_, make) => {
    const other = join(host.dir, 'other')
    make(other)
    const before = lstatSync(other)
    const next = host.anotherServer()
    await expect(next.listen(other)).rejects.toThrow(AttachPathTaken)
    expect(lstatSync(other)).toMatchObject({ ino: before.ino, mode: before.mode })
  })
})
