import { expect, test } from 'vitest'
import { outcomeFrom } from '../../../bench/peers/outcome.ts'

const MEASURED = {
  operations: 12,
  seconds: 0.5,
  cpuSeconds: 0.25,
  retries: 1,
  latencyUs: { p50: 1, p90: 2, p99: 3, max: 4 },
}

test('what the load has measured is taken as it is', () => {
  expect(outcomeFrom(JSON.stringify(MEASURED))).toEqual({
    kind: 'measured',
    measurement: MEASURED,
  })
})

test('a daemon that failed and one that is too slow are told apart, each with why', () => {
  expect(outcomeFrom('{"failed":"READ was answered ENOENT"}')).toEqual({
    kind: 'failed',
    why: 'READ was answered ENOENT',
  })
  expect(outcomeFrom('{"tooSlow":"no answer"}')).toEqual({ kind: 'tooSlow', why: 'no answer' })
})

test('a line that says less than a measurement has is none of the load’s', () => {
  const { operations: _, ...less } = MEASURED
  for (const line of ['', 'null', '{}', '{"failed":1}', JSON.stringify(less)]) {
    expect(() => outcomeFrom(line)).toThrow('the load said')
  }
})
