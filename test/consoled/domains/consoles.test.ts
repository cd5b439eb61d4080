import { existsSync, renameSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Options } from '../../../consoled/options.ts'
import { XenstoreClient } from '../../../lixs/client/client.ts'
import { VIRQ_CON_RING, VIRQ_DOM_EXC } from '../../../native/hypervisor.ts'
import { TestHost } from '../a-host.ts'
import { aFewTurns, ConsoleGuest, until } from '../console-guest.ts'

let host: TestHost
afterEach(() => host.stop())

async function aHost(options: Partial<Options> = {}): Promise<TestHost> {
  host = new TestHost(options)
  await host.startStore()
  return host
}

/** Prints, and waits until it is in the guest's log. */
async function said(guest: ConsoleGuest, name: string, text: string): Promise<void> {
  guest.print(text)
  await until(() => host.logged(name).endsWith(text))
}

async function ttyOf(guest: ConsoleGuest): Promise<string | undefined> {
  return await host.store.read(host.key(guest, 'tty'))
}

async function ttyAppears(guest: ConsoleGuest): Promise<string> {
  for (;;) {
    const tty = await ttyOf(guest)
    if (tty !== undefined && tty !== '') return tty
  }
}

/**
 * A hundred guests die together under a consoled that found them when it started; settles when nothing of
 * theirs is mapped any more.
 */
async function aHundredDie(startConsoled: () => Promise<void>): Promise<void> {
  const guests: ConsoleGuest[] = []
  for (let domid = 1; domid <= 100; domid++) {
    const guest = await host.introduce(domid, `g${domid}`)
    await host.giveConsole(guest)
    guests.push(guest)
  }
  await startConsoled()
  const { mappings } = host.loopback.leftovers()
  host.clock.advance(2000)
  for (const guest of guests) host.domains.remove(guest.domid)
  host.loopback.fireVirq(VIRQ_DOM_EXC)
  // Of each, its ring and the store's.
  await until(() => host.loopback.leftovers().mappings === mappings - 2 * guests.length)
}

/** Domain 6, whose keys and introduction went while it is still there; its console has gone. */
async function releasedEarly(): Promise<void> {
  const guest = await host.introduce(6, 'web')
  await host.giveConsole(guest, { tty: '' })
  const tty = await ttyAppears(guest)
  await host.store.rm('/local/domain/6')
  await host.store.release(6)
  await until(() => !existsSync(tty))
  await aFewTurns()
}

