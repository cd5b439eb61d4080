/** Somebody who looks at a console. */
export interface ConsoleViewer {
  /** Undefined: only looks. */
  readonly writes: 'shared' | 'exclusive' | undefined
  /** Who it is, in a sentence. */
  readonly by: string
  /** Its socket is full: it comes back for what it did not get. */
  readonly isBehind: boolean
  /** Must not throw and must not wait; the bytes are shared with other viewers. */
  show(bytes: Buffer): void
  /** Positions are others from here on: who counts by them begins anew. */
  loseCount(): void
  /** The guest reads again; go on typing. */
  resumeTyping(): void
  /** The console has vanished. */
  end(): void
}

/** Everybody who looks at one console. */
export class Audience {
  #viewers: ConsoleViewer[] = []

  get isEmpty(): boolean {
    return this.#viewers.length === 0
  }

  add(viewer: ConsoleViewer): void {
    this.#viewers.push(viewer)
  }

  remove(viewer: ConsoleViewer): void {
    this.#viewers = this.#viewers.filter((other) => other !== viewer)
  }

  /**
   * Whether one more may type.
   * @returns why not, without the domain: `is written by xcl:7,pts/3 alone`
   */
  whyNoWriter(isExclusive: boolean): string | undefined {
    const writers = this.#viewers.filter(({ writes }) => writes !== undefined)
    const alone = writers.find(({ writes }) => writes === 'exclusive')
    if (alone !== undefined) return `is written by ${alone.by} alone`
    const [first, ...others] = writers
    if (!isExclusive || first === undefined) return undefined
    const more = others.length === 0 ? '' : ` and ${others.length} more`
    return `is written by ${first.by}${more}`
  }

  /** The guest said something; the bytes are valid during the call only. */
  show(bytes: Uint8Array, start: number, end: number): void {
    let copy: Buffer | undefined
    for (const viewer of this.#viewers) {
      if (viewer.isBehind) continue
      // One for all of them.
      copy ??= Buffer.from(bytes.subarray(start, end))
      viewer.show(copy)
    }
  }

  loseCount(): void {
    for (const viewer of this.#viewers) viewer.loseCount()
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
