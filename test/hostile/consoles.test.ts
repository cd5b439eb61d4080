/**
 * Guests that wish the console daemon ill, beside one that only prints: over loopback rings, so that every
 * word of a page is in the attacker's hands. What is asked each time: is the victim's output in its log, all
 * of it and nothing else; and is nothing left when the attacker has gone?
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Options } from '../../consoled/options.ts'
import { PERIOD_MS } from '../../consoled/ring/rate-limit.ts'
import { TestHost } from '../consoled/a-host.ts'
import { aFewTurns, ConsoleGuest, until } from '../consoled/console-guest.ts'
import { aFolder } from '../support/a-socket-peer.ts'
import { buildPageChanger, type PageChanger } from './a-page-changer.ts'

const VICTIM = 1
const ATTACKER = 7
/** Words of the page: xen/include/public/io/console.h. */
const IN_CONS = 3072 / 4
const IN_PROD = 3076 / 4
const OUT_CONS = 3080 / 4
const OUT_PROD = 3084 / 4
const OUT_BYTES = 2048

const folder = aFolder()
let changer: PageChanger
beforeAll(() => {
  changer = buildPageChanger(folder.path)
})
afterAll(() => folder.remove())

let host: TestHost
let victim: ConsoleGuest
let said: string
beforeEach(() => {
  said = ''
})
afterEach(() => host.stop())

async function aHost(options: Partial<Options> = {}): Promise<void> {
  host = new TestHost(options)
  await host.startStore()
  await host.startConsoled()
  victim = await aGuest(VICTIM, 'victim')
}

async function aGuest(domid: number, name: string, more = {}): Promise<ConsoleGuest> {
  const guest = await host.introduce(domid, name)
  await host.giveConsole(guest, more)
  await until(() => guest.isConnected)
  return guest
}

/** The victim prints a line: it is in its log, behind all that it said before, and nothing else is. */
async function victimIsLogged(): Promise<void> {
  host.clock.advance(PERIOD_MS)
  const line = `line ${said.length}\n`
  said += line
  victim.print(line)
  await until(() => host.logged('guest-victim.log').length >= said.length)
  expect(host.logged('guest-victim.log')).toBe(said)
}

/** Nothing of the attacker is left. */
async function isOver(attacker: ConsoleGuest): Promise<void> {
  const { mappings } = host.loopback.leftovers()
  host.kill(attacker)
  // Its ring of the store goes as well.
  await until(() => host.loopback.leftovers().mappings === mappings - 2)
  await victimIsLogged()
}

const words = (guest: ConsoleGuest): Int32Array => new Int32Array(guest.page)
const at = (guest: ConsoleGuest, index: number): number => Atomics.load(words(guest), index)
const set = (guest: ConsoleGuest, index: number, value: number): void => {
  Atomics.store(words(guest), index, value | 0)
}

/** What may stand between two indices. */
const GAPS = [-1, -2048, -2049, 2049, 4096, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff - 2048]

describe('indices of the output ring that cannot be', () => {
  test.each(
    GAPS,
  )('are ignored (%d), and the guest is heard when they are right again', async (gap) => {
    await aHost()
    const attacker = await aGuest(ATTACKER, 'attacker')
    attacker.print('before ')
    await until(() => attacker.unreadOutput === 0)
    for (const index of [OUT_CONS, OUT_PROD]) {
      const right = at(attacker, index)
      set(attacker, index, right + (index === OUT_PROD ? gap : -gap))
      for (let i = 0; i < 5; i++) {
        attacker.kick()
        await aFewTurns()
      }
      expect(host.logged('guest-attacker.log')).toBe('before ')
      set(attacker, index, right)
    }
    await victimIsLogged()
    host.clock.advance(PERIOD_MS)
    attacker.print('after')
    await until(() => host.logged('guest-attacker.log') === 'before after')
    await isOver(attacker)
  })

  test('may come at any moment, and what is logged is never more than the ring holds', async () => {
    await aHost()
    const attacker = await aGuest(ATTACKER, 'attacker')
    let looks = 0
    for (const prod of [0, 1, 2047, 2048, 2049, 0x8000_0000, 0xffff_ffff]) {
      for (const cons of [0, 1, 2048, 0x7fff_ffff, 0xffff_f800, 0xffff_ffff]) {
        host.clock.advance(PERIOD_MS)
        const before = host.logged('guest-attacker.log').length
        attacker.setOutput(cons, prod)
        attacker.kick()
        await aFewTurns()
        const used = (prod - cons) >>> 0
        const logged = host.logged('guest-attacker.log').length - before
        expect(logged).toBe(used <= OUT_BYTES ? used : 0)
        looks += logged > 0 ? 1 : 0
      }
    }
    expect(looks).toBeGreaterThan(5)
    await victimIsLogged()
    await isOver(attacker)
  })
})

