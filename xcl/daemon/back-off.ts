/** What fails the first time is tried again after this long. */
const FIRST_MS = 500
/** And never later than this after the last try. */
const LAST_MS = 30_000

/**
 * How long to wait before the next try.
 * @param failures tries in a row that failed, 1 and up
 * @returns ms; doubles from one failure to the next
 */
export function backOffMs(failures: number): number {
  return Math.min(LAST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 10))
}
