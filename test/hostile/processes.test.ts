/** Attackers of all kinds at once, against a daemon that is a process of its own. */
import { afterEach, expect, test } from 'vitest'
import { XS_READ, XS_RM, XS_WATCH, XS_WRITE } from '../../lixs/wire/ops.ts'
import { encode } from '../native/guest-ring.ts'
import type { TappedGuest } from '../support/a-tapped-guest.ts'
import { BesiegedProcess, pour } from './a-besieged-process.ts'

const SOON = { timeout: 15_000, interval: 10 }
const ROUNDS = 15
/** Beyond what it had: the queues of all attackers, what each may keep, and the garbage of a busy heap. */
const MORE_KIB = 64 * 1024

let siege: BesiegedProcess
afterEach(() => siege.stop())

const request = (type: number, text: string, txId = 0): Buffer =>
  encode(type, 1, txId, Buffer.from(text.replaceAll('|', '\0')))

test.each([
  '4.17',
  '4.21',
] as const)('on Xen %s: attackers of all kinds at once; a victim is served, and nothing of them stays', async (xen) => {
  siege = await BesiegedProcess.start({ xen })
  const victim = await siege.victim()
  for (let i = 0; i < ROUNDS; i++) await victim.isServed()
  const before = await siege.kept()
  const residentKiB = siege.residentKiB()

  const attackers: TappedGuest[] = []
  const attacker = async (): Promise<TappedGuest> => {
    const guest = await siege.guest()
    attackers.push(guest)
    return guest
  }
  const large = 'x'.repeat(1900)
  const pouring = [
    await pour(await attacker(), request(XS_WRITE, `data/x|${'v'.repeat(100)}`), true),
    await pour(await attacker(), request(XS_WRITE, `data/large|${large}`), false),
    await pour(
      await attacker(),
      Buffer.concat([request(XS_WRITE, `d${'/n'.repeat(400)}|`), request(XS_RM, 'd|')]),
      true,
    ),
    await pour(await attacker(), Buffer.alloc(997, 0x5a), true),
  ]
  const [badIndex, oversized, hoarder] = [await attacker(), await attacker(), await attacker()]
  const { req_cons: consumed } = await badIndex.ring()
  await badIndex.setRing({ req_prod: consumed + 0x4000_0000, rsp_cons: 0xdead_beef })
  const tooLong = request(XS_READ, 'data|')
  tooLong.writeUInt32LE(5000, 12)
  ;(await oversized.connect()).write(tooLong)
  const watches = Array.from({ length: 200 }, (_, i) => request(XS_WATCH, `/|${i}|`))
  ;(await hoarder.connect()).write(Buffer.concat(watches))

  for (let i = 0; i < ROUNDS; i++) await victim.isServed()
  expect(pouring[0]?.received()).toBeGreaterThan(0)
  expect(pouring[2]?.received()).toBeGreaterThan(0)
  await expect.poll(async () => (await badIndex.ring()).error, SOON).toBe(2)
  await expect.poll(async () => (await oversized.ring()).error, SOON).toBe(3)
  expect(siege.residentKiB()).toBeLessThan(residentKiB + MORE_KIB)
  for (const { domid } of [badIndex, oversized]) {
    expect(siege.log).toContain(`"domid":${domid},"error"`)
  }

  for (const { stop } of pouring) await stop()
  for (const guest of attackers) await siege.destroy(guest)
  await victim.isServed()
  await expect.poll(() => siege.kept(), SOON).toEqual(before)
  expect(siege.log).not.toContain('a defect')
  victim.close()
})

test('guests that come, attack and die, one after the other with the same number, leave nothing', async () => {
  siege = await BesiegedProcess.start({ firstDomid: 1 })
  const victim = await siege.victim()
  await victim.isServed()
  const before = await siege.kept()
  const residentKiB = siege.residentKiB()
  for (let round = 0; round < 8; round++) {
    const guest = await siege.guest(77)
    const client = await guest.client()
    expect(await client.directory('/local/domain/77')).toEqual([])
    await client.watch('/')
    await client.write(`round/${round}`, 'x'.repeat(1900))
    for (let i = 0; i < 50; i++)
      client.write(`data/${i % 7}/${i}`, 'x'.repeat(1000)).catch(() => {})
    // In the middle of its writes.
    await siege.destroy(guest)
    client.close()
    await victim.isServed()
  }
  await expect.poll(() => siege.kept(), SOON).toEqual(before)
  expect(siege.residentKiB()).toBeLessThan(residentKiB + MORE_KIB)
  victim.close()
})
