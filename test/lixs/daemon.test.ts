import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { XenstoreClient } from '../../lixs/client/client.ts'
import { encodePacket } from '../../lixs/wire/encoder.ts'
import {
  XS_GET_DOMAIN_PATH,
  XS_READ,
  XS_TRANSACTION_END,
  XS_TRANSACTION_START,
  XS_WATCH,
  XS_WATCH_EVENT,
  XS_WRITE,
} from '../../lixs/wire/ops.ts'
import {
  CONNECTION_QUEUED_BYTES,
  CONNECTION_QUEUED_EVENTS,
  CONNECTION_WORDS,
} from '../../native/ring-set.ts'
import { aDaemon, type RingGuest, type RunningDaemon, turn } from '../support/a-daemon.ts'

let daemon: RunningDaemon
let store: XenstoreClient

beforeEach(async () => {
  daemon = aDaemon()
  store = await daemon.connect()
})
afterEach(() => daemon.stop())

/** A guest as a toolstack makes it: a home it may read, a folder of its own, introduced. */
async function introduced(domid: number): Promise<RingGuest> {
  const guest = daemon.guest(domid)
  const home = `/local/domain/${domid}`
  await store.transaction((tx) => {
    tx.mkdir(home)
    tx.setPerms(home, ['n0', `r${domid}`])
    tx.write(`${home}/name`, `guest-${domid}`)
    tx.mkdir(`${home}/data`)
    tx.setPerms(`${home}/data`, [`n${domid}`])
  })
  await store.introduce(domid, 0, guest.end.port)
  return guest
}

describe('a guest at its ring', () => {
  test('reads its name, writes its keys, and is refused the rest', async () => {
    const guest = await introduced(7)
    expect(await guest.ask(XS_READ, 'name|')).toBe('guest-7')
    expect(await guest.ask(XS_WRITE, 'data/x|1')).toBe('OK|')
    expect(await store.read('/local/domain/7/data/x')).toBe('1')
    expect(await guest.ask(XS_READ, '/tool|')).toBe('EACCES|')
  })

  test('may have written before it was introduced only what comes after the reset', async () => {
    const guest = daemon.guest(7)
    guest.words.fill(-1)
    await store.introduce(7, 0, guest.end.port)
    expect(await guest.ask(XS_GET_DOMAIN_PATH, '7|')).toBe('/local/domain/7|')
  })

  test('cannot have more events waiting than its share, and costs the others nothing then', async () => {
    const guest = await introduced(7)
    const answerOf = async (type: number, payload: string, txId = 0): Promise<string> => {
      await guest.send(type, payload, txId)
      let answer = await guest.next()
      while (answer.type === XS_WATCH_EVENT) answer = await guest.next()
      return Buffer.from(answer.payload).toString('latin1')
    }
    for (let i = 0; i < 120; i++) await answerOf(XS_WATCH, `data|token ${i}|`)
    const tx = Number((await answerOf(XS_TRANSACTION_START, '|')).replace('\0', ''))
    for (let i = 0; i < 40; i++) await answerOf(XS_WRITE, `data/key${i}|x`, tx)
    await guest.send(XS_TRANSACTION_END, 'T|', tx)
    expect(await store.read('/local/domain/7/data/key39')).toBe('x')
    const { connections } = daemon.rings
    const most = (index: number) =>
      Math.max(...connections.filter((_, i) => i % CONNECTION_WORDS === index && i > index))
    expect(most(CONNECTION_QUEUED_EVENTS)).toBe(1024)
    expect(most(CONNECTION_QUEUED_BYTES)).toBeLessThan(256 * 1024)
  })

  test('gets a reply that is larger than its ring in pieces', async () => {
    const guest = await introduced(7)
    const value = 'v'.repeat(3000)
    await store.write('/local/domain/7/big', value)
    expect(await guest.ask(XS_READ, 'big|')).toBe(value)
  })

  test('sees its watches fire', async () => {
    const guest = await introduced(7)
    expect(await guest.ask(XS_WATCH, 'control|token|')).toBe('OK|')
    const text = async (): Promise<string> => {
      const packet = await guest.next()
      expect(packet.type).toBe(XS_WATCH_EVENT)
      return Buffer.from(packet.payload).toString()
    }
    expect(await text()).toBe('control\0token\0')
    await store.write('/local/domain/7/control/shutdown', 'poweroff')
    expect(await text()).toBe('control/shutdown\0token\0')
  })

  test('that does not take its replies holds up nobody but itself', async () => {
    const deaf = await introduced(7)
    const other = await introduced(8)
    const request = encodePacket(XS_READ, 1, 0, Buffer.from('name\0'))
    const putting = deaf.put(Buffer.concat(Array.from({ length: 200 }, () => request)))
    for (let i = 0; i < 50; i++) expect(await other.ask(XS_READ, 'name|')).toBe('guest-8')
    // Now it takes them: every request is answered, once.
    for (let i = 0; i < 200; i++) {
      expect(Buffer.from((await deaf.next()).payload).toString()).toBe('guest-7')
    }
    await putting
  })

  test('that claims more than a ring holds is served no more, the others are', async () => {
    const bad = await introduced(7)
    const good = await introduced(8)
    bad.claim(1025)
    while (bad.ringError === 0) await turn()
    expect(bad.ringError).toBe(2)
    expect(await good.ask(XS_READ, 'name|')).toBe('guest-8')
  })

  test('that announces a message too long is served no more', async () => {
    const bad = await introduced(7)
    const header = encodePacket(XS_READ, 1, 0)
    header.writeUInt32LE(4097, 12)
    await bad.put(header)
    while (bad.ringError === 0) await turn()
    expect(bad.ringError).toBe(3)
  })

  test('cannot forge what happens to connections: a negative type is just not served', async () => {
    const guest = await introduced(7)
    for (const type of [0xffffffff, 0xfffffffe, 0xfffffffd, 0xfffffffb]) {
      await guest.put(encodePacket(type, 1, 0, Buffer.from('/\0')))
      expect(Buffer.from((await guest.next()).payload).toString()).toBe('ENOSYS\0')
    }
    expect(await guest.ask(XS_READ, 'name|')).toBe('guest-7')
  })
})