describe('a console', () => {
  it('is found when consoled starts after its guest', async () => {
    await aHost()
    const guest = await host.introduce(5, 'early')
    await host.giveConsole(guest)
    guest.write('already said ')
    await host.startConsoled()
    await said(guest, 'guest-early.log', 'and more')
    expect(host.logged('guest-early.log')).toBe('already said and more')
  })

  it('is found when its guest comes later, and its keys later still', async () => {
    await aHost()
    await host.startConsoled()
    const guest = await host.introduce(5, 'late')
    await aFewTurns()
    expect(guest.isConnected).toBe(false)
    await host.giveConsole(guest)
    await said(guest, 'guest-late.log', 'boot')
  })

  it('gets no terminal that nobody asked for', async () => {
    await aHost()
    await host.startConsoled()
    const guest = await host.introduce(5, 'web')
    await host.giveConsole(guest)
    await said(guest, 'guest-web.log', 'boot')
    expect(await ttyOf(guest)).toBeUndefined()
  })

  it('gets a terminal where libxl made the node', async () => {
    await aHost()
    await host.startConsoled()
    const guest = await host.introduce(5, 'web')
    await host.giveConsole(guest, { tty: '' })
    expect(await ttyAppears(guest)).toMatch(/^\/dev\/pts\/\d+$/)
  })

  it('gets a terminal when the node is made later', async () => {
    await aHost()
    await host.startConsoled()
    const guest = await host.introduce(5, 'web')
    await host.giveConsole(guest)
    await said(guest, 'guest-web.log', 'boot')
    await host.store.write(host.key(guest, 'tty'), '')
    expect(await ttyAppears(guest)).toMatch(/^\/dev\/pts\/\d+$/)
  })

  it('goes when its domain dies, with nothing left mapped or open', async () => {
    await aHost()
    const before = host.loopback.leftovers()
    await host.startConsoled()
    const guest = await host.introduce(5, 'web')
    await host.giveConsole(guest, { tty: '' })
    const tty = await ttyAppears(guest)
    guest.write('last words')
    host.kill(guest)
    await until(() => !existsSync(tty))
    expect(host.logged('guest-web.log')).toBe('last words')
    await until(() => host.loopback.leftovers().mappings === before.mappings)
    expect(host.loopback.leftovers()).toEqual(before)
  })

  it('goes when its keys vanish with the domain, before any scan', async () => {
    await aHost()
    await host.startConsoled()
    const guest = await host.introduce(5, 'web')
    await host.giveConsole(guest, { tty: '' })
    const tty = await ttyAppears(guest)
    const { length } = host.domains.lists
    host.domains.remove(5)
    await host.store.rm('/local/domain/5')
    await until(() => !existsSync(tty))
    expect(host.domains.lists.length).toBe(length)
  })

  it('goes with its keys while its domain is still there, and comes back with them', async () => {
    await aHost()
    await host.startConsoled()
    const guest = await host.introduce(5, 'web')
    await host.giveConsole(guest, { tty: '' })
    const tty = await ttyAppears(guest)
    guest.write('first ')
    await host.store.rm('/local/domain/5/console')
    await until(() => !existsSync(tty))
    expect(host.logged('guest-web.log')).toBe('first ')
    await host.giveConsole(guest)
    await said(guest, 'guest-web.log', 'second')
    expect(host.logged('guest-web.log')).toBe('first second')
  })

  it('is not touched by keys that are not of the console', async () => {
    await aHost()
    await host.startConsoled()
    const guest = await host.introduce(5, 'web')
    await host.giveConsole(guest)
    await said(guest, 'guest-web.log', 'boot')
    const reads = vi.spyOn(XenstoreClient.prototype, 'read')
    for (const key of ['backend', 'backend-id', 'output', 'limit/a']) {
      await host.store.write(host.key(guest, key), '1')
    }
    await aFewTurns()
    expect(reads).not.toHaveBeenCalled()
    await host.store.write(host.key(guest, 'limit'), '4096')
    await until(() => reads.mock.calls.length > 0)
    reads.mockRestore()
  })

  it('stays when its domain has shut down but is not gone', async () => {
    await aHost()
    await host.startConsoled()
    const guest = await host.introduce(5, 'web')
    await host.giveConsole(guest)
    await said(guest, 'guest-web.log', 'down.')
    host.domains.set(5, { isShutdown: true, shutdownReason: 'poweroff' })
    const { length } = host.domains.lists
    host.clock.advance(2000)
    host.loopback.fireVirq(VIRQ_DOM_EXC)
    // By the store; consoled is told which domain it was.
    await until(() => host.domains.lists.length > length)
    await aFewTurns()
    await said(guest, 'guest-web.log', 'really')
  })

  it('of a domid that is used again is another one', async () => {
    await aHost()
    await host.startConsoled()
    const first = await host.introduce(5, 'first')
    await host.giveConsole(first, { tty: '' })
    const tty = await ttyAppears(first)
    host.kill(first)
    await until(() => !existsSync(tty))
    host.clock.advance(2000)
    const second = await host.introduce(5, 'second')
    host.domains.set(5, { uuid: '00000000-0000-0000-0000-00000000beef' })
    await host.giveConsole(second)
    await said(second, 'guest-second.log', 'I am the second')
    expect(host.logged('guest-first.log')).toBe('')
  })

  it('of a domid that is used again by one without a console leaves nothing mapped or bound', async () => {
    await aHost()
    const before = host.loopback.leftovers()
    await host.startConsoled()
    const first = await host.introduce(5, 'first')
    await host.giveConsole(first)
    await said(first, 'guest-first.log', 'one')
    host.loopback.removeDomain(first.domid)
    host.domains.set(5, { uuid: '00000000-0000-0000-0000-00000000beef' })
    await host.store.release(5)
    await until(() => host.loopback.leftovers().mappings === before.mappings)
    expect(host.loopback.leftovers()).toEqual(before)
  })

  it('of a domid that was used again unnoticed is another one as soon as its keys change', async () => {
    await aHost()
    await host.startConsoled()
    const first = await host.introduce(5, 'first')
    await host.giveConsole(first)
    await said(first, 'guest-first.log', 'one')
    host.loopback.removeDomain(5 as ConsoleGuest['domid'])
    host.domains.set(5, { uuid: '00000000-0000-0000-0000-00000000beef' })
    const second = new ConsoleGuest(host.loopback, 5)
    await host.store.write('/local/domain/5/name', 'second')
    const other = await host.introduce(6, 'other')
    host.clock.advance(2000)
    await host.giveConsole(second)
    await said(second, 'guest-second.log', 'two')
    await host.giveConsole(other)
    await said(other, 'guest-other.log', 'three')
  })
})

