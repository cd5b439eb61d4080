/**
 * Goes on with a log as it grows: through rotation, truncation, and restarts of who writes it.
 *
 * The file is followed, not the console: it is there whoever writes it and however often that is
 * restarted, it holds the time stamps, and reading it costs the console daemon nothing.
 */
import { type FSWatcher, watch } from 'node:fs'
import { stat } from 'node:fs/promises'
import { closeParts, type LogPart, openLogParts, piecesOf } from './log-files.ts'

/** Between two looks where the kernel does not tell, or there is no file to be told about. */
const LOOK_AGAIN_MS = 250

export interface Follower {
  readonly path: string
  /** Takes a piece of the log, valid until it settles. */
  readonly show: (piece: Buffer) => Promise<void>
  readonly signal: AbortSignal
  /** Calls back after ms. @returns a function that calls it off */
  readonly after: (ms: number, call: () => void) => () => void
}

/**
 * Shows what is written from there on, until the signal is aborted.
 * @param part the newest part, which is closed at the end
 */
export async function followLog(follower: Follower, part: LogPart, offset: number): Promise<void> {
  let current = part
  let at = offset
  let news = new News(follower)
  try {
    while (!follower.signal.aborted) {
      at = await showFrom(follower, current, at)
      const next = await successors(follower.path, current)
      if (next === undefined) {
        await news.come()
        continue
      }
      // It may have been written to between our last read and its end.
      await showFrom(follower, current, at)
      await current.handle.close()
      news.close()
      news = new News(follower)
      at = 0
      const newest = next.pop()
      for (const older of next) await showFrom(follower, older, 0)
      await closeParts(next)
      if (newest !== undefined) current = newest
    }
  } finally {
    news.close()
    await current.handle.close()
  }
}

/** @returns the offset up to which it was shown */
async function showFrom(
  { show, signal }: Follower,
  { handle }: LogPart,
  offset: number,
): Promise<number> {
  const { size } = await handle.stat()
  // Shorter than before: somebody began it anew in place.
  let at = size < offset ? 0 : offset
  for await (const piece of piecesOf(handle, at)) {
    if (signal.aborted) break
    at += piece.length
    await show(piece)
  }
  return at
}

/** The files that came after this one, oldest first; undefined when it is still the newest. */
async function successors(path: string, current: LogPart): Promise<LogPart[] | undefined> {
  const newest = await stat(path).catch(() => undefined)
  if (newest === undefined || newest.ino === current.ino) return undefined
  const parts = await openLogParts(path)
  const own = parts.findIndex(({ ino }) => ino === current.ino)
  // Gone altogether: then only of the newest is it known that nothing of it was shown.
  const keep = own === -1 ? parts.length - 1 : own + 1
  await closeParts(parts.slice(0, keep))
  return keep < parts.length ? parts.slice(keep) : undefined
}

/** What happens to a file. */
class News {
  readonly #follower: Follower
  readonly #watcher: FSWatcher | undefined
  #hasCome = false
  #isMoved = false
  #wake: () => void = () => undefined

  constructor(follower: Follower) {
    this.#follower = follower
    try {
      this.#watcher = watch(follower.path, { persistent: false })
    } catch {
      // No file for the moment, or no room for one more watch.
      this.#watcher = undefined
    }
    this.#watcher?.on('change', (event) => {
      this.#isMoved ||= event === 'rename'
      this.#come()
    })
    this.#watcher?.on('error', () => this.#come())
  }

  /** Settles when there may be something new since the last call, or the signal is aborted. */
  async come(): Promise<void> {
    const { signal, after } = this.#follower
    if (!this.#hasCome && !signal.aborted) {
      await new Promise<void>((resolve) => {
        // Of a file that is moved away it is not told when another one takes its place.
        const isTold = this.#watcher !== undefined && !this.#isMoved
        const callOff = isTold ? () => undefined : after(LOOK_AGAIN_MS, resolve)
        this.#wake = () => {
          callOff()
          resolve()
        }
        signal.addEventListener('abort', this.#wake, { once: true })
      })
      signal.removeEventListener('abort', this.#wake)
    }
    this.#hasCome = false
  }

  close(): void {
    this.#watcher?.close()
  }

  #come(): void {
    this.#hasCome = true
    this.#wake()
  }
}
