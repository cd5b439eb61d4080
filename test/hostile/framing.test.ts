/** Messages that are too long, that never end, or that come in pieces. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  XS_DIRECTORY,
  XS_GET_DOMAIN_PATH,
  XS_READ,
  XS_SET_PERMS,
  XS_TRANSACTION_START,
  XS_WATCH,
  XS_WRITE,
} from '../../lixs/wire/ops.ts'
import { encode } from '../native/guest-ring.ts'
import { ATTACKER, type Kept, lineOf, Siege, settle } from './a-siege.ts'

const PROTOCOL = 3

let siege: Siege
let before: Kept
beforeAll(async () => {
  siege = await Siege.begin()
  await siege.isReleased(await siege.attacker())
  before = await siege.kept()
})
afterAll(() => siege.stop())

const request = (type: number, text: string): Buffer =>
  encode(type, 1, 0, Buffer.from(text.replaceAll('|', '\0')))

/** A header that promises more than it may. */
function header(len: number): Buffer {
  const bytes = encode(XS_WRITE, 1, 0, Buffer.alloc(0))
  bytes.writeUInt32LE(len, 12)
  return bytes
}

describe.each([
  4097, 5000, 0x7fff_ffff, 0x8000_0000, 0xffff_fff0, 0xffff_ffff,
])('a request that says it has %d bytes', (len) => {
  test.each([0, 1, 12, 15])('ends the ring, its header cut at %d', async (cut) => {
    const attacker = await siege.attacker()
    if (cut > 0) {
      attacker.ring.send(header(len).subarray(0, cut))
      await settle()
      expect(attacker.ring.errorWord).toBe(0)
    }
    attacker.ring.send(header(len).subarray(cut))
    attacker.ring.send(Buffer.alloc(500, 'x'))
    await settle()
    expect(attacker.ring.errorWord).toBe(PROTOCOL)
    expect(attacker.ring.waiting).toBe(0)
    await siege.victimIsServed()
    await siege.isReleased(attacker)
    await siege.isOver(before)
  })
})

test('the longest request there may be is taken, through a ring that is shorter', async () => {
  const attacker = await siege.attacker()
  const payload = `data/x\0${'v'.repeat(4096 - 7)}`
  await attacker.kernel.put(encode(XS_WRITE, 1, 0, Buffer.from(payload)))
  // Beyond what a node may have: that is an answer, and no broken ring.
  expect(lineOf(await attacker.kernel.next())).toBe('ERROR ENOSPC|')
  expect(attacker.ring.errorWord).toBe(0)
  await siege.isReleased(attacker)
  await siege.isOver(before)
})

const HALF = request(XS_WRITE, 'data/x|a value that never comes')
test.each([
  1,
  4,
  15,
  16,
  17,
  HALF.length - 1,
])('a request of which %d bytes come is waited for, and goes with its guest', async (sent) => {
  const attacker = await siege.attacker()
  attacker.ring.send(HALF.subarray(0, sent))
  await settle()
  for (let i = 0; i < 3; i++) await siege.victimIsServed()
  expect(attacker.ring.waiting).toBe(0)
  expect(attacker.ring.unconsumed).toBe(0)
  await siege.dies(attacker)
  await siege.isOver(before)
})

test('half a request is forgotten when the domain is introduced again', async () => {
  const attacker = await siege.attacker()
  attacker.ring.send(HALF.subarray(0, 20))
  await settle()
  await siege.tool.introduce(ATTACKER, 1, attacker.kernel.end.port)
  expect(await attacker.kernel.ask(XS_GET_DOMAIN_PATH, '5|')).toBe('/local/domain/5|')
  await siege.isReleased(attacker)
  await siege.isOver(before)
})

/** Typical requests, and what each is answered with, also when it is asked again and again. */
const TYPICAL: readonly (readonly [name: string, bytes: Buffer, answers: readonly string[]])[] = [
  ['READ', request(XS_READ, 'name|'), ['READ attacker']],
  ['WRITE', request(XS_WRITE, 'data/x|some value'), ['WRITE OK|']],
  ['DIRECTORY', request(XS_DIRECTORY, '/local/domain/7/data|'), ['DIRECTORY x|']],
  ['SET_PERMS', request(XS_SET_PERMS, 'data/x|n7|r1|'), ['SET_PERMS OK|']],
  ['WATCH', request(XS_WATCH, 'data|t|'), ['ERROR EEXIST|']],
  ['an empty payload', request(XS_TRANSACTION_START, ''), ['ERROR ENOSPC|']],
  [
    'two requests',
    Buffer.concat([request(XS_READ, 'name|'), request(XS_GET_DOMAIN_PATH, '9|')]),
    ['READ attacker', 'GET_DOMAIN_PATH /local/domain/9|'],
  ],
]

test.each(TYPICAL)('%s is the same wherever it is cut in two', async (_name, bytes, answers) => {
  const attacker = await siege.attacker()
  const { kernel, ring } = attacker
  const home = `/local/domain/${ATTACKER}`
  await siege.tool.write(`${home}/name`, 'attacker')
  await siege.tool.write(`${home}/data/x`, '1')
  await kernel.ask(XS_WATCH, '/nowhere|t|')
  await kernel.next()
  await kernel.ask(XS_WATCH, 'data|t|')
  await kernel.next()
  // So that opening one more is refused, each time.
  for (let i = 1; i <= 10; i++) expect(await kernel.ask(XS_TRANSACTION_START, '|')).toBe(`${i}|`)
  const replies = async (): Promise<string[]> => {
    const lines: string[] = []
    while (lines.length < answers.length) {
      const line = lineOf(await kernel.next())
      if (!line.startsWith('EVENT')) lines.push(line)
    }
    return lines
  }
  for (let cut = 0; cut <= bytes.length; cut++) {
    ring.send(bytes.subarray(0, cut))
    await settle(2)
    ring.send(bytes.subarray(cut))
    expect(await replies(), `cut at ${cut}`).toEqual(answers)
  }
  for (const byte of bytes) {
    ring.send(Uint8Array.of(byte))
    await settle(1)
  }
  expect(await replies(), 'byte by byte').toEqual(answers)
  await siege.isReleased(attacker)
  await siege.isOver(before)
})
