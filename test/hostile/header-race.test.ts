/** What was checked is what counts: pages that change while they are read, and after it. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { XS_READ, XS_WRITE } from '../../lixs/wire/ops.ts'
import { decode, encode, type WireMessage } from '../native/guest-ring.ts'
import { RingHarness } from '../native/ring-harness.ts'
import { aFolder } from '../support/a-socket-peer.ts'
import type { TappedGuest } from '../support/a-tapped-guest.ts'
import { BesiegedProcess, type Victim } from './a-besieged-process.ts'
import { PageFlipper } from './a-page-flipper.ts'

const RING = 1024
/** A header and a payload of the same length, so that each header begins at a multiple of it. */
const MESSAGE = 32

const folder = aFolder()
let flipper: PageFlipper
beforeAll(() => {
  flipper = new PageFlipper(folder.path)
})
afterAll(() => folder.remove())

test('what the guest does to its page while a batch is handled changes nothing of the batch', async () => {
  const harness = new RingHarness()
  const { ring, id } = harness.guest(7)
  harness.answer = () => {
    // All that the daemon has taken, and where it would put its replies.
    new Uint8Array(ring.end.page)
      .fill(0xff, 0, 4 * MESSAGE - ring.unconsumed)
      .fill(0xff, RING, 2 * RING)
  }
  for (let i = 0; i < 4; i++) ring.put(encode(XS_WRITE, i, 0, Buffer.from(`path\0the-value-${i}`)))
  ring.end.kick()
  await harness.until(() => harness.of(id).length === 4)
  expect(harness.of(id).map(({ type, reqId, payload }) => [type, reqId, String(payload)])).toEqual(
    [0, 1, 2, 3].map((i) => [XS_WRITE, i, `path\0the-value-${i}`]),
  )
  harness.close()
})

describe('a page that another processor changes meanwhile', () => {
  let siege: BesiegedProcess
  afterEach(() => siege.stop())

  test.each([
    ['into what native code tells of itself', 0xffff_fffe],
    ['into a request of the toolstack', 0],
  ])('types %s: each request is answered once, as one or the other', async (_what, other) => {
    siege = await BesiegedProcess.start()
    const victim = await siege.victim()
    const guest = await siege.guest()
    const flipping = await flip(siege, guest, 0, [XS_READ, other])
    const count = 1000
    const replies = await exchanged(guest, count, victim)
    await flipping.stop()
    expect(replies).toHaveLength(count)
    const kinds = new Set(replies.map(kindOf))
    const allowed = ['16 ENOENT\0', '16 ENOSYS\0', '16 EACCES\0']
    expect([...kinds].filter((kind) => !allowed.includes(kind))).toEqual([])
    expect((await guest.ring()).error).toBe(0)
    await siege.destroy(guest)
    await victim.isServed()
    victim.close()
  })

  test('lengths: a request is served as it was checked, or ends the ring', async () => {
    siege = await BesiegedProcess.start()
    const victim = await siege.victim()
    await victim.isServed()
    const before = await siege.kept()
    const guest = await siege.guest()
    const flipping = await flip(siege, guest, 12, [MESSAGE - 16, 0x7fff_ffff])
    const socket = await guest.connect()
    let replies = Buffer.alloc(0)
    socket.on('data', (bytes) => {
      replies = Buffer.concat([replies, bytes])
    })
    const errors = new Set<number>()
    for (let round = 0; round < 25; round++) {
      socket.write(requests(20))
      await victim.isServed()
      errors.add((await guest.ring()).error)
      await siege.tool.introduce(guest.domid, guest.gfn, guest.port)
    }
    await flipping.stop()
    socket.destroy()
    expect([...errors].filter((error) => error !== 0 && error !== 3)).toEqual([])
    // A length that was not the checked one would make another request of it.
    const { messages, rest } = decode(replies)
    expect(new Set(messages.map(kindOf))).toEqual(new Set(['16 ENOENT\0']))
    expect(rest).toHaveLength(0)
    await siege.destroy(guest)
    await victim.isServed()
    await expect.poll(() => siege.kept()).toEqual(before)
    expect(siege.log).not.toContain('a defect')
    victim.close()
  })
})

const kindOf = ({ type, payload }: WireMessage): string => `${type} ${Buffer.from(payload)}`

function requests(count: number): Buffer {
  const payload = Buffer.from('none-of-15-byte\0')
  return Buffer.concat(Array.from({ length: count }, () => encode(XS_READ, 1, 0, payload)))
}

/** Sends requests and takes the replies, the victim being served all the while. */
async function exchanged(
  guest: TappedGuest,
  count: number,
  victim: Victim,
): Promise<WireMessage[]> {
  const socket = await guest.connect()
  const replies: WireMessage[] = []
  let stream = Buffer.alloc(0)
  const isAll = new Promise<void>((resolve) => {
    socket.on('data', (bytes) => {
      const { messages, rest } = decode(Buffer.concat([stream, bytes]))
      stream = Buffer.from(rest)
      replies.push(...messages)
      if (replies.length >= count) resolve()
    })
  })
  socket.write(requests(count))
  for (let i = 0; i < 5; i++) await victim.isServed()
  await isAll
  socket.destroy()
  return replies
}

/**
 * Writes two values in turn to one word of each header that may lie in a guest's ring, as fast as a processor
 * can. The guest's page is found in the machine's memory by what the guest has just sent.
 */
async function flip(
  siege: BesiegedProcess,
  guest: TappedGuest,
  word: number,
  values: readonly [number, number],
): Promise<{ stop(): Promise<void> }> {
  const mark = `mark-${String(guest.domid).padStart(9, '0')}`
  const socket = await guest.connect()
  const answered = new Promise((resolve) => socket.once('data', resolve))
  socket.write(encode(XS_READ, 1, 0, Buffer.from(`${mark}-\0`)))
  await answered
  socket.destroy()
  const offsets = Array.from({ length: RING / MESSAGE }, (_, i) => i * MESSAGE + word)
  const { pid } = siege.simulator
  const flipping = await flipper.flip({ pid, mark, values, offsets })
  return {
    async stop() {
      expect(await flipping.stop()).toEqual([0, null])
    },
  }
}
