/** How transactions fail and end, rule by rule. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { XenstoreClient } from '../../../lixs/client/client.ts'
import { encodePacket } from '../../../lixs/wire/encoder.ts'
import {
  XS_READ,
  XS_RESET_WATCHES,
  XS_TRANSACTION_END,
  XS_TRANSACTION_START,
  XS_WRITE,
} from '../../../lixs/wire/ops.ts'
import type { Domid } from '../../../native/hypervisor.ts'
import { SocketPeer } from '../../native/socket-peer.ts'
import { aDaemon, type RingGuest, type RunningDaemon, turn } from '../../support/a-daemon.ts'
import { aStore, type Client } from '../store/a-store.ts'

describe('failure inside a transaction', () => {
  test('more nodes than the quota of one transaction: ENOSPC, and the transaction has failed', () => {
    const guest = aStore({ quotas: { transactionNodes: 3 } }).guestAtHome(5)
    const tx = guest.start()
    const answers = Array.from({ length: 5 }, (_, i) => guest.read(`missing${i}`, tx))
    expect(answers.at(-1)).toBe('ENOSPC')
    expect(guest.commit(tx)).toBe('ENOMEM')
  })

  test('END T of a failed transaction is ENOMEM, and nothing of it is done', () => {
    const guest = aStore().guestAtHome(5)
    const tx = guest.start()
    expect(guest.write('a', 'x', tx)).toBe('OK')
    expect(guest.write('b', 'v'.repeat(3000), tx)).toBe('ENOSPC')
    expect(guest.commit(tx)).toBe('ENOMEM')
    expect(guest.read('a')).toBe('ENOENT')
  })

  test('END F of a failed transaction is OK', () => {
    const guest = aStore().guestAtHome(5)
    const tx = guest.start()
    expect(guest.write('b', 'v'.repeat(3000), tx)).toBe('ENOSPC')
    expect(guest.abort(tx)).toBe('OK')
  })

  test('one node more than the quota: that WRITE is ENOSPC, the rest is committed without it', () => {
    const guest = aStore({ quotas: { nodes: 3 } }).guestAtHome(5)
    const tx = guest.start()
    expect(guest.write('a', '', tx)).toBe('OK')
    expect(guest.write('b', '', tx)).toBe('OK')
    expect(guest.write('c', '', tx)).toBe('ENOSPC')
    expect(guest.commit(tx)).toBe('OK')
    expect(guest.directory('/local/domain/5')).toEqual(['a', 'b'])
  })

  test('memory beyond the hard quota: ENOMEM, and the transaction has failed', () => {
    const guest = aStore({ quotas: { memoryHard: 6000 } }).guestAtHome(5)
    const tx = guest.start()
    const answers = Array.from({ length: 4 }, (_, i) => guest.write(`n${i}`, 'v'.repeat(1800), tx))
    expect(answers.at(-1)).toBe('ENOMEM')
    expect(guest.commit(tx)).toBe('ENOMEM')
  })
})

describe('the memory of what a transaction has read', () => {
  test('is charged to its domain and given back at its end', () => {
    const store = aStore()
    const dom0 = store.socket()
    const guest = store.guestAtHome(5)
    for (let i = 0; i < 50; i++) dom0.write(`/shared/${i}`, 'v'.repeat(1900))
    for (let i = 0; i < 50; i++) dom0.setPerms(`/shared/${i}`, 'r0')
    const memory = () => store.store.accounts.usageOf(5 as Domid).memoryBytes
    const before = memory()
    const tx = guest.start()
    for (let i = 0; i < 50; i++) expect(guest.read(`/shared/${i}`, tx)).toHaveLength(1900)
    expect(memory() - before).toBeGreaterThan(50 * 1900)
    for (let i = 0; i < 50; i++) guest.read(`/shared/${i}`, tx)
    expect(memory() - before).toBeLessThan(60 * 2100)
    expect(guest.commit(tx)).toBe('OK')
    expect(memory()).toBe(before)
  })

  test('is bounded by the hard quota, though others own it all', () => {
    const store = aStore({ quotas: { memoryHard: 20_000 } })
    const dom0 = store.socket()
    const guest = store.guestAtHome(5)
    for (let i = 0; i < 50; i++) dom0.write(`/shared/${i}`, 'v'.repeat(1900))
    for (let i = 0; i < 50; i++) dom0.setPerms(`/shared/${i}`, 'r0')
    const tx = guest.start()
    const answers = Array.from({ length: 50 }, (_, i) => guest.read(`/shared/${i}`, tx))
    expect(answers.at(-1)).toBe('ENOMEM')
    expect(store.store.accounts.usageOf(5 as Domid).memoryBytes).toBeLessThanOrEqual(20_000)
    expect(guest.commit(tx)).toBe('ENOMEM')
  })

  test('is bounded by the quota of nodes where nothing is there', () => {
    const store = aStore({ quotas: { transactionNodes: 100 } })
    const guest = store.guestAtHome(5)
    const { accessRecords } = store.store.accounts.held()
    const tx = guest.start()
    for (let i = 0; i < 300; i++) guest.read(`missing${i}`, tx)
    expect(store.store.accounts.held().accessRecords - accessRecords).toBeLessThanOrEqual(101)
    guest.abort(tx)
    expect(store.store.accounts.held().accessRecords).toBe(accessRecords)
  })
})

describe('a transaction dies', () => {
  let daemon: RunningDaemon
  let tool: XenstoreClient
  let ring: RingGuest
  let tx: number

  beforeEach(async () => {
    daemon = aDaemon()
    tool = await daemon.connect()
    ring = daemon.guest(7)
    await tool.mkdir('/local/domain/7')
    await tool.setPerms('/local/domain/7', ['n7'])
    await tool.introduce(7, 0, ring.end.port)
    tx = await started(ring)
    expect(await ring.ask(XS_WRITE, 'a|1', tx)).toBe('OK|')
  })
  afterEach(() => daemon.stop())

  const started = async (guest: RingGuest) =>
    Number((await guest.ask(XS_TRANSACTION_START, '|')).replace('|', ''))
  const isGone = async () => {
    expect(await ring.ask(XS_TRANSACTION_END, 'T|', tx)).toBe('ENOENT|')
    expect(await ring.ask(XS_READ, 'a|')).toBe('ENOENT|')
    expect(await tool.control('quota', '7')).toMatch(/transactions +: +0/)
  }

  test('with RESET_WATCHES', async () => {
    expect(await ring.ask(XS_RESET_WATCHES, '|')).toBe('OK|')
    await isGone()
  })

  test('with RESET_WATCHES that names it', async () => {
    expect(await ring.ask(XS_RESET_WATCHES, '|', tx)).toBe('OK|')
    await isGone()
  })

  test('when its domain is introduced again', async () => {
    await tool.introduce(7, 0, ring.end.port)
    await isGone()
  })

  test('with an error of its ring', async () => {
    ring.claim(5000)
    while (ring.ringError === 0) await turn()
    expect(await tool.control('quota', '7')).toMatch(/transactions +: +0/)
  })

  test('with its connection', async () => {
    const peer = await SocketPeer.connect(daemon.socketPath)
    peer.send(encodePacket(XS_TRANSACTION_START, 1, 0, Buffer.from('\0')))
    peer.send(encodePacket(XS_WRITE, 2, 1, Buffer.from('/half\0x')))
    while (peer.received.length < 2) await turn()
    expect(await tool.control('quota', '0')).toMatch(/transactions +: +1/)
    peer.close()
    while (!(await tool.control('quota', '0')).match(/transactions +: +0/)) await turn()
    expect(await tool.read('/half')).toBeUndefined()
  })
})

describe('a transaction that has touched nodes of a domain that is destroyed meanwhile is EAGAIN:', () => {
  test.for([
    ['read', (tx: number, dom0: Client) => dom0.read('/local/domain/5/state', tx)],
    ['written', (tx: number, dom0: Client) => dom0.write('/local/domain/5/state', '2', tx)],
    ['listed', (tx: number, dom0: Client) => dom0.directory('/local/domain/5', tx)],
    ['made', (tx: number, dom0: Client) => dom0.mkdir('/local/domain/5/more', tx)],
    ['removed', (tx: number, dom0: Client) => dom0.rm('/local/domain/5/state', tx)],
  ] as const)('%s', ([, touch]) => {
    const store = aStore()
    const dom0 = store.socket()
    store.guestAtHome(5).write('state', '1')
    const tx = dom0.start()
    touch(tx, dom0)
    store.release(5)
    expect(dom0.commit(tx)).toBe('EAGAIN')
  })
})
