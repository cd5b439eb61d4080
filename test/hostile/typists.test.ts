/**
 * Who types into a guest that does not read takes next to no memory, none from other guests, and breaks no
 * console.
 */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { BATCH_BROKEN, BATCH_DATA, BATCH_DRAINED, BATCH_DROPPED } from '../../native/ring-set.ts'
import { AttachHost } from '../consoled/attach/an-attach-host.ts'
import { aFewTurns, ConsoleGuest, prints, until } from '../consoled/console-guest.ts'
import type { GuestRing } from '../native/guest-ring.ts'
import { RingHarness } from '../native/ring-harness.ts'

const TYPISTS = 2000
const AT_ONCE = 50
/** What a ring's in[] holds, and what waits behind it. */
const IN_BYTES = 1024
const WAITING_BYTES = 4096

let host: AttachHost
beforeEach(async () => {
  host = await AttachHost.start()
})
afterEach(() => host.stop())

/** Reads until nothing comes any more. */
async function readAll(guest: ConsoleGuest): Promise<string> {
  let read = ''
  for (let part = guest.read(); part !== ''; part = guest.read()) {
    read += part
    await aFewTurns()
  }
  return read
}

test('two thousand who type and go leave a few KiB, and every console works on', async () => {
  const deaf = new ConsoleGuest(host.loopback, 7)
  const other = new ConsoleGuest(host.loopback, 8)
  host.console(deaf, 7)
  host.console(other, 8)
  const witness = host.client('attach 7 tail=0\n')
  await until(() => witness.received.startsWith('ok'))
  const typed = 'q'.repeat(8000)
  for (let i = 0; i < TYPISTS; i += AT_ONCE) {
    const typists = Array.from({ length: AT_ONCE }, () => host.client(`attach 7 tail=0\n${typed}`))
    await until(() => typists.every(({ received }) => received.startsWith('ok')))
    for (const { socket } of typists) socket.destroy()
    await until(() => host.server.viewers === 1)
  }
  const neighbour = host.client('attach 8 tail=0\nhello')
  await until(() => neighbour.received.startsWith('ok'))
  expect(await readAll(other)).toBe('hello')
  await prints(deaf, 'still heard')
  await until(() => witness.received.endsWith('still heard'))
  const left = await readAll(deaf)
  expect(left.length).toBeGreaterThanOrEqual(IN_BYTES)
  expect(left.length).toBeLessThanOrEqual(IN_BYTES + WAITING_BYTES)
  witness.socket.write('typed again')
  let read = ''
  await until(() => {
    read += deaf.read()
    return read === 'typed again'
  })
})

test('nothing is lost of what is typed by those who stay', async () => {
  const guest = new ConsoleGuest(host.loopback, 7)
  host.console(guest, 7)
  const [first, second] = [host.client('attach 7\n'), host.client('attach 7\n')]
  await until(() => host.server.viewers === 2)
  const count = 200_000
  first.socket.write('a'.repeat(count))
  second.socket.write('b'.repeat(count))
  let read = ''
  await until(() => {
    read += guest.read()
    return read.length >= 2 * count
  })
  await aFewTurns()
  read += guest.read()
  expect([read.length, read.replaceAll('b', '').length]).toEqual([2 * count, count])
})

test('where memory for what is typed ends, bytes are missed and no ring is given up', async () => {
  const harness = new RingHarness({ kind: 'console', maxQueuedBytes: 16_384 })
  const greedy = harness.guest(7)
  const modest = harness.guest(8)
  const typed = Buffer.alloc(WAITING_BYTES, 't')
  const read = ({ end }: GuestRing): void => {
    const words = new Uint32Array(end.page)
    words[3072 / 4] = words[3076 / 4] as number
    end.kick()
  }
  for (let i = 0; i < 6; i++) harness.send(greedy.id, BATCH_DATA, typed)
  harness.rings.flush()
  for (let i = 0; i < 2; i++) harness.send(modest.id, BATCH_DATA, typed)
  harness.rings.flush()
  await harness.until(() => harness.noted.some(({ connection }) => connection === modest.id))
  const dropped = harness.of(modest.id).filter(({ type }) => type === BATCH_DROPPED)
  expect(dropped[0]?.reqId).toBeGreaterThanOrEqual(WAITING_BYTES - IN_BYTES)
  const words = 'still heard'
  for (const { ring, id } of [greedy, modest]) {
    ring.put(Buffer.from(words))
    ring.end.kick()
    await harness.until(() => harness.of(id).some(({ type }) => type === BATCH_DATA))
  }
  await harness.until(() => {
    read(greedy.ring)
    return harness.of(greedy.id).some(({ type }) => type === BATCH_DRAINED)
  })
  read(modest.ring)
  await harness.settle()
  const before = harness.of(modest.id).filter(({ type }) => type === BATCH_DROPPED).length
  harness.send(modest.id, BATCH_DATA, typed)
  harness.rings.flush()
  await harness.settle()
  expect(harness.of(modest.id).filter(({ type }) => type === BATCH_DROPPED)).toHaveLength(before)
  expect(harness.noted.filter(({ type }) => type === BATCH_BROKEN)).toEqual([])
  harness.close()
})
