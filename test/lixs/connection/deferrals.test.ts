import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { XenstoreClient } from '../../../lixs/client/client.ts'
import { Tree } from '../../../lixs/store/tree.ts'
import { encodePacket } from '../../../lixs/wire/encoder.ts'
import {
  XS_READ,
  XS_RM,
  XS_TRANSACTION_END,
  XS_TRANSACTION_START,
  XS_WRITE,
} from '../../../lixs/wire/ops.ts'
import { SocketPeer } from '../../native/socket-peer.ts'
import { aDaemon, type RingGuest, type RunningDaemon, turn } from '../../support/a-daemon.ts'
import { TestTimers } from '../../support/test-timers.ts'
import { Observer } from './isolation.ts'

let daemon: RunningDaemon
let timers: TestTimers
let tool: XenstoreClient
const peers: SocketPeer[] = []

beforeEach(async () => {
  timers = new TestTimers()
  daemon = aDaemon({ timers })
  tool = await daemon.connect()
  await tool.write('/shared', '0')
})

afterEach(() => {
  for (const peer of peers.splice(0)) peer.close()
  daemon.stop()
})

const text = (payload: Uint8Array) => Buffer.from(payload).toString('latin1').replaceAll('\0', '|')

/** A guest that may write what all of them share. */
async function guest(domid: number): Promise<RingGuest> {
  const ring = daemon.guest(domid)
  await tool.introduce(domid, 0, ring.end.port)
  await tool.setPerms('/shared', ['b0'])
  return ring
}

/** A socket that asks one thing after the other, byte for byte. */
async function socket() {
  const peer = await SocketPeer.connect(daemon.socketPath)
  peers.push(peer)
  return async (type: number, payload: string, txId = 0): Promise<string> => {
    const before = peer.received.length
    peer.send(encodePacket(type, 1, txId, Buffer.from(payload.replaceAll('|', '\0'))))
    while (peer.received.length === before) await turn()
    return text(peer.received[before]?.payload ?? new Uint8Array())
  }
}
type Ask = Awaited<ReturnType<typeof socket>>

const idOf = (answer: string) => Number(answer.replace('|', ''))

/** A connection whose transactions have failed twice, since `writer` wrote what they had read. */
async function afflict(ask: Ask, writer: (value: string) => Promise<string>): Promise<void> {
  for (let i = 0; i < 2; i++) {
    const tx = idOf(await ask(XS_TRANSACTION_START, '|'))
    await ask(XS_READ, '/shared|', tx)
    expect(await writer(`again ${i}`)).toBe('OK|')
    expect(await ask(XS_TRANSACTION_END, 'T|', tx)).toBe('EAGAIN|')
  }
}

/** A guest whose transactions have failed by its own doing. */
async function afflictItself(ring: RingGuest, times: number): Promise<void> {
  await ring.ask(XS_WRITE, 'own|')
  for (let i = 0; i < times; i++) {
    const tx = idOf(await ring.ask(XS_TRANSACTION_START, '|'))
    await ring.ask(XS_READ, 'own|', tx)
    await ring.ask(XS_WRITE, `own|${i}`)
    await ring.ask(XS_WRITE, `other|${i}`, tx)
    expect(await ring.ask(XS_TRANSACTION_END, 'T|', tx)).toBe('EAGAIN|')
  }
}

/** The third transaction, which has read. */
async function guarded(ask: Ask): Promise<number> {
  const tx = idOf(await ask(XS_TRANSACTION_START, '|'))
  await ask(XS_READ, '/shared|', tx)
  return tx
}

/** Lets everything that can happen happen. */
async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await turn()
}

