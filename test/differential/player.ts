/**
 * Takes the steps of a sequence with one daemon, one after the other, and writes down what was heard.
 *
 * Successive requests of one connection leave together, as a burst; another connection comes only
 * when all of them are answered. An event that the daemon owes to some connection is therefore queued
 * before the next burst begins, and comes before the first reply to that connection's next burst:
 * where it stands in the stream says everything, and nobody has to wait for events. In the end each
 * connection is asked one thing more, so that the last ones are there, too.
 *
 * A transaction that is refused with EAGAIN is done again at once, as every client does it; nobody
 * interferes then. What counts is what was answered in the end.
 */
import { opName, XS_GET_DOMAIN_PATH } from '../../lixs/wire/ops.ts'
import type { DaemonUnderTest } from './daemon.ts'
import { Guests } from './guests.ts'
import { Keeper } from './keeper.ts'
import { CLOSED, Line, SILENCE } from './line.ts'
import type { SendStep, Step } from './step.ts'
import { Transcript } from './transcript.ts'

/** What stands for the reply to a step that could not be taken. */
const NOT_TAKEN = 'not taken'
/** How often a transaction is done again. */
const MOST_REPETITIONS = 3

/** So many requests leave together at most: a ring takes no more before somebody reads the replies. */
const LONGEST_BURST = 16
/** What a transaction is made of; other requests may name one, but are not part of it. */
const REPEATABLE: ReadonlySet<string | number> = new Set([
  'READ',
  'WRITE',
  'MKDIR',
  'RM',
  'DIRECTORY',
  'DIRECTORY_PART',
  'GET_PERMS',
  'SET_PERMS',
])
/** The next step depends on what they are answered. */
const ALONE: ReadonlySet<string | number> = new Set([
  'TRANSACTION_START',
  'TRANSACTION_END',
  'INTRODUCE',
  'RELEASE',
  'SET_TARGET',
])

const OPS = new Map(Array.from({ length: 27 }, (_, type) => [opName(type), type]))

/** The number of an operation, whatever way it is given. */
export function typeOf(op: string | number): number {
  const type = typeof op === 'number' ? op : OPS.get(op)
  if (type === undefined) throw new Error(`there is no operation ${op}`)
  return type
}

interface Transaction {
  readonly on: string
  readonly start: SendStep
  id: number
  isOpen: boolean
  /** Indices of its steps but for the first and the last. */
  readonly steps: number[]
}

export class Player {
  readonly #daemon: DaemonUnderTest
  readonly #keeper: Keeper
  readonly #sockets = new Map<string, Line>()
  readonly #guests: Guests
  readonly #transactions = new Map<string, Transaction>()
  #hasEnded = false
  #transcript = new Transcript()
  #steps: readonly Step[] = []

  static async start(daemon: DaemonUnderTest): Promise<Player> {
    return new Player(daemon, await Keeper.open(daemon.socketPath))
  }

  private constructor(daemon: DaemonUnderTest, keeper: Keeper) {
    this.#daemon = daemon
    this.#keeper = keeper
    const onEvent = (on: string, text: string): void => this.#transcript.event(on, text)
    this.#guests = new Guests(daemon, keeper, onEvent)
    daemon.ended.then(() => {
      this.#hasEnded = true
      this.close()
    })
  }

  /** Plays on a store that is as after the start, and leaves it so. */
  async play(steps: readonly Step[]): Promise<Transcript> {
    const transcript = new Transcript()
    this.#transcript = transcript
    this.#transactions.clear()
    this.#steps = steps
    for (let i = 0; i < steps.length && transcript.endedAt < 0; ) i = await this.#take(i)
    if (transcript.endedAt >= 0) return transcript
    await this.#hearAll()
    transcript.store = await this.#keeper.store()
    await this.#tidy()
    return transcript
  }

