/** What is kept in memory of a console that has no raw log, at most. */
export const HISTORY_BYTES = 16_384
/**
 * Consoles that may keep all of that (16 MiB); later ones keep an eighth. With what else a console takes
 * (4 KiB) ten thousand guests that are not logged stay below 8 KiB each, and as many as there are domids
 * below HISTORY_TOTAL_BYTES.
 */
const FULL_HISTORIES = 1024
/** What the histories of all consoles never exceed. */
export const HISTORY_TOTAL_BYTES = 256 * 2 ** 20

/** @param consoles there are, with the one that asks */
export function historyShare(consoles: number): number {
  return consoles <= FULL_HISTORIES ? HISTORY_BYTES : HISTORY_BYTES / 8
}
