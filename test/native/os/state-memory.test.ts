import { describe, expect, test } from 'vitest'
import { reserveMemory } from '../../../native/addon.ts'
import { StateMemory } from '../../../native/os/state-memory.ts'

describe('state memory', () => {
  test('a segment asked for again is the same memory', () => {
    const memory = StateMemory.anonymous(2 ** 30)
    memory.int32('nodes', 10)[3] = 7
    memory.uint8('names', 5000)[4999] = 9
    expect(memory.int32('nodes', 10)[3]).toBe(7)
    expect(memory.uint8('names', 5000)[4999]).toBe(9)
    expect(memory.segment('nodes', 40)).toBe(memory.segment('nodes', 40))
    memory.close()
  })

  test('the directory is found again by whoever gets the same pages', () => {
    const range = reserveMemory(2 ** 30)
    const first = new StateMemory(range)
    first.float64('times', 3).set([1.5, 2.5, 3.5])
    first.int32('more', 1)[0] = 42
    const successor = new StateMemory(range)
    expect([...successor.float64('times', 3)]).toEqual([1.5, 2.5, 3.5])
    expect(successor.int32('more', 1)[0]).toBe(42)
    expect(() => successor.segment('times', 100_000)).toThrow(
      'segment times: 4096 bytes, 102400 wanted',
    )
    range.close()
  })

  test('foreign pages are refused', () => {
    const range = reserveMemory(2 ** 20)
    new Int32Array(range.view(0, 65536))[0] = 1
    expect(() => new StateMemory(range)).toThrow('not ours')
    range.close()
  })

  test('what was reserved is the limit', () => {
    const memory = StateMemory.anonymous(2 ** 20)
    expect(() => memory.segment('big', 2 ** 20)).toThrow('do not fit')
    memory.segment('rest', 2 ** 20 - 65536)
    memory.close()
  })

  test('reserving costs address space, not memory', () => {
    const before = process.memoryUsage.rss()
    const memory = StateMemory.anonymous(2 ** 36)
    const large = memory.uint8('large', 2 ** 31)
    large[2 ** 31 - 1] = 1
    expect(process.memoryUsage.rss() - before).toBeLessThan(2 ** 28)
    memory.close()
  })

  test('views outlive the range; a closed range gives none', () => {
    const range = reserveMemory(2 ** 20)
    const view = new Uint8Array(range.view(4096, 4096))
    view[0] = 5
    range.close()
    range.close()
    expect(view[0]).toBe(5)
    expect(() => range.view(0, 4096)).toThrow('closed')
  })

  test('a view beyond the end or off the pages is refused', () => {
    const range = reserveMemory(2 ** 20)
    expect(() => range.view(2 ** 20, 4096)).toThrow(RangeError)
    expect(() => range.view(4096, 100)).toThrow(RangeError)
    expect(() => range.view(-4096, 4096)).toThrow(RangeError)
    range.close()
  })
})
