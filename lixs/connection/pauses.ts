import { CONNECTION_PAUSED, CONNECTION_WORDS, type RingSet } from '../../native/ring-set.ts'

/** Bits of CONNECTION_PAUSED: why nothing is read from a connection. */
/** A live update waits for the end of open transactions. */
export const PAUSE_LIVE_UPDATE = 1
/** Its request would spoil a guarded transaction. */
export const PAUSE_GUARD = 2
/** Its domain's memory is used up. */
export const PAUSE_MEMORY = 4

/** Nothing more is read from the connection for this reason. */
export function pause(
  { connections }: Pick<RingSet, 'connections'>,
  id: number,
  why: number,
): void {
  const at = id * CONNECTION_WORDS + CONNECTION_PAUSED
  connections[at] = (connections[at] as number) | why
}

/** @returns false: it was not paused for this reason */
export function unpause(
  { connections }: Pick<RingSet, 'connections'>,
  id: number,
  why: number,
): boolean {
  const at = id * CONNECTION_WORDS + CONNECTION_PAUSED
  const before = connections[at] as number
  connections[at] = before & ~why
  return (before & why) !== 0
}
