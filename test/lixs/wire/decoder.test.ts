import { fc, test } from '@fast-check/vitest'
import { describe, expect } from 'vitest'
import { Decoder, OversizedPacket } from '../../../lixs/wire/decoder.ts'
import { Encoder, encodePacket } from '../../../lixs/wire/encoder.ts'
import type { Packet } from '../../../lixs/wire/packet.ts'

const u32 = fc.nat({ max: 0xffffffff })
const packet = fc.record({
  type: u32,
  reqId: u32,
  txId: u32,
  payload: fc.uint8Array({ maxLength: 4096, size: 'large' }),
})

/** Cuts bytes into fragments of the given lengths, the rest last. */
function* fragments(bytes: Uint8Array, lengths: readonly number[]): Generator<Uint8Array> {
  let at = 0
  for (const length of lengths) {
    yield bytes.subarray(at, at + length)
    at += length
  }
  yield bytes.subarray(at)
}

function plain({ type, reqId, txId, payload }: Packet): unknown {
  return { type, reqId, txId, payload: [...payload] }
}

describe('Decoder', () => {
  test.prop([fc.array(packet, { maxLength: 8 }), fc.array(fc.nat({ max: 5000 }))])(
    'gives back what was encoded, however the stream is cut',
    (packets, lengths) => {
      const encoder = new Encoder()
      for (const { type, reqId, txId, payload } of packets) {
        encoder.add(type, reqId, txId, [payload])
      }
      const decoder = new Decoder()
      const seen = [...fragments(encoder.take(), lengths)].flatMap((part) => decoder.push(part))
      expect(seen.map(plain)).toEqual(packets.map(plain))
    },
  )

  test('a message without payload is complete with its header', () => {
    const decoder = new Decoder()
    const bytes = encodePacket(23, 1, 0)
    expect(decoder.push(bytes.subarray(0, 15))).toEqual([])
    expect(decoder.push(bytes.subarray(15))).toHaveLength(1)
  })

  test('payloads stay as they were when the fragment is used again', () => {
    const bytes = encodePacket(2, 0, 0, Buffer.from('value'))
    const [first] = new Decoder().push(bytes)
    bytes.fill(0)
    expect(Buffer.from(first?.payload ?? []).toString()).toBe('value')
  })

  test('a length above 4096 ends the stream before any of the payload has come', () => {
    const header = encodePacket(2, 0, 0).fill(0)
    header.writeUInt32LE(4097, 12)
    expect(() => new Decoder().push(header)).toThrow(OversizedPacket)
  })
})
