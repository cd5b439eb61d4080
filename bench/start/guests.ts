/** A row of guests: what they are called, what each is asked to say, and how long each took. */
import { randomBytes } from 'node:crypto'
import { Counter } from './counter.ts'

const NS_PER_MS = 1e6

/** CLOCK_MONOTONIC in ns, which compares with the clocks of other processes. */
function nowNs(): number {
  return Number(process.hrtime.bigint())
}

/** `g00001` for the first. */
export function guestName(prefix: string, index: number): string {
  return `${prefix}${String(index + 1).padStart(5, '0')}`
}

/** Guests `g00001` to `g10000`, by index from 0. Times are NaN until they are known. */
export class Guests {
  readonly prefix: string
  readonly count: number
  /** What a guest is to print: random, so that no other guest's line can be taken for its. */
  readonly nonces: readonly string[]
  /** 0: it was not created. */
  readonly domids: Int32Array
  /** Empty: it was not created. */
  readonly uuids: string[]
  /** From the request to the answer, for whoever asked. */
  readonly createMs: Float64Array
  /** From the request's arrival to the unpause, as xcld says. */
  readonly xcldMs: Float64Array
  /** From the request to the guest's own READY. */
  readonly readyMs: Float64Array
  readonly ready = new Counter()
  /** What went wrong, a sentence each. */
  readonly errors: string[] = []
  readonly #requestedNs: Float64Array
  #awaited: { readonly index: number; readonly resolve: () => void } | undefined

  constructor(prefix: string, count: number) {
    this.prefix = prefix
    this.count = count
    this.nonces = Array.from(
      { length: count },
      (_, i) => `${this.name(i)}-${randomBytes(6).toString('hex')}`,
    )
    this.domids = new Int32Array(count)
    this.uuids = Array.from({ length: count }, () => '')
    this.createMs = new Float64Array(count).fill(Number.NaN)
    this.xcldMs = new Float64Array(count).fill(Number.NaN)
    this.readyMs = new Float64Array(count).fill(Number.NaN)
    this.#requestedNs = new Float64Array(count)
  }

  name(index: number): string {
    return guestName(this.prefix, index)
  }

  /** @returns undefined for a name that is none of these */
  indexOf(name: string): number | undefined {
    if (!name.startsWith(this.prefix)) return undefined
    const index = Number(name.slice(this.prefix.length)) - 1
    return index >= 0 && index < this.count ? index : undefined
  }

  requested(index: number): void {
    this.#requestedNs[index] = nowNs()
  }

  created(index: number, domid: number, uuid: string, xcldMs: number): void {
    this.createMs[index] = (nowNs() - (this.#requestedNs[index] ?? 0)) / NS_PER_MS
    this.xcldMs[index] = xcldMs
    this.domids[index] = domid
    this.uuids[index] = uuid
  }

  /** A guest says that it is READY; it may do so before whoever asked for it has the answer. */
  isReady(name: string, nonce: string, ns: number): void {
    const index = this.indexOf(name)
    if (index === undefined) return
    if (nonce !== this.nonces[index]) {
      this.errors.push(`${name} is READY with the nonce ${nonce} instead of ${this.nonces[index]}`)
      return
    }
    if (!Number.isNaN(this.readyMs[index])) {
      this.errors.push(`${name} says READY twice`)
      return
    }
    this.readyMs[index] = (ns - (this.#requestedNs[index] ?? 0)) / NS_PER_MS
    this.ready.add()
    if (this.#awaited?.index === index) this.#awaited.resolve()
  }

  /** Waits for one guest; one is waited for at a time. @returns whether it is READY */
  async untilReady(index: number, patienceMs: number): Promise<boolean> {
    if (Number.isNaN(this.readyMs[index])) {
      let timer: NodeJS.Timeout | undefined
      await new Promise<void>((resolve) => {
        this.#awaited = { index, resolve }
        timer = setTimeout(resolve, patienceMs)
      })
      clearTimeout(timer)
      this.#awaited = undefined
    }
    return !Number.isNaN(this.readyMs[index])
  }
}
