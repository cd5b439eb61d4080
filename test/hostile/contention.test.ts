/** Writers that never rest, against those who want to commit what they have read. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { XS_WRITE } from '../../lixs/wire/ops.ts'
import { TestTimers } from '../support/test-timers.ts'
import { ATTACKER, askAll, Siege } from './a-siege.ts'

const HOME = `/local/domain/${ATTACKER}`

let siege: Siege
beforeAll(async () => {
  // The clock stands still: who is held up is held up until the transaction has ended.
  siege = await Siege.begin({ timers: new TestTimers() })
})
afterAll(() => siege.stop())

test('XSA-206: who rewrites what a tool reads, without end, does not keep it from committing', async () => {
  await siege.endures(async (attacker) => {
    await askAll(attacker, [[XS_WRITE, 'contested|0']])
    let isOver = false
    const rewriting = (async () => {
      for (let i = 1; !isOver; i++) await askAll(attacker, [[XS_WRITE, `contested|${i}`]])
    })()
    const tries: number[] = []
    for (let round = 0; round < 5; round++) {
      tries.push(0)
      const committed = siege.tool.transaction(async (tx) => {
        tries[round] = (tries[round] ?? 0) + 1
        const value = await tx.read(`${HOME}/contested`)
        tx.write(`${HOME}/seen`, value ?? '')
      })
      await committed.catch(() => undefined)
    }
    isOver = true
    await rewriting
    expect(Math.max(...tries)).toBeLessThanOrEqual(3)
  })
})