test('indices of the input ring that cannot be take nothing that is typed, and cost nobody else anything', async () => {
  await aHost()
  const attacker = await aGuest(ATTACKER, 'attacker')
  const socket = createConnection(host.attachPath)
  let seen = ''
  socket.on('data', (bytes: Buffer) => {
    seen += bytes.toString('latin1')
  })
  socket.write(`attach ${ATTACKER}\n`)
  await until(() => seen.startsWith('ok'))
  for (const gap of [1025, 0x8000_0000, -1]) {
    host.clock.advance(PERIOD_MS)
    const right = at(attacker, IN_CONS)
    set(attacker, IN_CONS, right - gap)
    const prod = at(attacker, IN_PROD)
    socket.write('typed')
    attacker.kick()
    await aFewTurns()
    expect(at(attacker, IN_PROD)).toBe(prod)
    set(attacker, IN_CONS, right)
    attacker.kick()
    let read = ''
    await until(() => {
      read += attacker.read()
      return read.length >= 5
    })
    expect(read).toBe('typed')
  }
  await victimIsLogged()
  socket.destroy()
  await isOver(attacker)
})

describe('a producer index that changes between two looks', () => {
  test.each([
    [10, 2048],
    [10, 0x7000_0000],
    [0x7000_0000, 10],
  ])('gives what one of both says (%d, %d)', async (first, second) => {
    await aHost()
    const attacker = await aGuest(ATTACKER, 'attacker')
    attacker.write('x'.repeat(OUT_BYTES))
    attacker.kick()
    changer.begin(attacker.page, OUT_PROD * 4, first, second)
    await aFewTurns()
    expect(changer.end()).toBeGreaterThan(1)
    const possible = [first, second].filter((length) => length <= OUT_BYTES)
    const lengths = [0, ...possible]
    // One look after the other may be of either; each takes what its own look said.
    expect(host.logged('guest-attacker.log').length).toBeLessThanOrEqual(OUT_BYTES)
    expect(lengths.some((length) => host.logged('guest-attacker.log').length === length)).toBe(true)
    await victimIsLogged()
  })
})

test('four gigabytes later the indices begin anew, and nothing is lost', async () => {
  await aHost()
  const attacker = await host.introduce(ATTACKER, 'attacker')
  attacker.setOutput(0xffff_fff0, 0xffff_fff0)
  await host.giveConsole(attacker)
  await until(() => attacker.isConnected)
  let expected = ''
  for (let i = 0; i < 40; i++) {
    host.clock.advance(PERIOD_MS)
    const line = `${i} ${'z'.repeat(i * 7)}\n`
    expected += line
    attacker.print(line)
    await until(() => attacker.unreadOutput === 0)
  }
  expect(host.logged('guest-attacker.log')).toBe(expected)
  await isOver(attacker)
})

test('what terminals obey is replaced in logs when that is wanted, and nothing else', async () => {
  await aHost({ replacesEscape: true })
  const attacker = await aGuest(ATTACKER, 'attacker')
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
  attacker.print(Buffer.concat([bytes, Buffer.from('\u001b]0;title\u0007\u001b[2J\u001bc')]))
  await until(() => attacker.unreadOutput === 0)
  const expected = Buffer.from(bytes)
  expected[0x1b] = 0x2e
  const logged = readFileSync(join(host.logDir, 'guest-attacker.log'))
  expect(logged).toEqual(Buffer.concat([expected, Buffer.from('.]0;title\u0007.[2J.c')]))
  await isOver(attacker)
})

