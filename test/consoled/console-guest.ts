import type { Domid, EvtchnPort, Gfn, Gref } from '../../native/hypervisor.ts'
import type { GuestEnd, Loopback } from '../../native/loopback.ts'

// xen/include/public/io/console.h
const IN_BYTES = 1024
const OUT_AT = 1024
const OUT_BYTES = 2048
const IN_CONS = 3072 / 4
const IN_PROD = 3076 / 4
const OUT_CONS = 3080 / 4
const OUT_PROD = 3084 / 4
const CONNECTION = 3088

/** A guest as far as its console goes: the other end of the ring. */
export class ConsoleGuest {
  readonly domid: Domid
  readonly port: EvtchnPort
  readonly gfn: Gfn
  readonly #end: GuestEnd
  readonly #bytes: Uint8Array
  readonly #words: Uint32Array

  /** @param gref where the ring's page is: 0 as domain builders grant it; else only by its frame */
  constructor(loopback: Loopback, domid: number, gref = 0) {
    this.#end = loopback.guest(domid as Domid, gref as Gref)
    this.domid = this.#end.domid
    this.port = this.#end.port
    this.gfn = gref as number as Gfn
    this.#bytes = new Uint8Array(this.#end.page)
    this.#words = new Uint32Array(this.#end.page)
    this.#bytes[CONNECTION] = 1
  }

  /** The ring's page, every word of it. */
  get page(): ArrayBuffer {
    return this.#end.page
  }

  get isConnected(): boolean {
    return this.#bytes[CONNECTION] === 0
  }

  /** Sets both indices of the output ring, as a guest that broke it would. */
  setOutput(cons: number, prod: number): void {
    this.#words[OUT_CONS] = cons
    this.#words[OUT_PROD] = prod
  }

  get unreadOutput(): number {
    return this.#word(OUT_PROD) - this.#word(OUT_CONS)
  }

  /** @returns bytes that fitted into the ring */
  print(bytes: Uint8Array | string): number {
    const count = this.write(bytes)
    this.kick()
    return count
  }

  /** Prints without telling the daemon. */
  write(text: Uint8Array | string): number {
    const bytes = typeof text === 'string' ? Buffer.from(text, 'latin1') : text
    const prod = this.#word(OUT_PROD)
    const room = OUT_BYTES - ((prod - this.#word(OUT_CONS)) >>> 0)
    const count = Math.min(room, bytes.length)
    for (let i = 0; i < count; i++) {
      this.#bytes[OUT_AT + ((prod + i) % OUT_BYTES)] = bytes[i] as number
    }
    this.#words[OUT_PROD] = prod + count
    return count
  }

  kick(): void {
    this.#end.kick()
  }

  /** Reads what was typed, and tells the daemon that there is room. */
  read(maxBytes = IN_BYTES): string {
    const cons = this.#word(IN_CONS)
    const count = Math.min(maxBytes, (this.#word(IN_PROD) - cons) >>> 0)
    const out = Buffer.alloc(count)
    for (let i = 0; i < count; i++) out[i] = this.#bytes[(cons + i) % IN_BYTES] as number
    this.#words[IN_CONS] = cons + count
    this.kick()
    return out.toString('latin1')
  }

  /** Closes its port, and gets one of the same number: what a new kernel of the guest does. */
  renewPort(): void {
    this.#end.renewPort()
    this.#bytes[CONNECTION] = 1
  }

  takeNotifications(): number {
    return this.#end.takeNotifications()
  }

  #word(index: number): number {
    return this.#words[index] as number
  }
}

/** Lets the event loop turn until it is so. The test's own time limit ends what never comes. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve))
}

/** Gives whatever is under way the chance to happen: rings, sockets and what follows from them. */
export async function aFewTurns(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** Prints, and has it taken. */
export async function prints(guest: ConsoleGuest, text: string): Promise<void> {
  guest.print(text)
  await until(() => guest.unreadOutput === 0)
}
