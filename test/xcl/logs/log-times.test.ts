import { describe, expect, test } from 'vitest'
import { stampAt, stampOf, whenFrom } from '../../../xcl/logs/log-times.ts'

const NOW = new Date(2026, 0, 31, 12, 5, 7, 500).getTime()

function local(...parts: [number, number, number, number?, number?, number?]): number {
  const [year, month, day, hour = 0, minute = 0, second = 0] = parts
  return new Date(year, month, day, hour, minute, second).getTime()
}

describe('a time as a person gives it', () => {
  test.each([
    ['10m', NOW - 600_000],
    ['1h30m', NOW - 5_400_000],
    ['2d', NOW - 172_800_000],
    ['now', NOW],
    ['today', local(2026, 0, 31)],
    ['yesterday', local(2026, 0, 30)],
    ['14:05', local(2026, 0, 31, 14, 5)],
    ['14:05:07', local(2026, 0, 31, 14, 5, 7)],
    ['2025-12-01', local(2025, 11, 1)],
    ['2025-12-01 01:02', local(2025, 11, 1, 1, 2)],
    ['2025-12-01T01:02:03', local(2025, 11, 1, 1, 2, 3)],
    ['2025-12-01T01:02:03Z', Date.UTC(2025, 11, 1, 1, 2, 3)],
    ['2025-12-01T01:02:03+01:00', Date.UTC(2025, 11, 1, 0, 2, 3)],
    ['@1700000000', 1_700_000_000_000],
  ])('%s', (text, ms) => {
    expect(whenFrom(text, NOW)).toBe(ms)
  })

  test.each([
    [''],
    ['soon'],
    ['10'],
    ['10x'],
    ['2025-13-01'],
    ['2025-12-01 25:00'],
    ['Z'],
    ['2025-12-0114:00'],
  ])('%j is none', (text) => {
    expect(whenFrom(text, NOW)).toBeUndefined()
  })
})

describe('the time before a line', () => {
  test('is found where it stands, and compares as text', () => {
    const line = Buffer.from(`x\n[${stampOf(NOW)}] hello`)
    expect(stampAt(line, 2)).toBe('2026-01-31 12:05:07')
    expect(stampAt(line, 3)).toBeUndefined()
    expect(stampAt(Buffer.from('[2026-01-31 12:05:07]'), 0)).toBeUndefined()
    expect(stampOf(NOW) < stampOf(NOW + 1000)).toBe(true)
  })
})
