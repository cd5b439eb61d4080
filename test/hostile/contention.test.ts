/** Writers that never rest, against those who want to commit what they have read. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { XS_WRITE } from '../../lixs/wire/ops.ts'
import { TestTimers } from '../support/test-timers.ts'
import { ATTACKER, askAll, Siege } from './a-siege.ts'

const ROUNDS = 5
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
    const tries = new Array<number>(ROUNDS).fill(0)
    const committing = (async () => {
      for (let round = 0; round < ROUNDS; round++) {
        await siege.tool.transaction(async (tx) => {
          tries[round] = (tries[round] ?? 0) + 1
          const value = await tx.read(`${HOME}/contested`)
          tx.write(`${HOME}/seen`, value ?? '')
        })
      }
    })()
    await committing.finally(() => {
      isOver = true
    })
    await rewriting
    expect(Math.min(...tries)).toBeGreaterThanOrEqual(1)
    expect(Math.max(...tries)).toBeLessThanOrEqual(3)
    expect(await siege.tool.read(`${HOME}/seen`)).toMatch(/^\d+$/)
  })
})