describe('where the store says which domain an event is about', () => {
  /** Lists by consoled: the store's own begin with domain 0. */
  const lists = () => host.domains.lists.filter((first) => first === 1).length

  it('nothing is listed after the start, and only that domain is asked for', async () => {
    await aHost()
    for (const domid of [3, 4, 5]) await host.introduce(domid, `old${domid}`)
    await host.startConsoled()
    expect(lists()).toBe(1)
    host.domains.infos.length = 0
    // Neither the next number nor a small one is looked for: it is told.
    const guest = await host.introduce(700, 'new')
    await host.giveConsole(guest, { tty: '' })
    const tty = await ttyAppears(guest)
    host.kill(guest)
    await until(() => !existsSync(tty))
    host.clock.advance(10_000)
    await aFewTurns()
    expect(lists()).toBe(1)
    expect(new Set(host.domains.infos)).toEqual(new Set([700]))
  })

  it('many deaths at once are dealt with in turns', async () => {
    await aHost()
    await aHundredDie(() => host.startConsoled())
    expect(lists()).toBe(1)
  })

  it('a domain that was released before its end is asked for again until it is gone', async () => {
    await aHost()
    await host.startConsoled()
    await releasedEarly()
    host.clock.advance(100)
    host.domains.remove(6)
    host.domains.infos.length = 0
    host.clock.advance(200)
    expect(host.domains.infos).toEqual([6])
    host.clock.advance(60_000)
    await aFewTurns()
    expect([host.domains.infos, lists()]).toEqual([[6], 1])
  })

  it('a domain that stays after it was released is not asked for for ever', async () => {
    await aHost()
    await host.startConsoled()
    await releasedEarly()
    for (let i = 0; i < 20; i++) host.clock.advance(60_000)
    host.domains.infos.length = 0
    for (let i = 0; i < 20; i++) host.clock.advance(60_000)
    expect(host.domains.infos).toEqual([])
  })

  it('a number that is used again at once is the next guest’s', async () => {
    await aHost()
    await host.startConsoled()
    const first = await host.introduce(5, 'first')
    await host.giveConsole(first)
    await said(first, 'guest-first.log', 'one')
    await host.store.rm('/local/domain/5')
    host.loopback.removeDomain(5 as ConsoleGuest['domid'])
    const second = await host.introduce(5, 'second')
    host.domains.set(5, { uuid: '00000000-0000-0000-0000-00000000beef' })
    await host.giveConsole(second)
    await said(second, 'guest-second.log', 'two')
    expect(host.logged('guest-first.log')).toBe('one')
    expect(lists()).toBe(1)
  })
})

