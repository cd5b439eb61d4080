/** What was heard on one connection: the reply to a step, or an event between replies. */
export interface Heard {
  /** Index of the step that is answered; -1 for an event. */
  readonly step: number
  text: string
}

/** Everything that one daemon said to a sequence. */
export class Transcript {
  /** By connection, in the order in which it came. */
  readonly streams = new Map<string, Heard[]>()
  readonly replies = new Map<number, Heard>()
  /** Steps that committed a transaction only when it was repeated: what they were told before. */
  readonly repeated = new Map<number, readonly string[]>()
  /** The whole store afterwards: a node a line. */
  store: readonly string[] = []
  /** The daemon answers no more since this step; -1: it does. */
  endedAt = -1

  /** An event has come. */
  event(on: string, text: string): void {
    this.#stream(on).push({ step: -1, text })
  }

  /** A reply has come; one to a step of a repeated transaction takes the place of the first. */
  reply(on: string, step: number, text: string): void {
    const known = this.replies.get(step)
    if (known !== undefined) {
      known.text = text
      return
    }
    const heard = { step, text }
    this.#stream(on).push(heard)
    this.replies.set(step, heard)
  }

  #stream(on: string): Heard[] {
    const known = this.streams.get(on)
    if (known !== undefined) return known
    const stream: Heard[] = []
    this.streams.set(on, stream)
    return stream
  }
}
