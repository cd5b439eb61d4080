import { fc, test } from '@fast-check/vitest'
import { describe, expect, it } from 'vitest'
import { Backlog } from '../../../consoled/tty/backlog.ts'

function appendText(backlog: Backlog, text: string): void {
  const bytes = Buffer.from(text, 'latin1')
  backlog.append(bytes, 0, bytes.length)
}

describe('Backlog', () => {
  test.prop([
    fc.array(fc.tuple(fc.uint8Array({ maxLength: 2048 }), fc.nat({ max: 4096 })), {
      maxLength: 30,
    }),
  ])('gives back what it was given, as long as it never gets too much', (steps) => {
    const backlog = new Backlog(undefined)
    const given: Uint8Array[] = []
    const taken: Uint8Array[] = []
    for (const [bytes, count] of steps) {
      backlog.append(bytes, 0, bytes.length)
      given.push(bytes)
      const part = Buffer.from(backlog.peek().subarray(0, count))
      taken.push(part)
      backlog.consume(part.length)
    }
    taken.push(Buffer.from(backlog.peek()))
    expect(Buffer.concat(taken).equals(Buffer.concat(given))).toBe(true)
  })

  it('keeps how it began and what came last when nobody reads', () => {
    const backlog = new Backlog(100)
    appendText(backlog, 'first '.padEnd(50, 'a'))
    appendText(backlog, 'm'.repeat(75))
    expect(backlog.size).toBe(125)
    appendText(backlog, ' last'.padStart(50, 'z'))
    expect(backlog.size).toBe(100)
    const kept = Buffer.from(backlog.peek()).toString('latin1')
    expect(kept).toBe('first '.padEnd(50, 'a') + ' last'.padStart(50, 'z'))
  })

  test.prop([
    fc.array(fc.nat({ max: 2048 }), { maxLength: 100 }),
    fc.integer({ min: 1, max: 9999 }),
  ])('never holds more than a quarter above its limit', (sizes, limit) => {
    const backlog = new Backlog(limit)
    for (const size of sizes) {
      backlog.append(Buffer.alloc(size), 0, size)
      expect(backlog.size).toBeLessThanOrEqual(limit * 1.25)
    }
  })

  it('is full at its limit', () => {
    const backlog = new Backlog(10)
    appendText(backlog, '123456789')
    expect(backlog.isFull).toBe(false)
    appendText(backlog, '0')
    expect(backlog.isFull).toBe(true)
  })
})
