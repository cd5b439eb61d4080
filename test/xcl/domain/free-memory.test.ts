import { expect, test } from 'vitest'
import { FreeMemory } from '../../../xcl/domain/free-memory.ts'
import { NoRoom } from '../../../xcl/output/errors.ts'

/** Xen with so much memory, and how often it was asked. */
function xenWith(freeMemoryKiB: number) {
  const xen = {
    freeMemoryKiB,
    asked: 0,
    host: () => {
      xen.asked++
      const { freeMemoryKiB } = xen
      return { freeMemoryKiB, totalMemoryKiB: 2 ** 30, version: '', cpus: 1, caps: '' }
    },
  }
  return xen
}

test('Xen is asked seldom while there is plenty', () => {
  const xen = xenWith(1_000_000)
  const memory = new FreeMemory(xen)
  for (let guest = 0; guest < 900; guest++) {
    memory.check('demo', 1000)
    xen.freeMemoryKiB -= 1000
  }
  expect(xen.asked).toBe(1)
})

test('the last guest for which there is memory gets it, and no other one', () => {
  const xen = xenWith(10_500)
  const memory = new FreeMemory(xen)
  for (let guest = 0; guest < 10; guest++) {
    memory.check('demo', 1000)
    xen.freeMemoryKiB -= 1000
  }
  expect(() => memory.check('demo', 1000)).toThrow(NoRoom)
  expect(() => memory.check('demo', 1000)).toThrow('demo is to have 0 MiB of memory')
})

test('what ended guests have left is found', () => {
  const xen = xenWith(10_000)
  const memory = new FreeMemory(xen)
  for (let guest = 0; guest < 100; guest++) memory.check('demo', 9000)
  expect(xen.asked).toBe(100)
})