  close(): void {
    this.#keeper.close()
    for (const line of this.#sockets.values()) line.close()
    this.#guests.close()
  }

  /** Takes the step with this index, and those that leave together with it. @returns the next one */
  async #take(i: number): Promise<number> {
    const step = this.#steps[i]
    if (step === undefined) return i + 1
    switch (step.kind) {
      case 'open':
        if (!this.#sockets.has(step.on)) await this.#open(step.on)
        break
      case 'close':
        await this.#lineOf(step.on)?.request(XS_GET_DOMAIN_PATH, 0, '0|')
        await this.#sockets.get(step.on)?.close()
        this.#sockets.delete(step.on)
        this.#forgetTransactionsOf(step.on)
        break
      case 'send':
        return await this.#burst(i, step.on)
      case 'oversize':
        await this.#announce(i, step.on, step.length)
        break
      default:
        await this.#guests.befall(step)
    }
    return i + 1
  }

  async #open(name: string): Promise<void> {
    const tell = (text: string): void => this.#transcript.event(name, text)
    const line = await Line.open(this.#daemon.socketPath, tell, this.#daemon.repliesFirst)
    // Who is answered has been accepted: connections come in the same order everywhere.
    await line.request(XS_GET_DOMAIN_PATH, 0, '0|')
    this.#sockets.set(name, line)
  }

  #lineOf(name: string): Line | undefined {
    return name.startsWith('g')
      ? this.#guests.lineOf(Number(name.slice(1)))
      : this.#sockets.get(name)
  }

  async #announce(i: number, on: string, length: number): Promise<void> {
    const line = this.#lineOf(on)
    if (line === undefined) this.#write(i, on, NOT_TAKEN)
    // Events may be lost with a connection that ends: this one has heard of all by then.
    await line?.request(XS_GET_DOMAIN_PATH, 0, '0|')
    line?.addHeader(length, (text) => this.#write(i, on, text))
    await line?.flush()
  }

