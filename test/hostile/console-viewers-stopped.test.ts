/**
 * A hundred viewers of one console, half of which stand still: consoled as a process on the simulated machine,
 * sockets that nobody reads. What the guest prints is more than a socket and consoled's part of it hold, so
 * whoever waited for a viewer would be seen: nothing would come any more.
 */
import { readFileSync } from 'node:fs'
import { createConnection, type Socket } from 'node:net'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { attachRequest, parseAttachAnswer } from '../../consoled/attach/client.ts'
import type { Domid } from '../../native/hypervisor.ts'
import type { Printed } from '../../native/simulator/control.ts'
import { type BesiegingGuest, ConsoleSiege, loggedBytes } from './a-console-siege.ts'

// Programs are started from their sources, for each test.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const READERS = 50
const STOPPED = 50
/** Of 64 bytes each: half a MiB; a unix socket of Linux holds some 200 KiB. */
const LINES = 8000

/** Somebody who looks from the first byte on; what it has seen is counted, not kept. */
class Viewer {
  readonly socket: Socket
  bytes = 0
  crc32 = 0
  isAttached = false
  #head = Buffer.alloc(0)

  constructor(path: string, domid: Domid) {
    this.socket = createConnection(path)
    this.socket.write(attachRequest(domid, { writes: 'shared', tailBytes: 0 }))
    this.socket.on('data', (bytes: Buffer) => {
      if (this.isAttached) return this.#see(bytes)
      this.#head = Buffer.concat([this.#head, bytes])
      const answer = parseAttachAnswer(this.#head)
      if (answer?.kind !== 'ok') return
      this.isAttached = true
      this.#see(this.#head.subarray(answer.length))
    })
  }

  #see(bytes: Buffer): void {
    this.bytes += bytes.length
    this.crc32 = crc32(bytes, this.crc32)
  }
}

let siege: ConsoleSiege
let guest: BesiegingGuest
let neighbour: BesiegingGuest
beforeEach(async () => {
  siege = await ConsoleSiege.begin()
  await siege.startConsoled()
  guest = await siege.guest('print')
  neighbour = await siege.guest('print')
})
afterEach(() => siege.stop())

/** Settles when it is so; the machine is asked meanwhile. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await siege.simulator.printing()
}

async function attached(count: number, to: BesiegingGuest): Promise<Viewer[]> {
  const viewers = Array.from({ length: count }, () => new Viewer(siege.attachPath, to.domid))
  await until(() => viewers.every(({ isAttached }) => isAttached))
  return viewers
}

async function printedBy({ domid }: BesiegingGuest): Promise<Printed> {
  const printed = (await siege.simulator.printed()).find((one) => one.domid === domid)
  if (printed === undefined) throw new Error(`guest ${domid} does not print`)
  return printed
}

test('neither the guest nor who reads loses a byte, and who goes on finds all of it', async () => {
  const readers = await attached(READERS, guest)
  const stopped = await attached(STOPPED, guest)
  const [beside] = await attached(1, neighbour)
  for (const { socket } of stopped) socket.pause()
  await siege.simulator.print(LINES)
  await until(() => readers.every(({ bytes }) => bytes >= LINES * 64))
  await until(() => loggedBytes(neighbour) >= LINES * 64)
  await until(() => (beside?.bytes ?? 0) >= LINES * 64)
  const { lines, bytes, crc32: sum } = await printedBy(guest)
  expect(lines).toBe(LINES)
  const logged = readFileSync(guest.logPath)
  expect([logged.length, crc32(logged)]).toEqual([bytes, sum])
  for (const reader of readers) expect([reader.bytes, reader.crc32]).toEqual([bytes, sum])
  const besides = await printedBy(neighbour)
  expect([beside?.bytes, beside?.crc32]).toEqual([besides.bytes, besides.crc32])
  for (const viewer of stopped) expect(viewer.bytes).toBe(0)
  // Half of them go without having read a byte; the others go on, and come to the same end.
  const gone = stopped.splice(0, STOPPED / 2)
  for (const { socket } of gone) socket.destroy()
  for (const { socket } of stopped) socket.resume()
  await until(() => stopped.every((viewer) => viewer.bytes >= bytes))
  for (const viewer of stopped) expect([viewer.bytes, viewer.crc32]).toEqual([bytes, sum])
  for (const { socket } of [...readers, ...stopped]) socket.destroy()
  beside?.socket.destroy()
})
