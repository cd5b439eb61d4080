import { fc, test } from '@fast-check/vitest'
import { describe, expect, it } from 'vitest'
import { ByteRing } from '../../consoled/byte-ring.ts'

describe('ByteRing', () => {
  test.prop([fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 20 })])(
    'keeps the newest bytes of whatever is appended, in order',
    (pieces) => {
      const ring = new ByteRing(5000)
      let all = Buffer.alloc(0)
      for (const piece of pieces) {
        ring.append(piece, 0, piece.length)
        all = Buffer.concat([all, piece])
        expect(ring.copy().equals(all.subarray(-Math.min(all.length, 5000)))).toBe(true)
        expect(ring.size + ring.dropped).toBe(all.length)
      }
    },
  )

  it('takes only the range it is given', () => {
    const ring = new ByteRing(100)
    ring.append(Buffer.from('abcdef'), 2, 4)
    expect(ring.copy().toString()).toBe('cd')
  })

  it('costs nothing before the first byte and after everything was taken', () => {
    const ring = new ByteRing(16_384)
    expect(ring.capacity).toBe(0)
    ring.append(Buffer.from('x'), 0, 1)
    expect(ring.capacity).toBe(1024)
    expect(ring.take().toString()).toBe('x')
    expect([ring.capacity, ring.size, ring.dropped]).toEqual([0, 0, 0])
  })

  it('never grows past its bound', () => {
    const ring = new ByteRing(1500)
    for (let i = 0; i < 10; i++) ring.append(Buffer.alloc(1000, i), 0, 1000)
    expect(ring.capacity).toBe(1500)
  })
})