describe('the life of a domain', () => {
  test('introduced again it starts anew on the same page', async () => {
    const guest = await introduced(7)
    expect(await guest.ask(XS_TRANSACTION_START, '|')).toBe('1|')
    await store.introduce(7, 0, guest.end.port)
    expect(await guest.ask(XS_READ, 'name|', 1)).toBe('ENOENT|')
    expect(await guest.ask(XS_READ, 'name|')).toBe('guest-7')
  })

  test('released, its nodes, page and port are given back', async () => {
    const before = daemon.loopback.leftovers()
    await introduced(7)
    expect(daemon.loopback.leftovers()).not.toEqual(before)
    const releases = await store.watch('@releaseDomain')
    await store.release(7)
    expect(daemon.loopback.leftovers()).toEqual(before)
    expect(await store.isIntroduced(7)).toBe(false)
    expect(await store.read('/local/domain/7/data')).toBeUndefined()
    expect(await store.read('/local/domain/7/name')).toBe('guest-7')
    for await (const path of releases) {
      expect(path).toBe('@releaseDomain')
      break
    }
  })

  test('dead, it is removed without anybody asking', async () => {
    const before = daemon.loopback.leftovers()
    await introduced(7)
    const data = await store.watch('/local/domain/7/data')
    daemon.die(7)
    let events = 0
    for await (const _ of data) {
      events++
      if ((await store.read('/local/domain/7/data')) === undefined) break
    }
    expect(events).toBeGreaterThan(0)
    expect(daemon.loopback.leftovers()).toEqual(before)
  })

  test('a domain whose page cannot be had is not introduced', async () => {
    await expect(store.introduce(9, 0, 3)).rejects.toMatchObject({ op: 'INTRODUCE' })
    expect(await store.isIntroduced(9)).toBe(false)
  })
})

test("dom0's kernel is served at its own ring, with a tool's rights", async () => {
  const served = aDaemon({ isDom0Served: true })
  const kernel = served.self()
  expect(await kernel.ask(XS_WRITE, '/anywhere|x')).toBe('OK|')
  expect(await kernel.ask(XS_READ, '/anywhere|')).toBe('x')
  served.stop()
})