test('a privileged transaction commits within three tries against guests that rewrite what it reads', async () => {
  const observer = new Observer(daemon)
  // So many writes after each step of the transaction: enough to be everywhere, and an end.
  let writesLeft = 0
  for (const domid of [3, 4]) {
    const ring = await guest(domid)
    let count = 0
    const write = () => {
      ring.takeAll()
      if (writesLeft-- > 0) void ring.send(XS_WRITE, `/shared|${domid} ${++count}`)
    }
    observer.actors.push({ act: write })
  }
  const askDaemon = await socket()
  const ask: Ask = (type, payload, txId) => {
    writesLeft = 40
    observer.moment()
    return askDaemon(type, payload, txId)
  }
  observer.isOn = true
  const tries: number[] = []
  for (let round = 0; round < 20; round++) {
    for (let count = 1; ; count++) {
      const tx = idOf(await ask(XS_TRANSACTION_START, '|'))
      await ask(XS_READ, '/shared|', tx)
      await ask(XS_WRITE, `/result|${round}`, tx)
      const outcome = await ask(XS_TRANSACTION_END, 'T|', tx)
      if (outcome === 'EAGAIN|') continue
      expect(outcome).toBe('OK|')
      tries.push(count)
      break
    }
  }
  observer.isOn = false
  expect(Math.max(...tries)).toBe(3)
  expect(timers.nowMs()).toBe(0)
})

