/** What a connection may be in the middle of when its guest does something worse. */
import { expect } from 'vitest'
import { XS_READ, XS_TRANSACTION_START, XS_WRITE } from '../../lixs/wire/ops.ts'
import { encode } from '../native/guest-ring.ts'
import { ATTACKER, heard, type Siege, type SiegeGuest, settle } from './a-siege.ts'

const HOME = `/local/domain/${ATTACKER}`

/** Brings the attacker, which watches `data` in its home, there. */
type State = (siege: Siege, guest: SiegeGuest) => Promise<void> | void

/** A message, `|` for NUL. */
export const request = (type: number, text: string): Buffer =>
  encode(type, 1, 0, Buffer.from(text.replaceAll('|', '\0')))

export const STATES: Readonly<Record<string, State>> = {
  'at rest': () => {},
  'with half a header in': async (_siege, { ring }) => {
    ring.send(request(XS_READ, 'data|').subarray(0, 7))
    await settle()
  },
  'with half a payload in': async (_siege, { ring }) => {
    ring.send(request(XS_WRITE, 'data/x|a value of which half has come').subarray(0, 30))
    await settle()
  },
  'with a request that nobody was told of': (_siege, { ring }) => {
    ring.put(request(XS_WRITE, 'data/x|unseen'))
  },
  'with half a reply out': async (siege, { kernel, ring }) => {
    await heard(kernel, XS_WRITE, `data/large|${'x'.repeat(1800)}`, 2)
    ring.send(request(XS_READ, 'data/large|'))
    await settle()
    expect(siege.queued(ATTACKER).replies).toBe(1)
  },
  'with events that wait': async (siege, { ring }) => {
    for (let i = 0; i < 60; i++) await siege.tool.write(`${HOME}/data/${i}`, 'told')
    expect(ring.waiting).toBeGreaterThan(900)
    expect(siege.queued(ATTACKER).events).toBeGreaterThan(10)
  },
  'with an open transaction': async (_siege, { kernel }) => {
    const txId = Number.parseInt(await kernel.ask(XS_TRANSACTION_START, '|'), 10)
    expect(await kernel.ask(XS_WRITE, 'data/in|transaction', txId)).toBe('OK|')
  },
}
