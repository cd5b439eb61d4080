/**
 * A request's whole way through the daemon: off the ring, its path looked up, walked, handled, and the reply on the
 * ring. One full ring, and 32 of them side by side.
 */
import { XS_ERROR, XS_READ, XS_WRITE } from '../../../lixs/wire/ops.ts'
import { aDaemon } from '../../../test/support/a-daemon.ts'
import { FULL, FullRing, turnUntil } from '../../native/full-ring.ts'
import type { Case, Cases } from '../../report/measure.ts'
import { must } from '../store/a-host.ts'

const RINGS = 32
const HEADER_BYTES = 16
const VALUE = 'sixteen bytes ..'
const digits = (i: number) => String(i).padStart(2, '0')

/** A kind of request, and what comes back of each. */
interface Asked {
  readonly type: number
  readonly payloadOf: (i: number) => string
  readonly replyType: number
  readonly replyBytes: number
}

const READ: Asked = {
  type: XS_READ,
  payloadOf: (i) => `data/to-read-${digits(i)}\0`,
  replyType: XS_READ,
  replyBytes: VALUE.length,
}
const WRITE: Asked = {
  type: XS_WRITE,
  payloadOf: (i) => `data/key-${digits(i)}\0${digits(i)}23`,
  replyType: XS_WRITE,
  replyBytes: 'OK\0'.length,
}
const READ_NOTHING: Asked = {
  type: XS_READ,
  payloadOf: (i) => `none/to-read-${digits(i)}\0`,
  replyType: XS_ERROR,
  replyBytes: 'ENOENT\0'.length,
}

export async function batchCases(): Promise<Cases> {
  const daemon = aDaemon()
  const tool = await daemon.connect()
  const guests: FullRing[] = []
  for (let domid = 1; domid <= RINGS; domid++) {
    const data = `/local/domain/${domid}/data`
    const { end } = daemon.guest(domid)
    await tool.introduce(domid, 0, end.port)
    await tool.mkdir(data)
    await tool.setPerms(data, [`n${domid}`])
    for (let i = 0; i < FULL; i++) {
      await tool.write(`${data}/to-read-${digits(i)}`, VALUE)
      await tool.write(`${data}/key-${digits(i)}`, '0000')
    }
    guests.push(new FullRing(end))
  }
  const one = guests.slice(0, 1)
  return {
    cases: [
      caseOf('READ, 32 rings', guests, READ),
      caseOf('WRITE, 32 rings', guests, WRITE),
      caseOf('READ of no node, 32 rings', guests, READ_NOTHING),
      caseOf('READ, 1 ring', one, READ),
      caseOf('WRITE, 1 ring', one, WRITE),
    ],
    close: () => daemon.stop(),
  }
}

function caseOf(name: string, guests: readonly FullRing[], asked: Asked): Case {
  const bytes = FULL * (HEADER_BYTES + asked.replyBytes)
  const run = async () => {
    for (const guest of guests) guest.prepare(asked.type, asked.payloadOf)
    for (const guest of guests) guest.ask()
    await turnUntil(() => guests.every((guest) => guest.isTaken && guest.waiting >= bytes))
    for (const guest of guests) {
      must(guest.waiting === bytes && guest.firstType === asked.replyType, name)
      guest.take()
    }
  }
  return { name, operations: guests.length * FULL, run }
}