describe('a guest that writes what a guarded transaction has read', () => {
  let ring: RingGuest
  let ask: Ask

  beforeEach(async () => {
    ring = await guest(3)
    ask = await socket()
    await afflict(ask, (value) => ring.ask(XS_WRITE, `/shared|${value}`))
  })

  test('waits until the transaction has ended', async () => {
    const tx = await guarded(ask)
    await ring.send(XS_WRITE, '/shared|late')
    await settle()
    expect(ring.takeAll()).toEqual([])
    expect(await ask(XS_TRANSACTION_END, 'T|', tx)).toBe('OK|')
    expect(text((await ring.next()).payload)).toBe('OK|')
    expect(await tool.read('/shared')).toBe('late')
  })

  test('waits 50 ms at most, and the transaction is guarded no more', async () => {
    const tx = await guarded(ask)
    await ring.send(XS_WRITE, '/shared|late')
    await settle()
    timers.pass(49)
    await settle()
    expect(ring.takeAll()).toEqual([])
    timers.pass(1)
    expect(text((await ring.next()).payload)).toBe('OK|')
    expect(await ring.ask(XS_WRITE, '/shared|later')).toBe('OK|')
    expect(await ask(XS_TRANSACTION_END, 'T|', tx)).toBe('EAGAIN|')
  })

  test('has its requests served in the order in which it made them', async () => {
    const tx = await guarded(ask)
    await ring.send(XS_WRITE, '/shared|1')
    await ring.send(XS_READ, '/shared|')
    await ring.send(XS_WRITE, '/shared|2')
    await ring.send(XS_READ, '/shared|')
    await settle()
    expect(ring.takeAll()).toEqual([])
    expect(await ask(XS_TRANSACTION_END, 'T|', tx)).toBe('OK|')
    const answers: string[] = []
    for (let i = 0; i < 4; i++) answers.push(text((await ring.next()).payload))
    expect(answers).toEqual(['OK|', '1', 'OK|', '2'])
  })

  test('makes nobody else wait, and nobody who writes something else', async () => {
    const other = await guest(4)
    const tx = await guarded(ask)
    await ring.send(XS_WRITE, '/shared|late')
    await settle()
    expect(await other.ask(XS_READ, '/shared|')).toBe('again 1')
    expect(await other.ask(XS_WRITE, '/shared/own|1')).toBe('OK|')
    expect(ring.takeAll()).toEqual([])
    expect(await ask(XS_TRANSACTION_END, 'F|', tx)).toBe('OK|')
    expect(text((await ring.next()).payload)).toBe('OK|')
  })

  test('waits for a longer transaction twice as long when it is tried again', async () => {
    const first = await guarded(ask)
    await ring.send(XS_WRITE, '/shared|late')
    await settle()
    timers.pass(50)
    expect(text((await ring.next()).payload)).toBe('OK|')
    expect(await ask(XS_TRANSACTION_END, 'T|', first)).toBe('EAGAIN|')
    const second = await guarded(ask)
    await ring.send(XS_WRITE, '/shared|later')
    await settle()
    timers.pass(99)
    await settle()
    expect(ring.takeAll()).toEqual([])
    expect(await ask(XS_TRANSACTION_END, 'T|', second)).toBe('OK|')
    expect(text((await ring.next()).payload)).toBe('OK|')
  })

  test('waits with nothing that changes nothing: an abort, or what is refused', async () => {
    const own = idOf(await ring.ask(XS_TRANSACTION_START, '|'))
    expect(await ring.ask(XS_WRITE, '/shared|late', own)).toBe('OK|')
    const tx = await guarded(ask)
    await tool.setPerms('/tool', ['n0'])
    await ask(XS_READ, '/tool|', tx)
    expect(await ring.ask(XS_TRANSACTION_END, 'F|', own)).toBe('OK|')
    expect(await ring.ask(XS_WRITE, '/tool|x')).toBe('EACCES|')
    expect(await ring.ask(XS_RM, '/|')).toBe('EACCES|')
    expect(await ask(XS_TRANSACTION_END, 'T|', tx)).toBe('OK|')
  })

  test('walks over nothing that it may not remove', async () => {
    const tx = await guarded(ask)
    for (let i = 0; i < 50; i++) await tool.write(`/big/${i}`, '')
    const walk = vi.spyOn(Tree.prototype, 'nextInSubtree')
    expect(await ring.ask(XS_RM, '/big|')).toBe('EACCES|')
    expect(walk).not.toHaveBeenCalled()
    walk.mockRestore()
    expect(await ask(XS_TRANSACTION_END, 'T|', tx)).toBe('OK|')
  })

  test('waits also when other guests leave transactions open that are guarded', async () => {
    for (const domid of [4, 5]) {
      const hoarder = await guest(domid)
      await tool.write(`/local/domain/${domid}`, '')
      await tool.setPerms(`/local/domain/${domid}`, [`n${domid}`])
      await afflictItself(hoarder, 40)
      for (let i = 0; i < 10; i++) await hoarder.ask(XS_TRANSACTION_START, '|')
    }
    const tx = await guarded(ask)
    await ring.send(XS_WRITE, '/shared|late')
    await settle()
    expect(ring.takeAll()).toEqual([])
    expect(await ask(XS_TRANSACTION_END, 'T|', tx)).toBe('OK|')
    expect(text((await ring.next()).payload)).toBe('OK|')
    timers.pass(1000)
    expect(timers.pending).toBe(0)
  })

  test('waits with the commit of a transaction, too', async () => {
    const own = idOf(await ring.ask(XS_TRANSACTION_START, '|'))
    expect(await ring.ask(XS_WRITE, '/shared|late', own)).toBe('OK|')
    const tx = await guarded(ask)
    await ring.send(XS_TRANSACTION_END, 'T|', own)
    await settle()
    expect(ring.takeAll()).toEqual([])
    expect(await ask(XS_TRANSACTION_END, 'T|', tx)).toBe('OK|')
    expect(text((await ring.next()).payload)).toBe('OK|')
  })

  test('takes what it waits for with it when it dies', async () => {
    const tx = await guarded(ask)
    await ring.send(XS_WRITE, '/shared|late')
    await settle()
    daemon.die(3)
    while (await tool.isIntroduced(3)) await turn()
    const next = await guest(3)
    expect(await next.ask(XS_READ, '/shared|')).toBe('again 1')
    expect(await ask(XS_TRANSACTION_END, 'T|', tx)).toBe('OK|')
    expect(await next.ask(XS_WRITE, '/shared|next')).toBe('OK|')
    expect(timers.pending).toBe(0)
  })

  test('goes on when the connection of the transaction ends', async () => {
    await guarded(ask)
    await ring.send(XS_WRITE, '/shared|late')
    await settle()
    peers.at(-1)?.close()
    expect(text((await ring.next()).payload)).toBe('OK|')
  })
})