describe('what an event costs where the store does not say which domain it is about', () => {
  it('an introduction asks for the domains behind the newest, and lists all later', async () => {
    await aHost()
    for (const domid of [3, 4, 5]) await host.introduce(domid, `old${domid}`)
    await host.startConsoledWithOldStore()
    host.clock.advance(2000)
    host.domains.lists.length = 0
    const guest = await host.introduce(6, 'new')
    await host.giveConsole(guest)
    await said(guest, 'guest-new.log', 'boot')
    expect(host.domains.lists).toEqual([])
    host.clock.advance(1000)
    expect(host.domains.lists).toEqual([1])
  })

  it('domains that are made together are found by few questions', async () => {
    await aHost()
    await host.startConsoledWithOldStore()
    host.clock.advance(2000)
    host.domains.lists.length = 0
    host.domains.infos.length = 0
    const domids = [1, 2, 3, 4, 5]
    // All exist before the first one is introduced, and the last one is introduced first.
    for (const domid of domids) host.domains.set(domid)
    for (const domid of domids.toReversed()) await host.introduce(domid, `g${domid}`)
    await aFewTurns()
    expect(host.domains.lists).toEqual([])
    // By lixs once each; by consoled once each, and once for the number behind them.
    expect(host.domains.infos.length).toBeLessThanOrEqual(2 * domids.length + 1)
  })

  it('numbers that begin anew are followed', async () => {
    await aHost()
    for (const domid of [1, 2, 32750]) await host.introduce(domid, `old${domid}`)
    await host.startConsoledWithOldStore()
    host.clock.advance(2000)
    host.domains.lists.length = 0
    for (const domid of [32751, 3]) {
      const guest = await host.introduce(domid, `new${domid}`)
      await host.giveConsole(guest)
      await said(guest, `guest-new${domid}.log`, 'boot')
    }
    expect(host.domains.lists).toEqual([])
  })

  it('many deaths at once are dealt with in turns', async () => {
    await aHost()
    await aHundredDie(() => host.startConsoledWithOldStore())
    for (let domid = 1; domid <= 100; domid++) {
      expect(await host.store.isIntroduced(domid)).toBe(false)
    }
  })

  it('a domain that is numbered below the newest is found at once', async () => {
    await aHost()
    const newest = await host.introduce(9, 'nine')
    await host.giveConsole(newest)
    await host.startConsoledWithOldStore()
    host.clock.advance(2000)
    const guest = await host.introduce(2, 'two')
    await host.giveConsole(guest)
    await said(guest, 'guest-two.log', 'boot')
  })

  it('while the newest has no console yet, such a one is found within a second', async () => {
    await aHost()
    await host.introduce(9, 'nine')
    await host.startConsoledWithOldStore()
    host.clock.advance(2000)
    const guest = await host.introduce(2, 'two')
    await host.giveConsole(guest)
    await aFewTurns()
    host.clock.advance(1000)
    await said(guest, 'guest-two.log', 'boot')
  })

  it('a death that vanishing keys announced costs no list at once', async () => {
    await aHost()
    for (const domid of [3, 4, 5]) await host.introduce(domid, `old${domid}`)
    await host.startConsoledWithOldStore()
    const guest = await host.introduce(6, 'web')
    await host.giveConsole(guest, { tty: '' })
    const tty = await ttyAppears(guest)
    host.clock.advance(2000)
    await host.store.rm('/local/domain/6')
    await until(() => !existsSync(tty))
    await aFewTurns()
    host.domains.lists.length = 0
    host.domains.remove(6)
    await host.store.release(6)
    await aFewTurns()
    expect(host.domains.lists).toEqual([])
    host.clock.advance(1000)
    expect(host.domains.lists).toEqual([1])
  })

  it('a hundred introductions and deaths cost few scans', async () => {
    await aHost()
    await host.startConsoledWithOldStore()
    host.domains.lists.length = 0
    const guests: ConsoleGuest[] = []
    for (let domid = 1; domid <= 100; domid++) {
      guests.push(await host.introduce(domid, `g${domid}`))
    }
    for (const guest of guests) await host.store.release(guest.domid)
    await aFewTurns()
    const scans = host.domains.lists.filter((first) => first === 1).length
    expect(scans).toBeLessThanOrEqual(3)
  })
})

describe('the store', () => {
  it('may be restarted: consoles are served on, new ones are found afterwards', async () => {
    await aHost()
    await host.startConsoled()
    const guest = await host.introduce(5, 'web')
    await host.giveConsole(guest)
    await said(guest, 'guest-web.log', 'before ')
    host.stopStore()
    await said(guest, 'guest-web.log', 'meanwhile ')
    await host.startStore()
    const next = await host.introduce(6, 'next')
    await host.giveConsole(next)
    host.clock.advance(10_000)
    await said(next, 'guest-next.log', 'boot')
    await said(guest, 'guest-web.log', 'after')
    expect(host.logged('guest-web.log')).toBe('before meanwhile after')
  })
})

describe('attaching by domid', () => {
  it('finds a domain that no event has told of yet', async () => {
    await aHost()
    await host.startConsoled()
    const guest = new ConsoleGuest(host.loopback, 5)
    await host.store.write('/local/domain/5/name', 'web')
    await host.giveConsole(guest)
    host.domains.set(5)
    const socket = createConnection(host.attachPath)
    let received = ''
    socket.on('data', (bytes: Buffer) => {
      received += bytes.toString('latin1')
    })
    socket.write('attach 5\n')
    await until(() => received === 'ok 0\n')
    guest.print('hello')
    await until(() => received === 'ok 0\nhello')
    socket.destroy()
  })
})

