import type { TappedGuest, TappedGuests } from '../support/a-tapped-guest.ts'
import type { Guest, Machine } from './daemon.ts'

/** Domains of a simulated machine, whose rings lead to sockets. */
export class TappedMachine implements Machine {
  readonly #guests: TappedGuests
  readonly #domains = new Map<number, TappedGuest>()

  constructor(guests: TappedGuests) {
    this.#guests = guests
  }

  async make(domid: number): Promise<Guest> {
    const guest = await this.#guests.make({ domid })
    this.#domains.set(domid, guest)
    return { gfn: guest.gfn, port: guest.port, tapPath: await guest.tap() }
  }

  async end(domid: number, how: 'shutdown' | 'crash'): Promise<void> {
    await this.#of(domid).shutDown(how === 'crash' ? 'crash' : 'poweroff')
  }

  async destroy(domid: number): Promise<void> {
    const guest = this.#of(domid)
    await guest.destroy()
    await guest.gone()
    this.#domains.delete(domid)
  }

  #of(domid: number): TappedGuest {
    const guest = this.#domains.get(domid)
    if (guest === undefined) throw new Error(`no domain ${domid} was made`)
    return guest
  }
}