  async #burst(first: number, on: string): Promise<number> {
    const line = this.#lineOf(on)
    let i = first
    for (; i < first + LONGEST_BURST; i++) {
      const step = this.#steps[i]
      if (step?.kind !== 'send' || step.on !== on) break
      const label = typeof step.tx === 'string' ? step.tx : undefined
      const transaction = label === undefined ? undefined : this.#transactions.get(label)
      const hasTransaction = label === undefined || transaction?.on === on
      if (line === undefined || !hasTransaction) {
        this.#write(i, on, NOT_TAKEN)
        continue
      }
      if (ALONE.has(step.op)) {
        if (i > first) break
        await this.#alone(i, step, line, transaction)
        i++
        break
      }
      if (REPEATABLE.has(step.op)) transaction?.steps.push(i)
      const at = i
      this.#add(line, step, transaction, (text) => this.#write(at, on, text))
    }
    await line?.flush()
    this.#transcript.burstEnded(on)
    return i
  }

  /** A request on whose reply it depends what the next ones are. */
  async #alone(
    i: number,
    step: SendStep,
    line: Line,
    transaction: Transaction | undefined,
  ): Promise<void> {
    if (step.op === 'INTRODUCE' || step.op === 'RELEASE') {
      await this.#guests.hear(Number.parseInt(step.payload, 10))
    }
    let text = await this.#ask(line, step, transaction)
    if (step.op === 'TRANSACTION_START') text = this.#started(step, text)
    if (transaction !== undefined && this.#isRefusal(step, text)) {
      text = await this.#repeat(i, step, transaction, line, text)
    }
    if (
      step.op === 'TRANSACTION_END' &&
      transaction !== undefined &&
      !text.startsWith('ERROR EINVAL')
    )
      transaction.isOpen = false
    this.#write(i, step.on, text)
    this.#noteGuests(step, text)
  }

  /** A successful request may have changed what becomes of guests. */
  #noteGuests({ op, payload }: SendStep, text: string): void {
    if (text !== `${op} OK|`) return
    const [domid = 0, target = 0] = payload.split('|').map(Number)
    if (op === 'SET_TARGET') this.#guests.targeted(domid, target)
    if (op !== 'INTRODUCE' && op !== 'RELEASE') return
    this.#guests.introduced(domid, op === 'INTRODUCE')
    this.#forgetTransactionsOf(`g${domid}`)
  }

  async #ask(line: Line, step: SendStep, transaction: Transaction | undefined): Promise<string> {
    let reply = ''
    this.#add(line, step, transaction, (text) => {
      reply = text
    })
    await line.flush()
    return reply
  }

  #add(
    line: Line,
    step: SendStep,
    transaction: Transaction | undefined,
    answer: (text: string) => void,
  ): void {
    const { payload } = step
    const guest = payload.includes('<') ? this.#guests.get(Number.parseInt(payload, 10)) : undefined
    const filled = payload
      .replace('<gfn>', String(guest?.gfn ?? 1))
      .replace('<port>', String(guest?.port ?? 1))
    const txId = transaction?.id ?? (typeof step.tx === 'number' ? step.tx : 0)
    line.add(typeOf(step.op), txId, filled, answer)
  }

  /** Ids are the daemon's own affair; that it gives one is not. */
  #started(step: SendStep, text: string): string {
    const id = /^TRANSACTION_START (\d+)\|$/.exec(text)?.[1]
    if (id === undefined) return text
    const others = [...this.#transactions.values()].filter((other) => other.on === step.on)
    const isNew = others.every((other) => !other.isOpen || other.id !== Number(id))
    const { as } = step
    if (as !== undefined) {
      const { on } = step
      this.#transactions.set(as, { on, start: step, id: Number(id), isOpen: true, steps: [] })
    }
    return `TRANSACTION_START <${isNew && id !== '0' ? 'id' : 'an id that is in use'}>|`
  }

  /** Does a transaction again until it succeeds. @returns the reply to its end */
  async #repeat(
    i: number,
    end: SendStep,
    transaction: Transaction,
    line: Line,
    refusal: string,
  ): Promise<string> {
    const told: string[] = []
    let text = refusal
    for (let round = 0; round < MOST_REPETITIONS; round++) {
      told.push(text)
      const { start } = transaction
      const said = await this.#ask(line, start, undefined)
      const started = /^TRANSACTION_START (\d+)\|$/.exec(said)?.[1]
      if (started === undefined) return 'no transaction to repeat it in'
      transaction.id = Number(started)
      for (const at of transaction.steps) {
        const step = this.#steps[at]
        if (step?.kind !== 'send') continue
        this.#write(at, step.on, await this.#ask(line, step, transaction))
      }
      text = await this.#ask(line, end, transaction)
      this.#transcript.repeated.set(i, told)
      if (!this.#isRefusal(end, text)) return text
    }
    return text
  }

  /** A connection has lost its transactions. */
  #forgetTransactionsOf(name: string): void {
    for (const transaction of this.#transactions.values()) {
      if (transaction.on === name) transaction.isOpen = false
    }
  }

  #write(i: number, on: string, text: string): void {
    // A request that was not made says nothing of what came before it.
    if (text !== NOT_TAKEN) this.#transcript.reply(on, i, text)
    const isFault = text === SILENCE || this.#hasEnded
    if (isFault && this.#transcript.endedAt < 0) this.#transcript.endedAt = i
    const hasReset = text === 'RESET_WATCHES OK|'
    if (text === CLOSED && on.startsWith('s')) this.#sockets.delete(on)
    if (text === CLOSED || hasReset) this.#forgetTransactionsOf(on)
  }

  /** Lets the last events come. */
  async #hearAll(): Promise<void> {
    for (const line of this.#sockets.values()) await line.request(XS_GET_DOMAIN_PATH, 0, '0|')
    await this.#guests.hearAll()
  }

  /** Makes everything as it was after the start. */
  async #tidy(): Promise<void> {
    this.#transcript = new Transcript()
    for (const line of this.#sockets.values()) await line.close()
    this.#sockets.clear()
    await this.#guests.destroyAll()
    await this.#keeper.empty()
  }

  /** Is a transaction to be done again? oxenstored refuses a well-formed commit with EINVAL now and then. */
  #isRefusal({ op, payload }: SendStep, text: string): boolean {
    if (op !== 'TRANSACTION_END') return false
    const isTheirs = this.#daemon.name === 'oxenstored' && payload === 'T|'
    return text === 'ERROR EAGAIN|' || (isTheirs && text === 'ERROR EINVAL|')
  }
}