test('keys that change all the time cost the guest its own console, and no other', async () => {
  await aHost()
  const attacker = await aGuest(ATTACKER, 'attacker', { tty: '' })
  const { mappings, bindings } = host.loopback.leftovers()
  for (let i = 0; i < 60; i++) {
    const key = ['ring-ref', 'port', 'limit', 'type', 'tty'][i % 5] ?? ''
    const value = ['0', '-1', '4711', '999999999999', 'ioemu', '/etc/passwd', ''][i % 7] ?? ''
    await host.store.write(host.key(attacker, key), value)
    if (i % 10 === 0) await victimIsLogged()
  }
  await host.giveConsole(attacker)
  await until(() => attacker.isConnected)
  attacker.print('back')
  await until(() => host.logged('guest-attacker.log').endsWith('back'))
  expect(host.loopback.leftovers()).toEqual({ mappings, bindings })
  await isOver(attacker)
})

test.each([
  '4711',
  '0',
  '18446744073709551615',
  '9007199254740993',
  '-5',
  'x',
  '',
])('a ring-ref that points nowhere (%j) is no console, until it does', async (ringRef) => {
  await aHost()
  const attacker = new ConsoleGuest(host.loopback, ATTACKER, 4712)
  const introduced = await host.introduce(ATTACKER, 'attacker')
  host.loopback.removeDomain(introduced.domid)
  await host.giveConsole(attacker, { 'ring-ref': ringRef })
  await aFewTurns()
  expect(attacker.isConnected).toBe(false)
  await victimIsLogged()
})

test('a port of somebody else is not taken', async () => {
  await aHost()
  const attacker = await host.introduce(ATTACKER, 'attacker')
  await host.giveConsole(attacker, { port: String(victim.port) })
  await aFewTurns()
  expect(attacker.isConnected).toBe(false)
  await victimIsLogged()
  await host.store.write(host.key(attacker, 'port'), String(attacker.port))
  await until(() => attacker.isConnected)
  await isOver(attacker)
})

test.each([
  ['../../escape', 'guest-.._.._escape.log'],
  ['/etc/cron.d/x', 'guest-_etc_cron.d_x.log'],
  ['..', 'guest-...log'],
  ['a\nb\u001b[2J', 'guest-a_b_[2J.log'],
])('a name that would leave the folder (%j) does not', async (name, file) => {
  await aHost()
  const attacker = await aGuest(ATTACKER, name)
  attacker.print('mine')
  await until(() => host.logged(file) === 'mine')
  expect(readdirSync(host.logDir).sort()).toEqual([file, 'guest-victim.log'].sort())
  expect(existsSync(join(host.dir, 'escape.log'))).toBe(false)
  await isOver(attacker)
})

test('a guest of the same name appends to the log: what the first said stays', async () => {
  await aHost()
  const attacker = await aGuest(ATTACKER, 'victim')
  victim.print('said by the victim\n')
  await until(() => host.logged('guest-victim.log') === 'said by the victim\n')
  attacker.print('said by the other\n')
  const both = 'said by the victim\nsaid by the other\n'
  await until(() => host.logged('guest-victim.log') === both)
  victim.print('and again\n')
  await until(() => host.logged('guest-victim.log') === `${both}and again\n`)
})

test('a guest that dies while somebody types into it ends the viewer, and nobody else', async () => {
  await aHost()
  const attacker = await aGuest(ATTACKER, 'attacker')
  const socket = createConnection(host.attachPath)
  let seen = ''
  socket.on('data', (bytes: Buffer) => {
    seen += bytes.toString('latin1')
  })
  const ended = new Promise((done) => socket.on('close', done))
  socket.write(`attach ${ATTACKER}\n`)
  await until(() => seen.startsWith('ok'))
  socket.write('t'.repeat(5000))
  attacker.write('last words')
  await aFewTurns()
  await isOver(attacker)
  await ended
  expect(seen.endsWith('last words')).toBe(true)
})
