/** From here to the hard quota on, each change of what a domain uses is told: all that may wait for it. */
export const SCARCE_BYTES = 256 * 1024

/** Who knows what waits for domains outside of the store, and acts when their memory is used up. */
export interface MemoryWatcher {
  /** Bytes of replies and events that a domain has not taken. */
  queuedBytesOf(domid: number): number
  /** What a domain uses has changed, near its hard quota. */
  memoryScarce(domid: number): void
  /** A domain was refused memory for the first time. */
  memoryExhausted(domid: number): void
}

export const NOBODY_WATCHES: MemoryWatcher = {
  queuedBytesOf: () => 0,
  memoryScarce: () => undefined,
  memoryExhausted: () => undefined,
}
