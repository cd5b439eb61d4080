import { createConnection } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import type { Options } from '../../../consoled/options.ts'
import { PERIOD_MS } from '../../../consoled/ring/rate-limit.ts'
import { type ParsedFamily, parseExposition } from '../../native/os/metrics/parse-exposition.ts'
import { TestHost } from '../a-host.ts'
import { aFewTurns, type ConsoleGuest, until } from '../console-guest.ts'

/** More than a guest's ring and what may wait behind it. */
const TYPED = 20_000

let host: TestHost
afterEach(() => host.stop())

async function aHost(options: Partial<Options> = {}): Promise<void> {
  host = new TestHost(options)
  await host.startStore()
  await host.startConsoled()
}

async function aConnectedGuest(domid: number, more = {}): Promise<ConsoleGuest> {
  const guest = await host.introduce(domid, `g${domid}`)
  await host.giveConsole(guest, more)
  await until(() => guest.isConnected)
  return guest
}

function families(): Map<string, ParsedFamily> {
  return parseExposition(host.consoled.metrics())
}

/** One sample, by its name and labels. */
function figure(sample: string): number | undefined {
  const [name = ''] = sample.split('{')
  return families()
    .get(name.replace(/_count$/, ''))
    ?.samples.get(sample)
}

test('what guests print and what is typed is counted', async () => {
  await aHost()
  const guest = await aConnectedGuest(5)
  await aConnectedGuest(6)
  guest.print('hello')
  await until(() => host.logged('guest-g5.log') === 'hello')
  await aFewTurns()
  expect(figure('consoled_output_bytes_total')).toBe(5)
  expect(figure('consoled_drains_total')).toBe(1)
  expect(figure('consoled_connects_total')).toBe(2)
  expect(figure('consoled_open_logs')).toBe(2)
  expect(figure('consoled_domains{console="yes"}')).toBe(2)
  const turns = figure('consoled_turns_total')
  expect(turns).toBeGreaterThan(0)
  expect(figure('consoled_turn_duration_seconds_count')).toBe(turns)
  await host.introduce(7, 'without')
  await until(() => figure('consoled_domains{console="not_yet"}') === 1)
})

test('events are counted, and those without output on their own', async () => {
  await aHost()
  const guest = await aConnectedGuest(5)
  await aFewTurns()
  const events = () => figure('consoled_events_total') ?? 0
  const quiet = () => figure('consoled_quiet_events_total')
  const before = events()
  guest.print('hello')
  await until(() => host.logged('guest-g5.log') === 'hello')
  await until(() => events() === before + 1)
  expect(quiet()).toBe(0)
  // The first event of a channel that was bound is one without output, too.
  for (let i = 2; i <= 16; i++) {
    guest.kick()
    await until(() => events() === before + i)
  }
  await until(() => quiet() === 16)
})

test('terminals and guests that are past their allowance are counted', async () => {
  await aHost()
  const guest = await aConnectedGuest(5, { tty: '' })
  expect(figure('consoled_ptys')).toBe(1)
  for (let i = 0; i < 100 && figure('consoled_held_consoles') === 0; i++) {
    guest.print('x')
    await until(() => guest.unreadOutput === 0)
  }
  expect([figure('consoled_held_consoles'), figure('consoled_holds_total')]).toEqual([1, 1])
  host.clock.advance(PERIOD_MS)
  expect([figure('consoled_held_consoles'), figure('consoled_holds_total')]).toEqual([0, 1])
  const { length } = 'x'.repeat(2000)
  for (let i = 0; i < 800; i++) {
    host.clock.advance(PERIOD_MS)
    guest.print('x'.repeat(length))
    await until(() => guest.unreadOutput === 0)
  }
  expect(figure('consoled_dropped_bytes_total{where="tty"}')).toBeGreaterThan(0)
  expect(figure('consoled_dropped_bytes_total{where="log"}')).toBe(0)
  host.kill(guest)
  await until(() => figure('consoled_ptys') === 0)
})

test('what is typed and has no room anywhere is counted, and the rest is read', async () => {
  host = new TestHost({})
  const rings = host.loopback.rings.bind(host.loopback)
  // Room for what four guests do not read; the daemon has some for sixteen thousand.
  host.loopback.rings = (kind, options) =>
    rings(kind, kind === 'console' ? { ...options, maxQueuedBytes: 16_384 } : options)
  await host.startStore()
  await host.startConsoled()
  const guests: ConsoleGuest[] = []
  for (let domid = 5; domid < 15; domid++) guests.push(await aConnectedGuest(domid))
  expect(figure('consoled_dropped_bytes_total{where="typed"}')).toBe(0)
  const sockets = guests.map(({ domid }) => {
    const socket = createConnection(host.attachPath)
    socket.write(`attach ${domid}\n${'t'.repeat(TYPED)}`)
    return socket
  })
  const dropped = () => figure('consoled_dropped_bytes_total{where="typed"}') ?? 0
  await until(() => dropped() > 0)
  let read = 0
  await until(() => {
    for (const guest of guests) read += guest.read().length
    return read + dropped() === guests.length * TYPED
  })
  await aFewTurns()
  expect(figure('consoled_input_bytes_total')).toBe(guests.length * TYPED)
  expect(read + dropped()).toBe(guests.length * TYPED)
  expect(read).toBeGreaterThan(guests.length * 1024)
  expect(figure('consoled_broken_rings_total')).toBe(0)
  for (const socket of sockets) socket.destroy()
})

test('no label names a domain, however many there are', async () => {
  await aHost()
  await aConnectedGuest(5)
  const samples = () => [...families().values()].flatMap((family) => [...family.samples.keys()])
  const before = samples()
  await aConnectedGuest(6)
  expect(samples()).toEqual(before)
})
