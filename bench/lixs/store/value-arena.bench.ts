/** Bytes of values: stored, written over, compared, copied, given back. */
import { ValueArena } from '../../../lixs/store/value-arena.ts'
import { StateMemory } from '../../../native/os/state-memory.ts'
import type { Case, Cases } from '../../report/measure.ts'
import { must } from './a-host.ts'

const TIMES = 256
const ARENA_BYTES = 2 ** 26
/** A state, a uuid's path, and the largest value. */
const SIZES = [8, 60, 4000] as const

export function valueArenaCases(): Cases {
  const memory = StateMemory.anonymous()
  const arena = new ValueArena(memory, 'bench.arena', ARENA_BYTES)
  const from = new Uint8Array(4096).fill(0x61)
  const into = new Uint8Array(4096)
  const refs = new Int32Array(TIMES)
  const cases = SIZES.flatMap((bytes): Case[] => {
    const kept = arena.store(from, 0, bytes)
    return [
      {
        name: `${bytes} bytes stored and freed`,
        operations: TIMES,
        run() {
          for (let i = 0; i < TIMES; i++) refs[i] = arena.store(from, 0, bytes)
          for (const ref of refs) arena.free(ref)
        },
      },
      {
        name: `${bytes} bytes written over`,
        operations: TIMES,
        run() {
          for (let i = 0; i < TIMES; i++) {
            must(arena.fits(bytes, bytes), 'fits')
            arena.overwrite(kept, from, 0, bytes)
          }
        },
      },
      {
        name: `${bytes} bytes compared and copied`,
        operations: TIMES,
        run() {
          for (let i = 0; i < TIMES; i++) {
            must(arena.equals(kept, bytes, from, 0, bytes), 'equals')
            arena.copyTo(kept, bytes, into, 0)
          }
        },
      },
    ]
  })
  return { cases, close: () => memory.close() }
}
