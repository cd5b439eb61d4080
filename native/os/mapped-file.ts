import { mapFile, reserveMemory } from '../addon.ts'
import type { MemoryRange } from './state-memory.ts'

/**
 * The first bytes (a multiple of 4,096) of an open file, as memory that a later process finds as it was
 * left; the caller closes the descriptor. Without one: memory that goes with the process.
 */
export function mapPages(fd: number | undefined, bytes: number): MemoryRange {
  return fd === undefined ? reserveMemory(bytes) : mapFile(fd, bytes)
}
