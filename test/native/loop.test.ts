/** A set of rings waits where the process's loop would wait; everything else on the loop goes on. */
import { once } from 'node:events'
import { createConnection, createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { encode } from './guest-ring.ts'
import { RingHarness } from './ring-harness.ts'

type Guest = ReturnType<RingHarness['guest']>

const READ = 2
const REQUEST = encode(READ, 1, 0, Buffer.from('domid\0'))

function aSet(): RingHarness {
  const harness = new RingHarness({ maxConnections: 8 })
  onTestFinished(() => harness.close())
  return harness
}

/** Every request is answered, and the next one is there when the turn of the loop has ended. */
function askWithoutEnd(harness: RingHarness): { readonly answered: () => number } {
  const { ring, id } = harness.guest(1)
  let isOver = false
  onTestFinished(() => {
    isOver = true
  })
  harness.answer = (record) => {
    if (record.connection !== id) return
    harness.send(id, READ, Buffer.from('1'))
    queueMicrotask(() => {
      ring.receive()
      if (!isOver) ring.send(REQUEST)
    })
  }
  ring.send(REQUEST)
  return { answered: () => harness.of(id).length }
}

async function heardOverSocket(): Promise<string> {
  const server = createServer((socket) => socket.end('heard'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const socket = createConnection(address.port, '127.0.0.1')
  const [bytes] = await once(socket, 'data')
  socket.destroy()
  server.close()
  return String(bytes)
}

test('while requests follow each other at once, everything else in the process has its turn', async () => {
  const harness = aSet()
  const { answered } = askWithoutEnd(harness)
  await harness.until(() => answered() > 0)
  const before = answered()
  await new Promise<void>((resolve) => setTimeout(resolve, 1))
  await new Promise<void>((resolve) => setImmediate(resolve))
  await new Promise<void>((resolve) => setImmediate(resolve).unref())
  expect(await heardOverSocket()).toBe('heard')
  expect(answered()).toBeGreaterThan(before)
})

/** Asks when the process has nothing else to do; comes back when the request has been noted. */
async function askFromSleep(harness: RingHarness, guest: Guest): Promise<void> {
  const noted = new Promise<void>((resolve) => {
    harness.answer = (record) => {
      if (record.connection === guest.id) resolve()
    }
  })
  setTimeout(() => guest.ring.send(REQUEST), 1)
  await noted
}

test('all sets of a loop are served, although one of them only waits in its stead', async () => {
  const [first, second] = [aSet(), aSet()]
  const [one, two] = [first.guest(1), second.guest(1)]
  for (let i = 1; i <= 3; i++) {
    await askFromSleep(second, two)
    await askFromSleep(first, one)
  }
  expect([first.of(one.id).length, second.of(two.id).length]).toEqual([3, 3])
})

test('the others are served when the one that has waited is closed, and so is a new one', async () => {
  const [first, second] = [aSet(), aSet()]
  const guest = second.guest(1)
  first.rings.close()
  await askFromSleep(second, guest)
  const third = aSet()
  const last = third.guest(1)
  await askFromSleep(third, last)
  await askFromSleep(second, guest)
  expect([second.of(guest.id).length, third.of(last.id).length]).toEqual([2, 1])
})

test('a set that is closed in a batch of its own leaves the loop to the others', async () => {
  const [first, second] = [aSet(), aSet()]
  const { ring, id } = first.guest(1)
  first.answer = (record) => {
    if (record.connection === id) first.rings.close()
  }
  ring.send(REQUEST)
  await first.until(() => first.of(id).length === 1)
  expect(await heardOverSocket()).toBe('heard')
  const other = second.guest(2)
  await askFromSleep(second, other)
  expect(second.of(other.id)).toHaveLength(1)
})
