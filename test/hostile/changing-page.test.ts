/** A page that is another one after each access to it: whatever is checked is read once, and then used. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { XS_READ, XS_WRITE } from '../../lixs/wire/ops.ts'
import { BATCH_BROKEN } from '../../native/ring-set.ts'
import { encode, type GuestRing } from '../native/guest-ring.ts'
import { RingHarness } from '../native/ring-harness.ts'
import { aFolder } from '../support/a-socket-peer.ts'
import { buildPageChanger, type PageChanger } from './a-page-changer.ts'

/** Words of the page: xen/include/public/io/xs_wire.h. */
const REQ_CONS = 2048
const REQ_PROD = 2052
const RSP_CONS = 2056
const RSP_PROD = 2060
const HEADER = 16

const folder = aFolder()
let changer: PageChanger
let harness: RingHarness
beforeAll(() => {
  changer = buildPageChanger(folder.path)
})
afterAll(() => folder.remove())
beforeEach(() => {
  harness = new RingHarness()
})
afterEach(() => harness.close())

/** Lets the daemon's half look at the ring, one word of it changing all the while. */
async function seen(ring: GuestRing, at: number, first: number, second: number): Promise<void> {
  ring.end.kick()
  changer.begin(ring.end.page, at, first, second)
  await harness.settle()
  // It was looked at, and more than once: else nothing would have changed.
  expect(changer.end()).toBeGreaterThan(2)
}

const BOTH_WAYS = [
  [0, 1],
  [1, 0],
] as const

describe.each(BOTH_WAYS)('the values in turn, %d before %d', (one, other) => {
  test('a length: so much is taken as was checked', async () => {
    const { ring, id } = harness.guest(7)
    const lengths = [16, 40]
    ring.put(encode(XS_WRITE, 1, 0, Buffer.alloc(16, 'a')))
    for (let i = 0; i < 8; i++) ring.put(encode(XS_READ, 2, 0, Buffer.alloc(8, 'b')))
    const put = new DataView(ring.end.page).getUint32(REQ_PROD, true)
    await seen(ring, 12, lengths[one] ?? 0, lengths[other] ?? 0)
    const records = harness.of(id)
    expect(lengths).toContain(records[0]?.payload.length)
    expect(records.every(({ reqId }) => reqId <= 2)).toBe(true)
    const taken = records.reduce((sum, { payload }) => sum + HEADER + payload.length, 0)
    expect(taken).toBe(put)
    expect(ring.unconsumed).toBe(0)
    expect(ring.errorWord).toBe(0)
  })

  test('a length that may not be: it is taken as the one or ends the ring', async () => {
    const { ring, id } = harness.guest(7)
    const lengths = [16, 0x7fff_fff0]
    ring.put(encode(XS_WRITE, 1, 0, Buffer.alloc(16, 'a')))
    await seen(ring, 12, lengths[one] ?? 0, lengths[other] ?? 0)
    const [first, ...more] = harness.of(id)
    expect(more).toEqual([])
    if (first?.type === BATCH_BROKEN) expect(ring.errorWord).toBe(3)
    else expect(first?.payload).toEqual(Buffer.alloc(16, 'a'))
  })

  test('a type: it is never one of those by which native code speaks for itself', async () => {
    const { ring, id } = harness.guest(7)
    const types = [XS_READ, 0xffff_fffe]
    ring.put(encode(XS_READ, 1, 0, Buffer.from('path\0')))
    await seen(ring, 0, types[one] ?? 0, types[other] ?? 0)
    expect(harness.of(id)).toHaveLength(1)
    expect([XS_READ, 0x7fff_ffff]).toContain(harness.of(id)[0]?.type)
  })

  test.each([
    ['producer', REQ_PROD],
    ['consumer', REQ_CONS],
  ])('the %s of the requests: what was asked is taken, or the ring ends', async (_name, at) => {
    const { ring, id } = harness.guest(7)
    const request = encode(XS_READ, 1, 0, Buffer.from('path\0'))
    ring.put(request)
    const right = at === REQ_PROD ? request.length : 0
    const indices = [right, right + 5000]
    await seen(ring, at, indices[one] ?? 0, indices[other] ?? 0)
    const [first, ...more] = harness.of(id)
    const broken = [first, ...more].filter((record) => record?.type === BATCH_BROKEN)
    if (first?.type !== BATCH_BROKEN) expect(first?.payload).toEqual(Buffer.from('path\0'))
    expect(broken.length).toBeLessThanOrEqual(1)
    expect(harness.of(id).length - broken.length).toBeLessThanOrEqual(1)
    if (broken.length > 0) expect(ring.errorWord).toBe(2)
  })

  test.each([
    ['consumer', RSP_CONS],
    ['producer', RSP_PROD],
  ])('the %s of the replies: they go out whole, or the ring ends', async (_name, at) => {
    const { ring, id } = harness.guest(7)
    const indices = [0, 5000]
    harness.send(id, XS_READ, Buffer.alloc(300, 'r'))
    ring.receive()
    const consumed = new DataView(ring.end.page).getUint32(RSP_CONS, true)
    harness.answer = () => harness.send(id, XS_READ, Buffer.alloc(1500, 'r'))
    ring.put(encode(XS_READ, 1, 0, Buffer.from('path\0')))
    await seen(ring, at, consumed + (indices[one] ?? 0), consumed + (indices[other] ?? 0))
    const broken = harness.of(id).filter(({ type }) => type === BATCH_BROKEN)
    expect(broken.length).toBeLessThanOrEqual(1)
    if (broken.length > 0) expect(ring.errorWord).toBe(2)
    // Nobody beside it has noticed.
    const beside = harness.guest(8)
    harness.answer = () => harness.send(beside.id, XS_READ, Buffer.from('fine'))
    beside.ring.send(encode(XS_READ, 5, 0, Buffer.from('path\0')))
    await harness.until(() => beside.ring.waiting === HEADER + 4)
  })
})
