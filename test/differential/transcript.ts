/** What was heard on one connection: the reply to a step, or an event between replies. */
export interface Heard {
  /** Index of the step that is answered; -1 for an event. */
  readonly step: number
  /** Which burst of requests on this connection it belongs to, or comes after. */
  readonly burst: number
  text: string
}

interface Stream {
  burst: number
  readonly heard: Heard[]
}

/** Everything that one daemon said to a sequence. */
export class Transcript {
  readonly #streams = new Map<string, Stream>()
  readonly replies = new Map<number, Heard>()
  /** Steps that committed a transaction only when it was repeated: what they were told before. */
  readonly repeated = new Map<number, readonly string[]>()
  /** The whole store afterwards: a node a line. */
  store: readonly string[] = []
  /** The daemon answers no more since this step; -1: it does. */
  endedAt = -1

  get connections(): Iterable<string> {
    return this.#streams.keys()
  }

  /** What was heard on a connection, in the order in which it came. */
  heardOn(on: string): readonly Heard[] {
    return this.#streams.get(on)?.heard ?? []
  }

  /** The same, but for some events. */
  without(dropped: ReadonlySet<Heard>): Transcript {
    const rest = new Transcript()
    rest.store = this.store
    rest.endedAt = this.endedAt
    for (const [step, told] of this.repeated) rest.repeated.set(step, told)
    for (const [on, { burst, heard }] of this.#streams) {
      rest.#streams.set(on, { burst, heard: heard.filter((one) => !dropped.has(one)) })
    }
    for (const [step, reply] of this.replies) rest.replies.set(step, reply)
    return rest
  }

  /** All requests of a connection are answered: what is queued from now on comes after this. */
  burstEnded(on: string): void {
    this.#stream(on).burst++
  }

  /** An event has come. */
  event(on: string, text: string): void {
    const { heard, burst } = this.#stream(on)
    heard.push({ step: -1, burst, text })
  }

  /** A reply has come; one to a step of a repeated transaction takes the place of the first. */
  reply(on: string, step: number, text: string): void {
    const known = this.replies.get(step)
    if (known !== undefined) {
      known.text = text
      return
    }
    const { heard, burst } = this.#stream(on)
    const reply = { step, burst, text }
    heard.push(reply)
    this.replies.set(step, reply)
  }

  #stream(on: string): Stream {
    const known = this.#streams.get(on)
    if (known !== undefined) return known
    const stream = { burst: 0, heard: [] }
    this.#streams.set(on, stream)
    return stream
  }
}
