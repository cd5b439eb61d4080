import { fc, test } from '@fast-check/vitest'
import { expect, test as plain } from 'vitest'
import { MAX_BLOCK_BYTES, ValueArena } from '../../../lixs/store/value-arena.ts'
import { StateMemory } from '../../../native/os/state-memory.ts'

const steps = fc.array(
  fc.record({ isFree: fc.boolean(), pick: fc.nat(), length: fc.integer({ min: 0, max: 5000 }) }),
  { maxLength: 200, size: 'max' },
)

test.prop([steps])('blocks never overlap, keep their bytes, and all come back', (history) => {
  const memory = StateMemory.anonymous(2 ** 25)
  const arena = new ValueArena(memory, 'arena', 2 ** 24)
  const held: { ref: number; bytes: Uint8Array }[] = []
  let fill = 0
  for (const { isFree, pick, length } of history) {
    if (isFree && held.length > 0) {
      const [block] = held.splice(pick % held.length, 1)
      if (block !== undefined) arena.free(block.ref)
      continue
    }
    const bytes = new Uint8Array(length).fill(++fill)
    const ref = arena.store(bytes, 0, length)
    expect(ref === 0).toBe(length === 0)
    held.push({ ref, bytes })
  }
  for (const { ref, bytes } of held) {
    expect(arena.equals(ref, bytes.length, bytes, 0, bytes.length)).toBe(true)
  }
  expect(arena.blocks).toBe(held.filter((block) => block.ref !== 0).length)
  for (const { ref } of held) arena.free(ref)
  expect(arena.blocks).toBe(0)
  expect(arena.slabBytes).toBe(0)
  memory.close()
})

plain('a full arena says so, and freed slabs serve any other size', () => {
  const memory = StateMemory.anonymous(2 ** 22)
  const arena = new ValueArena(memory, 'arena', 2 ** 20)
  const small: number[] = []
  for (let ref = arena.allocate(10); ref !== 0; ref = arena.allocate(10)) small.push(ref)
  expect(small).toHaveLength(15 * 4096)
  expect(arena.allocate(4096)).toBe(0)
  for (const ref of small) arena.free(ref)
  const large: number[] = []
  for (let ref = arena.allocate(4096); ref !== 0; ref = arena.allocate(4096)) large.push(ref)
  expect(large).toHaveLength(15 * 16)
  expect(arena.allocate(MAX_BLOCK_BYTES + 1)).toBe(0)
  memory.close()
})
