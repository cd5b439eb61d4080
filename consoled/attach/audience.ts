/** Somebody who looks at a console. */
export interface ConsoleViewer {
  /** Must not throw and must not wait; the bytes are shared with other viewers. */
  show(bytes: Buffer): void
  /** The guest reads again; go on typing. */
  resumeTyping(): void
  /** The console has vanished. */
  end(): void
}

/** Everybody who looks at one console. */
export class Audience {
  #viewers: ConsoleViewer[] = []

  /** @param history what was said last; shown first */
  add(viewer: ConsoleViewer, history: Buffer): void {
    if (history.length > 0) viewer.show(history)
    this.#viewers.push(viewer)
  }

  remove(viewer: ConsoleViewer): void {
    this.#viewers = this.#viewers.filter((other) => other !== viewer)
  }

  /** The guest said something; the bytes are valid during the call only. */
  show(bytes: Uint8Array, start: number, end: number): void {
    if (this.#viewers.length === 0) return
    const copy = Buffer.from(bytes.subarray(start, end))
    for (const viewer of this.#viewers) viewer.show(copy)
  }

  resumeTyping(): void {
    for (const viewer of this.#viewers) viewer.resumeTyping()
  }

  end(): void {
    const viewers = this.#viewers
    this.#viewers = []
    for (const viewer of viewers) viewer.end()
  }
}
