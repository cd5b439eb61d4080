import { fc, test } from '@fast-check/vitest'
import { expect, onTestFinished, test as plain } from 'vitest'
import { HashIndex } from '../../../lixs/store/hash-index.ts'
import { StateMemory } from '../../../native/os/state-memory.ts'

function anIndex(capacity: number): HashIndex {
  const memory = StateMemory.anonymous(2 ** 26)
  onTestFinished(() => memory.close())
  return new HashIndex(memory, 'index', capacity)
}

function idsOf(index: HashIndex, hash: number): number[] {
  const ids: number[] = []
  for (let id = index.first(hash); id !== 0; id = index.next(id)) {
    if (index.hashOf(id) === hash) ids.push(id)
  }
  return ids.sort((a, b) => a - b)
}

const steps = fc.array(
  fc.record({
    isRemoval: fc.boolean(),
    id: fc.integer({ min: 1, max: 400 }),
    hash: fc.oneof(fc.integer(), fc.integer({ min: 0, max: 7 })),
  }),
  { maxLength: 600, size: 'max' },
)

test.prop([steps])('an index finds exactly what was inserted and not removed', (history) => {
  const memory = StateMemory.anonymous(2 ** 24)
  const index = new HashIndex(memory, 'index', 401)
  const model = new Map<number, number>()
  for (const { isRemoval, id, hash } of history) {
    if (model.has(id)) {
      if (!isRemoval) continue
      index.remove(id)
      model.delete(id)
    } else if (!isRemoval) {
      index.insert(id, hash)
      model.set(id, hash)
    }
  }
  expect(index.size).toBe(model.size)
  for (const hash of new Set(model.values())) {
    const expected = [...model].filter(([, h]) => h === hash).map(([id]) => id)
    expect(idsOf(index, hash)).toEqual(expected.sort((a, b) => a - b))
  }
  memory.close()
})

plain('an index grows by one bucket per insertion, never by a rehash', () => {
  const index = anIndex(5000)
  for (let id = 1; id < 5000; id++) {
    const before = index.bucketCount
    index.insert(id, Math.imul(id, 0x9e3779b1))
    expect(index.bucketCount - before).toBeLessThanOrEqual(1)
  }
  expect(index.bucketCount).toBe(4999)
  for (let id = 1; id < 5000; id++) expect(idsOf(index, Math.imul(id, 0x9e3779b1))).toEqual([id])
})