describe('SIGHUP', () => {
  it('begins new logs, under the names that guests have now', async () => {
    await aHost()
    await host.startConsoled()
    const guest = await host.introduce(5, 'web')
    await host.giveConsole(guest)
    await said(guest, 'guest-web.log', 'one')
    renameSync(join(host.logDir, 'guest-web.log'), join(host.logDir, 'old.log'))
    await said(guest, 'old.log', ' two')
    host.consoled.reopenLogs()
    await said(guest, 'guest-web.log', 'three')
    await host.store.write('/local/domain/5/name', 'renamed')
    host.consoled.reopenLogs()
    await until(() => existsSync(join(host.logDir, 'guest-renamed.log')))
    await said(guest, 'guest-renamed.log', 'four')
    expect(host.logged('old.log')).toBe('one two')
    expect(host.logged('guest-web.log')).toBe('three')
  })

  it('makes no log of a name that the guest has no more', async () => {
    await aHost()
    await host.startConsoled()
    const guest = await host.introduce(5, 'web')
    await host.giveConsole(guest)
    await said(guest, 'guest-web.log', 'one')
    await host.store.write('/local/domain/5/name', 'renamed')
    renameSync(join(host.logDir, 'guest-web.log'), join(host.logDir, 'old.log'))
    host.consoled.reopenLogs()
    await until(() => existsSync(join(host.logDir, 'guest-renamed.log')))
    expect(existsSync(join(host.logDir, 'guest-web.log'))).toBe(false)
  })

  it('loses nothing of a guest that was renamed and speaks before its name is read', async () => {
    await aHost()
    await host.startConsoled()
    const guest = await host.introduce(5, 'web')
    await host.giveConsole(guest)
    await said(guest, 'guest-web.log', 'one')
    await host.store.write('/local/domain/5/name', 'renamed')
    renameSync(join(host.logDir, 'guest-web.log'), join(host.logDir, 'old.log'))
    // Heard in the next turn of the loop, in which the name is only asked for.
    guest.print('between')
    host.consoled.reopenLogs()
    await until(() => guest.unreadOutput === 0)
    expect(host.logged('guest-web.log')).toBe('between')
    await until(() => existsSync(join(host.logDir, 'guest-renamed.log')))
    await said(guest, 'guest-renamed.log', 'four')
    expect(host.logged('old.log')).toBe('one')
    expect(host.logged('guest-web.log')).toBe('between')
    expect(host.logged('guest-renamed.log')).toBe('four')
  })

  it('opens some logs in each turn of the loop, also when it comes twice, and ends with consoled', async () => {
    await aHost({ maxOpenLogs: 300 })
    await host.startConsoled()
    const paths = Array.from({ length: 150 }, (_, i) => join(host.logDir, `guest-g${i}.log`))
    for (const i of paths.keys()) await host.giveConsole(await host.introduce(10 + i, `g${i}`))
    const made = () => paths.filter((path) => existsSync(path)).length
    await until(() => made() === 150)
    for (const path of paths) renameSync(path, `${path}.old`)
    host.consoled.reopenLogs()
    const seen = [made()]
    let isSecond = false
    await until(() => {
      seen.push(made())
      if (made() === 64 && !isSecond) {
        isSecond = true
        host.consoled.reopenLogs()
      }
      return made() === 150
    })
    const most = Math.max(...seen.slice(1).map((count, i) => count - (seen[i] ?? 0)))
    expect([seen[0], most]).toEqual([0, 64])
    for (const path of paths) renameSync(path, `${path}.older`)
    host.consoled.reopenLogs()
    await until(() => made() > 0)
    host.consoled.close()
    await aFewTurns()
    expect(made()).toBeLessThan(150)
    await host.startConsoled()
  })
})

describe("Xen's own log", () => {
  it('is copied at the start and whenever Xen says something', async () => {
    await aHost({ logsHypervisor: true })
    host.domains.hypervisorLog = '(XEN) booted\n'
    await host.startConsoled()
    expect(host.logged('hypervisor.log')).toBe('(XEN) booted\n')
    host.domains.hypervisorLog += '(XEN) d5 crashed\n'
    host.loopback.fireVirq(VIRQ_CON_RING)
    await until(() => host.logged('hypervisor.log') === '(XEN) booted\n(XEN) d5 crashed\n')
  })
})