test('a privileged connection waits for nobody', async () => {
  const ring = await guest(3)
  const ask = await socket()
  await afflict(ask, (value) => ring.ask(XS_WRITE, `/shared|${value}`))
  const tx = await guarded(ask)
  await tool.write('/shared', 'at once')
  expect(await ask(XS_TRANSACTION_END, 'T|', tx)).toBe('EAGAIN|')
})

test("a guest's transaction never makes a privileged connection wait", async () => {
  const ring = await guest(3)
  const other = await guest(4)
  const ask = (type: number, payload: string, txId = 0) => ring.ask(type, payload, txId)
  await afflict(ask, (value) => other.ask(XS_WRITE, `/shared|${value}`))
  const tx = await guarded(ask)
  await tool.write('/shared', 'at once')
  expect(await ask(XS_TRANSACTION_END, 'T|', tx)).toBe('EAGAIN|')
})

describe('a guest that writes what a guarded transaction of another guest has read', () => {
  let ring: RingGuest
  let other: RingGuest
  const ask = (type: number, payload: string, txId = 0) => ring.ask(type, payload, txId)

  beforeEach(async () => {
    ring = await guest(3)
    other = await guest(4)
    await afflict(ask, (value) => other.ask(XS_WRITE, `/shared|${value}`))
  })

  test('waits until that has ended', async () => {
    const tx = await guarded(ask)
    await other.send(XS_WRITE, '/shared|late')
    await settle()
    expect(other.takeAll()).toEqual([])
    expect(await ask(XS_TRANSACTION_END, 'T|', tx)).toBe('OK|')
    expect(text((await other.next()).payload)).toBe('OK|')
  })

  test('waits 50 ms, and then no transaction of that guest is guarded for 450', async () => {
    const first = await guarded(ask)
    await other.send(XS_WRITE, '/shared|late')
    await settle()
    timers.pass(49)
    await settle()
    expect(other.takeAll()).toEqual([])
    timers.pass(1)
    expect(text((await other.next()).payload)).toBe('OK|')
    expect(await ask(XS_TRANSACTION_END, 'T|', first)).toBe('EAGAIN|')
    timers.pass(449)
    const second = await guarded(ask)
    expect(await other.ask(XS_WRITE, '/shared|at once')).toBe('OK|')
    expect(await ask(XS_TRANSACTION_END, 'T|', second)).toBe('EAGAIN|')
    timers.pass(1)
    const third = await guarded(ask)
    await other.send(XS_WRITE, '/shared|late')
    await settle()
    expect(other.takeAll()).toEqual([])
    expect(await ask(XS_TRANSACTION_END, 'T|', third)).toBe('OK|')
    expect(text((await other.next()).payload)).toBe('OK|')
  })

  test('waits with a request once only, however many guests have one', async () => {
    const third = await guest(5)
    const askThird: Ask = (type, payload, txId = 0) => third.ask(type, payload, txId)
    await afflict(askThird, (value) => other.ask(XS_WRITE, `/shared|${value}`))
    const first = await guarded(ask)
    const second = await guarded(askThird)
    await other.send(XS_WRITE, '/shared|late')
    await settle()
    expect(other.takeAll()).toEqual([])
    expect(await ask(XS_TRANSACTION_END, 'F|', first)).toBe('OK|')
    expect(text((await other.next()).payload)).toBe('OK|')
    expect(await askThird(XS_TRANSACTION_END, 'T|', second)).toBe('EAGAIN|')
  })

  test('does not wait when its own transaction has been tried as often', async () => {
    await afflict(
      (type, payload, txId = 0) => other.ask(type, payload, txId),
      (value) => tool.write('/shared', value).then(() => 'OK|'),
    )
    const own = await guarded((type, payload, txId = 0) => other.ask(type, payload, txId))
    const tx = await guarded(ask)
    expect(await other.ask(XS_WRITE, '/shared|mine', own)).toBe('OK|')
    expect(await other.ask(XS_TRANSACTION_END, 'T|', own)).toBe('OK|')
    expect(await ask(XS_TRANSACTION_END, 'T|', tx)).toBe('EAGAIN|')
  })
})
