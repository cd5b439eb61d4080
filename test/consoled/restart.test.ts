/** consoled that ends and begins again beside guests that go on, in one process. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestHost } from './a-host.ts'
import { type ConsoleGuest, until } from './console-guest.ts'

let host: TestHost

beforeEach(async () => {
  host = new TestHost({})
  await host.startStore()
})
afterEach(() => host.stop())

async function aGuest(domid: number, name: string): Promise<ConsoleGuest> {
  const guest = await host.introduce(domid, name)
  await host.giveConsole(guest)
  return guest
}

async function taken(...guests: readonly ConsoleGuest[]): Promise<void> {
  await until(() => guests.every((guest) => guest.isConnected && guest.unreadOutput === 0))
}

/** Ends consoled and begins it again, with what the guests do meanwhile. */
async function restart(meanwhile: () => void = () => undefined): Promise<void> {
  host.consoled.close()
  meanwhile()
  await host.startConsoled()
}

describe('consoled that is started again', () => {
  it('logs what was printed while it was away, and nothing twice', async () => {
    await host.startConsoled()
    const guest = await aGuest(3, 'a')
    await taken(guest)
    for (let i = 0; i < 4; i++) {
      guest.print(`${i} heard\n`)
      await taken(guest)
      await restart(() => guest.write(`${i} written\n`))
      await taken(guest)
    }
    const lines = [0, 1, 2, 3].flatMap((i) => [`${i} heard\n`, `${i} written\n`])
    expect(host.logged('guest-a.log')).toBe(lines.join(''))
  })

  it('keeps the lines of two guests of one name apart and whole', async () => {
    await host.startConsoled()
    const guests = [await aGuest(3, 'same'), await aGuest(4, 'same')]
    await taken(...guests)
    for (let i = 0; i < 3; i++) {
      for (const guest of guests) guest.print(`guest ${guest.domid} line ${i}\n`)
      await taken(...guests)
      await restart()
      await taken(...guests)
    }
    const lines = host.logged('guest-same.log').trimEnd().split('\n').toSorted()
    expect(lines).toEqual([3, 4].flatMap((id) => [0, 1, 2].map((i) => `guest ${id} line ${i}`)))
  })

  it('takes a rebooted guest for another one, in the same log', async () => {
    await host.startConsoled()
    const before = await aGuest(3, 'a')
    await taken(before)
    before.print('login: ')
    await taken(before)
    host.consoled.close()
    host.domains.remove(3)
    host.loopback.removeDomain(before.domid)
    await host.store.release(3)
    const after = await aGuest(4, 'a')
    after.write('login: ')
    await host.startConsoled()
    await taken(after)
    expect(host.logged('guest-a.log')).toBe('login: login: ')
  })

  it('of a domid and a uuid that are used again finds nothing of the domain before', async () => {
    await host.startConsoled()
    const before = await aGuest(3, 'a')
    await taken(before)
    before.print('boot\n')
    await taken(before)
    host.kill(before)
    await until(() => host.loopback.leftovers().mappings === 0)
    await host.store.release(3).catch(() => undefined)
    const after = await aGuest(3, 'a')
    await taken(after)
    after.print('boot\n')
    await taken(after)
    expect(host.logged('guest-a.log')).toBe('boot\nboot\n')
  })
})
